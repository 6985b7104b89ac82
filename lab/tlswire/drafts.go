package tlswire

import "fmt"

// Before TLS 1.3 was RFC 8446, browsers and servers spoke its drafts. A draft
// has a version of its own, 0x7f00 and its number; Facebook's code had others.

// The drafts in which something changed that is seen on the wire.
const (
	FirstDraft       = 18 // that is read here
	draftExtensions  = 19 // CertificateRequest has extensions, HelloRetryRequest a cipher suite
	draftNonce       = 21 // NewSessionTicket has a ticket_nonce
	draftMiddleboxes = 22 // ServerHello looks like that of TLS 1.2, HelloRetryRequest like a ServerHello
)

// Draft returns the number of the draft of TLS 1.3 that a version stands for; 0
// if it is none.
func (v Version) Draft() int {
	switch {
	case v>>8 == 0x7f && v&0xff != 0 && v&0xff <= 28:
		return int(v & 0xff)
	case v == 0xfb17: // Facebook's code
		return 23
	case v == 0xfb1a:
		return 26
	}
	return 0
}

// draftName names a draft; "" if the version is none.
func (v Version) draftName() string {
	switch n := v.Draft(); {
	case n == 0:
		return ""
	case v>>8 != 0x7f:
		return fmt.Sprintf("TLS 1.3 draft %d (Facebook)", n)
	default:
		return fmt.Sprintf("TLS 1.3 draft %d", n)
	}
}

// isBefore reports whether a version is a draft before draft n.
func (v Version) isBefore(n int) bool {
	draft := v.Draft()
	return draft > 0 && draft < n
}

// HelloRetryRequest is the message of that name in drafts before 22, with a
// type of its own (draft-ietf-tls-tls13-21 section 4.1.4).
type HelloRetryRequest struct {
	Version     Version
	CipherSuite CipherSuite // 0 before draft 19, where there is none
	Extensions  []Extension
}

// Type is hello_retry_request.
func (*HelloRetryRequest) Type() HandshakeType { return TypeHelloRetryRequest }

func (m *HelloRetryRequest) wire(c *codec) {
	number(c, 2, "server_version", &m.Version, "The draft of TLS 1.3 that the server picked (draft-ietf-tls-tls13-21 section 4.1.4).")
	if !m.Version.isBefore(draftExtensions) {
		number(c, 2, "cipher_suite", &m.CipherSuite, "The one the server picked from the client's list (draft-ietf-tls-tls13-21 section 4.1.4).")
	}
	extensions(c, &m.Extensions, TypeHelloRetryRequest, "What the client is to offer instead, such as a share for another group (draft-ietf-tls-tls13-21 section 4.1.4).")
}

// KeyShare finds key_share among extensions, under the number that it had
// before draft 23, too.
func KeyShare[B ExtensionBody](extensions []Extension) (body B, ok bool) {
	if body, ok = Lookup[B](extensions, ExtensionKeyShare); ok {
		return body, ok
	}
	return Lookup[B](extensions, ExtensionKeyShareDraft)
}
