package tlsdecrypt

import (
	"bytes"
	"crypto/x509"
	"slices"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
)

// handshake is what one handshake agreed on, and its messages. A connection
// has one, or in TLS 1.2 one more for each renegotiation.
type handshake struct {
	hello          *tlswire.ClientHello // nil when it was not seen
	clientRandom   []byte
	serverRandom   []byte
	version        tlswire.Version // 0 before ServerHello
	suite          tlswire.CipherSuite
	generation     int // counts renegotiations
	serverName     string
	compression    tlswire.CompressionMethod
	encryptThenMAC bool // RFC 7366
	extendedMaster bool // RFC 7627
	sessionID      []byte
	done           bool // ServerHelloDone was seen: it is a full handshake
	resumed        bool // TLS 1.2

	// transcript has the messages that the transcript hash takes, in order
	// (RFC 8446 4.4.1, RFC 5246 7.4.9). missed says why some that come after the
	// first wholeUpTo of them may not be there.
	transcript []*Message
	missed     string
	wholeUpTo  int
	headless   bool                // the connection's first bytes were not seen
	finished   endpoint.Pair[bool] // its Finished was seen
	posts      []*postHandshake

	master   []byte                // of TLS 1.2, once it is known
	byRSAKey bool                  // an RSA key opened it
	derived  bool                  // from the messages of the handshake
	secrets  endpoint.Pair[[]byte] // of TLS 1.3: its handshake_traffic_secret
}

// postHandshake is an authentication after the handshake (RFC 8446 4.6.2): the
// CertificateRequest and the client's answer to it.
type postHandshake struct {
	context  []byte
	messages []*Message
	secret   []byte // the client's application_traffic_secret at its Finished
	missed   string // why some of its messages may not be there
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
		if hs.transcript == nil {
			hs.transcript = make([]*Message, 0, usualMessages)
		}
		hs.transcript = append(hs.transcript, m)
	}
	if m.Handshake.Type == tlswire.TypeFinished {
		*hs.finished.Of(m.From) = true
	}
}

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

// flightSeen tells whether all was seen that the server says before the client
// answers: what it does not ask for there, it does not ask for in this handshake.
func (hs *handshake) flightSeen() bool {
	seen := hs.transcript
	if hs.missed != "" {
		seen = seen[:hs.wholeUpTo]
	}
	return hs.resumed || slices.ContainsFunc(seen, func(m *Message) bool {
		return m.Handshake.Type == tlswire.TypeServerHelloDone || m.Handshake.Type == tlswire.TypeFinished && m.From == endpoint.Server
	})
}

// flightsSeen tells the same of all handshakes.
func (c *Connection) flightsSeen() bool {
	return len(c.handshakes) > 0 && !slices.ContainsFunc(c.handshakes, func(hs *handshake) bool { return !hs.flightSeen() })
}

// bytesUpTo is the messages of the transcript up to and with the last of a type.
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

// serverLeaf is the server's certificate in TLS 1.2, if it was seen and parses.
func (hs *handshake) serverLeaf() (*x509.Certificate, bool) {
	for _, m := range hs.transcript {
		if body, ok := m.Handshake.Body.(*tlswire.CertificateTLS12); ok && m.From == endpoint.Server && len(body.Certificates) > 0 {
			leaf, err := tlswire.ParseCertificate(body.Certificates[0])
			return leaf, err == nil
		}
	}
	return nil, false
}

// masterFromPremaster is RFC 5246 8.1 and RFC 7627 4.
func (hs *handshake) masterFromPremaster(premaster []byte) []byte {
	info := hs.suite.Info()
	p := prfOf(hs.version, info)
	if p == nil {
		return nil
	}
	master := make([]byte, masterLen)
	if hs.extendedMaster {
		p(master, premaster, "extended master secret", handshakeHash(hs.version, info, hs.bytesUpTo(tlswire.TypeClientKeyExchange)))
	} else {
		p(master, premaster, "master secret", append(bytes.Clone(hs.clientRandom), hs.serverRandom...))
	}
	return master
}

// keys derives what protects the records of a side in TLS 1.2 (RFC 5246 6.3).
func (hs *handshake) keys(side endpoint.Side) (*protection, error) {
	info := hs.suite.Info()
	p := prfOf(hs.version, info)
	if hs.version == tlswire.VersionSSL30 {
		return nil, errSSL30
	}
	if p == nil || info.Cipher == "" {
		return nil, unsupportedError{hs.suite}
	}
	ivLen := info.FixedIVLen
	if info.CBC && hs.version < tlswire.VersionTLS11 {
		ivLen = info.BlockLen
	}
	block := make([]byte, 2*(info.MACLen+info.KeyLen+ivLen))
	p(block, hs.master, "key expansion", append(bytes.Clone(hs.serverRandom), hs.clientRandom...))
	take := func(n int) (own []byte) { // the client's comes first
		own = block[:n]
		if side == endpoint.Server {
			own = block[n : 2*n]
		}
		block = block[2*n:]
		return own
	}
	macKey, key, iv := take(info.MACLen), take(info.KeyLen), take(ivLen)
	prot := &protection{key: Key{Secret: masterSecret, Generation: hs.generation}}
	var err error
	if info.AEAD {
		var aead opener
		aead, err = newAEAD(hs.suite, key)
		prot.cipher = aeadTLS12{aead: aead, iv: iv, record: info.RecordIVLen, tag: info.TagLen}
	} else {
		prot.cipher, err = newMACThenCipher(hs, macKey, key, iv)
	}
	return prot, err
}

// findMaster looks for the master secret everywhere it may be, and tells
// whether it is known.
func (f *flow) findMaster(hs *handshake) bool {
	if hs.master != nil {
		return true
	}
	if s := f.secret(keylog.LabelClientRandom, hs.clientRandom); len(s) == masterLen {
		hs.master = s
	} else if s := f.premaster(hs); s != nil {
		hs.derived = true
		hs.master = hs.masterFromPremaster(s)
	} else if hs.resumed {
		hs.master = f.resumedMaster(hs)
	}
	return hs.master != nil
}

// premaster is the premaster secret of an RSA key exchange (RFC 5246 7.4.7.1), or nil.
func (f *flow) premaster(hs *handshake) []byte {
	cke, ok := find[*tlswire.ClientKeyExchange](hs)
	if !ok || hs.clientRandom == nil || cke.KeyExchange != tlswire.KeyExchangeRSA || len(cke.EncryptedPreMasterSecret) < 8 {
		return nil
	}
	if s := f.secret(keylog.LabelRSA, cke.EncryptedPreMasterSecret[:8]); len(s) == masterLen {
		return s
	}
	leaf, shown := hs.serverLeaf()
	for _, key := range f.d.options.RSAKeys {
		if shown && !key.PublicKey.Equal(leaf.PublicKey) {
			continue
		}
		if s := decryptPremaster(key, cke.EncryptedPreMasterSecret); s != nil {
			hs.byRSAKey = true
			return s
		}
	}
	return nil
}

// resumedMaster is the master secret of the session that a handshake resumed,
// by its ticket or else by its session id, or nil.
func (f *flow) resumedMaster(hs *handshake) []byte {
	if hs.hello == nil {
		return nil
	}
	if t, ok := tlswire.Lookup[*tlswire.SessionTicket](hs.hello.Extensions, tlswire.ExtensionSessionTicket); ok {
		if master := f.d.sessions.Recall(t.Ticket); master != nil {
			return master
		}
	}
	return f.d.sessions.Recall(hs.sessionID)
}
