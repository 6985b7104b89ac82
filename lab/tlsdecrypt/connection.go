package tlsdecrypt

import (
	"net/netip"
	"slices"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/tlswire"
)

// Connection is one TCP connection as far as it could be read.
type Connection struct {
	Number int            // the exchange's number (live) or the TCP stream's (files), as its Open event carries it
	Client netip.AddrPort // who opened it
	Server netip.AddrPort
	Host   string // that the client asked a proxy for, where what recorded it was one; see ProxiedHost
	Opened time.Time
	Ended  time.Time // zero while it is open
	End    End       // how
	Late   bool      // it was open when the capture began
	// NoSYN is set if the capture has no SYN of it: bytes may be missing before
	// the first of either side, which nothing shows.
	NoSYN bool
	// LastSeen is the time of its last packet, or of what else was last seen of
	// it.
	LastSeen time.Time
	// EndedBy is who was the first to close its direction, or to reset the
	// connection; Unknown while nobody has, or where that was not seen.
	EndedBy      endpoint.Side
	EndedAt      time.Time // when it did
	EndedByReset bool      // with RST, not FIN
	After        int64     // bytes that the other side sent after that, in the order of the capture

	Messages []*Message // in the order they were sent; at most maxMessages, see Omitted
	Omitted  int        // messages that are only counted
	Comments []string   // what the capture says of it: the verdict, in words

	ClientRandom []byte // of the (last) ClientHello; nil before there is one
	Negotiated
	NotTLSFrom endpoint.Side        // the side whose bytes are not TLS from the first on; Unknown: none
	Plain      endpoint.Pair[Plain] // how the bytes of a side begin that are not TLS
	// Prologue is what the two sides said before TLS, or in place of it; nil: they
	// began with TLS, or said nothing.
	Prologue *prologue.Prologue
	Problems []Problem           // what cannot be seen, and why
	Gaps     endpoint.Pair[bool] // the capture lacks bytes that a side sent before others, or before its FIN
	RSAKey   RSAKeyUse           // whether a server's private key decrypted it
	// Kept are the first bytes of each side as they crossed the wire, with
	// Options.Keep; they end before the first that the capture lacks.
	Kept endpoint.Pair[[]byte]
	// KeyLog are the secrets that open the records of Kept, as lines of a key log
	// (RFC 9850), with Options.Keep. It is for those alone who ask for it.
	KeyLog []byte

	lacking    bool           // bytes of it are not in the capture
	torn       bool           // and not only some before the first that were seen of a side
	talk       *prologue.Talk // which fills Prologue
	handshakes []*handshake   // for Check
	checked    bool
	arena      *arena // nil once it is released
}

// Duration is how long the connection was open, to the microsecond; 0: that is
// not known.
func (c *Connection) Duration() time.Duration {
	if c.Opened.IsZero() || c.Ended.IsZero() {
		return 0
	}
	return c.Ended.Sub(c.Opened).Round(time.Microsecond)
}

// Negotiated is what the two sides have negotiated. Zero values stand for what
// was not.
type Negotiated struct {
	Version     tlswire.Version
	CipherSuite tlswire.CipherSuite
	Group       tlswire.NamedGroup // of the key agreement
	ALPN        string
	Compression tlswire.CompressionMethod // of records (RFC 3749)
	ServerName  string                    // the client's server_name
	Resumption  Resumption
	EarlyData   bool // accepted by the server
	Retried     bool // there was a HelloRetryRequest
	ClientAuth  bool // the server sent a CertificateRequest
}

// ByGivenKey reports whether the two sides know each other by a key that both
// were given, and not by an earlier session: one of TLS 1.3 that is no ticket,
// or that of a cipher suite of TLS 1.2.
func (c *Connection) ByGivenKey() bool {
	if c.Resumption != ByPSK {
		return c.Resumption == FullHandshake && c.CipherSuite.Info().KeyExchange.IsPSK()
	}
	for _, m := range slices.Backward(c.Messages) {
		if m.Handshake == nil {
			continue
		}
		if hello, ok := m.Body().(*tlswire.ClientHello); ok {
			psk, ok := tlswire.Lookup[*tlswire.OfferedPSKs](hello.Extensions, tlswire.ExtensionPreSharedKey)
			return ok && !psk.AreTickets()
		}
	}
	return false
}

// Resumption is how an earlier session was resumed, or in TLS 1.3 a key that both
// sides were given used in the same way (ByGivenKey).
type Resumption string

// The ways of resumption.
const (
	FullHandshake Resumption = ""
	ByPSK         Resumption = "psk"        // TLS 1.3 (RFC 9846 section 2.2)
	ByTicket      Resumption = "ticket"     // TLS 1.2 (RFC 5077)
	BySessionID   Resumption = "session id" // TLS 1.2 (RFC 5246 section 7.3)
)

