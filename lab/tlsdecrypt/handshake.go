package tlsdecrypt

import (
	"bytes"
	"fmt"
	"slices"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// handshake is what one handshake agreed on, and its messages. A connection has
// one, or in TLS 1.2 one more for each renegotiation.
type handshake struct {
	parameters
	generation int  // counts renegotiations
	done       bool // ServerHelloDone was seen: it is a full handshake

	// transcript has the messages that the transcript hash takes, in order
	// (RFC 9846 section 4.1, RFC 5246 section 7.4.9). missed says why some that
	// come after the first wholeUpTo of them may not be there.
	transcript []*Message
	missed     string
	wholeUpTo  int
	headless   bool                // the connection's first bytes were not seen
	finished   endpoint.Pair[bool] // its Finished was seen
	posts      []*postHandshake

	master   []byte                // of TLS 1.2, once it is known
	byRSAKey bool                  // an RSA key opened it
	derived  bool                  // master comes from the messages of the handshake
	secrets  endpoint.Pair[[]byte] // of TLS 1.3: its handshake_traffic_secret

	application endpoint.Pair[[]byte] // likewise: its first application_traffic_secret
}

// parameters are the content of a handshake's hellos.
type parameters struct {
	hello          *tlswire.ClientHello // nil if it was not seen
	clientRandom   []byte
	serverRandom   []byte
	serverName     string
	sessionID      []byte
	version        tlswire.Version // 0 before ServerHello
	suite          tlswire.CipherSuite
	compression    tlswire.CompressionMethod
	encryptThenMAC bool       // RFC 7366
	extendedMaster bool       // RFC 7627
	resumed        bool       // TLS 1.2
	before         Resumption // how the connection had resumed before this handshake
}

// postHandshake is an authentication after the handshake
// (RFC 9846 section 4.7.2): the CertificateRequest and the client's answer to
// it.
type postHandshake struct {
	context  []byte
	messages []*Message
	secret   []byte // the client's application_traffic_secret at its Finished
	missed   string // why some of its messages may not be there
}

// endPosts keeps the secret under which the client answered, for the
// authentications that end now.
func (hs *handshake) endPosts(secret []byte) {
	for _, p := range hs.posts {
		if p.secret == nil && p.ended() {
			p.secret = secret
		}
	}
}

// ended reports whether the client's answer is there.
func (p *postHandshake) ended() bool {
	return p.messages[len(p.messages)-1].Handshake.Type == tlswire.TypeFinished
}

func (hs *handshake) tls13() bool { return hs.version >= tlswire.VersionTLS13 }

// join adds a message to the transcript it belongs to.
func (hs *handshake) join(m *Message) {
	switch t := m.Handshake.Type; {
	case t == tlswire.TypeHelloRequest, t == tlswire.TypeKeyUpdate, t == tlswire.TypeNewSessionTicket && hs.tls13():
	case hs.tls13() && hs.finished.Client && hs.finished.Server:
		hs.joinPost(m)
	case len(hs.transcript) >= maxTranscript:
		hs.miss("the handshake has more messages before this one than are kept")
	default:
		hs.transcript = append(hs.transcript, m)
	}
	if m.Handshake.Type == tlswire.TypeFinished {
		*hs.finished.Of(m.From) = true
	}
}

// joinPost adds a message to the authentication after the handshake that it
// belongs to.
func (hs *handshake) joinPost(m *Message) {
	switch body := m.Handshake.Body.(type) {
	case *tlswire.CertificateRequest:
		if len(hs.posts) < maxPosts {
			hs.posts = append(hs.posts, &postHandshake{context: body.RequestContext, messages: []*Message{m}})
		}
		return
	case *tlswire.Certificate:
		for _, p := range hs.posts {
			if len(p.messages) == 1 && bytes.Equal(p.context, body.RequestContext) {
				p.messages = append(p.messages, m)
			}
		}
		return
	}
	for _, p := range slices.Backward(hs.posts) {
		if len(p.messages) > 1 && !p.ended() {
			p.messages = append(p.messages, m)
			return
		}
	}
}

// miss notes that messages may be missing from what follows, and why.
func (hs *handshake) miss(why string) {
	if hs.missed == "" {
		hs.missed, hs.wholeUpTo = why, len(hs.transcript)
	}
	for _, p := range hs.posts {
		if p.missed == "" && !p.ended() {
			p.missed = why
		}
	}
}

// lost notes that bytes of a side are missing.
func lost(side endpoint.Side) string {
	return fmt.Sprintf("bytes that the %v sent before this are not in the capture", side)
}

// serverFlightSeen reports whether the server's first flight was seen whole, so
// that a missing CertificateRequest means that it asked for none.
func (hs *handshake) serverFlightSeen() bool {
	seen := hs.transcript
	if hs.missed != "" {
		seen = seen[:hs.wholeUpTo]
	}
	return hs.resumed || slices.ContainsFunc(seen, func(m *Message) bool {
		return m.Handshake.Type == tlswire.TypeServerHelloDone || m.Handshake.Type == tlswire.TypeFinished && m.From == endpoint.Server
	})
}

// flightsSeen reports the same of all handshakes.
func (c *Connection) flightsSeen() bool {
	return len(c.handshakes) > 0 && !slices.ContainsFunc(c.handshakes, func(hs *handshake) bool { return !hs.serverFlightSeen() })
}

// bytesUpTo returns the messages of the transcript up to and including the last
// of a type.
func (hs *handshake) bytesUpTo(t tlswire.HandshakeType) (b []byte) {
	end := 0
	for i, m := range hs.transcript {
		if m.Handshake.Type == t {
			end = i + 1
		}
	}
	for _, m := range hs.transcript[:end] {
		b = append(b, m.Handshake.Raw...)
	}
	return b
}

// find returns the body of the last message of a kind in the transcript.
func find[B tlswire.Body](hs *handshake) (body B, ok bool) {
	for i := len(hs.transcript) - 1; i >= 0; i-- {
		if body, ok = hs.transcript[i].Handshake.Body.(B); ok {
			return body, true
		}
	}
	return body, false
}