// End is how a TCP connection ended.
type End string

// The ends.
const (
	StillOpen    End = ""
	Closed       End = "closed"           // FIN from both sides
	ClientClosed End = "closed by client" // its FIN; no end of the server's was seen
	ServerClosed End = "closed by server"
	ClientReset  End = "reset by client" // RST
	ServerReset  End = "reset by server"
	CutOff       End = "cut off"          // the file or the lab ended first
	EndedBetween End = "ended in between" // by something between the two, as two captures of it show
)

// Plain describes the first bytes of a side that does not speak TLS.
type Plain struct {
	HTTP bool // it is HTTP
	Echo bool // it is what the other side had sent
	// Line is the first line, if it is text, without what may be a secret
	// ([prologue.FirstLine]).
	Line string
	// Target is that of a client's request of HTTP. It may hold a secret: it is
	// for comparing, and not shown.
	Target string
}

// Problem is something that could not be seen, and why: a missing secret, a
// gap in the capture, bytes that are no TLS.
type Problem struct {
	From   endpoint.Side // whose bytes; Unknown: both
	Offset int64         // in that side's stream of bytes; -1 when it is not about a place
	Text   string        // the part up to the first colon is the summary; the rest explains, and says what to do

	untilTLS bool // it is none if the side comes to TLS
}

// Message is one thing that one side said: a handshake message, an alert, a
// ChangeCipherSpec, the head of an HTTP message, other application data, or a
// record that could not be opened.
type Message struct {
	From    endpoint.Side
	Time    time.Time // of the packet with its last byte
	Type    tlswire.ContentType
	Key     Key    // what protects it
	Records []Span // the records that carry it, which may carry others too

	Handshake *tlswire.Handshake // a handshake message; with an Opaque body when it does not parse
	Inner     *tlswire.Handshake // the Certificate in a CompressedCertificate (RFC 8879)
	Alert     *tlswire.Alert
	HTTP      *httpwire.Message // head of a request or response in application data
	Data      []byte            // the first bytes of other application data, or of what does not parse, at most maxData
	Frames    []string          // names of HTTP/2's frames in other application data, each once
	Resets    []httpwire.Reset  // of HTTP/2, in application data
	Length    int64             // bytes of plaintext: of the message or, of application data, of all in a row

	Encrypted  bool      // it could not be opened: Records is all that is known
	Began      time.Time // of Encrypted: of the packet with the last byte of its first record
	Incomplete bool      // bytes of it are missing, although it is not encrypted as far as is known
	Err        error     // what does not parse in it
	Checks     []Check   // filled by Connection.Check
}

// Body returns the body of a handshake message, decompressed if need be.
// Handshake must not be nil.
func (m *Message) Body() tlswire.Body {
	if m.Inner != nil {
		return m.Inner.Body
	}
	return m.Handshake.Body
}

// Certificates returns the certificates in a Certificate message, in DER, the
// sender's own first: none if it is empty. ok is false of other messages.
func (m *Message) Certificates() (ders [][]byte, ok bool) {
	if m.Handshake == nil {
		return nil, false
	}
	switch body := m.Body().(type) {
	case *tlswire.Certificate:
		return body.Chain(), true
	case *tlswire.CertificateTLS12:
		return body.Certificates, true
	}
	return nil, false
}

// CheckOf returns the first check of a subject; nil: there is none.
func (m *Message) CheckOf(subject string) *Check {
	for i := range m.Checks {
		if m.Checks[i].Subject == subject {
			return &m.Checks[i]
		}
	}
	return nil
}

// Span is a range of bytes in the stream of one side.
type Span struct {
	Offset int64
	Length int // header, nonce, padding and tag included
}

// Key names what a record is protected with. The zero Key is no protection.
type Key struct {
	// Secret is the RFC's name of the secret the key comes from, as in
	// "client_handshake_traffic_secret" (RFC 9846 section 7.1) or "master_secret"
	// (RFC 5246 section 8.1); empty for plaintext.
	Secret string
	// Generation counts KeyUpdates of application traffic secrets, and
	// renegotiations of TLS 1.2, from 0.
	Generation int
}

// Check is the result of the verification of something that a peer claimed.
type Check struct {
	Subject string // what was checked: "signature", "verify_data", "chain", "name", "binder"
	Result  Result
	Text    string // a sentence with the values of this connection
	// Fault is what is wrong with a chain, in parts, when that fails, or what may
	// be wrong with it; else nil.
	Fault *chain.Fault
	// Good reports that a chain that the other side refuses holds under the CAs
	// that it is known to trust.
	Good bool
}

// Result of a check.
type Result string

// The results.
const (
	Holds   Result = "holds"
	Fails   Result = "fails"   // proven: the verification said no, and what it covers was seen whole
	Unknown Result = "unknown" // it cannot be known: the text says why
)
