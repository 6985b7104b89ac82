package tlsdecrypt

import (
	"fmt"

	"mtlslab.example/lab/lab/tlswire"
)

// A signature or a checksum that does not verify is wrong only if the
// transcript that it covers is the one the two sides had. This file says
// whether that is proven.

// ordered counts the messages at the start of the transcript that are in an
// order in which they can have been sent: the client begins, and each side
// speaks until its flight ends.
func (hs *handshake) ordered() int {
	if len(hs.transcript) == 0 || hs.transcript[0].Handshake.Type != tlswire.TypeClientHello {
		return 0
	}
	for i, m := range hs.transcript[1:] {
		before := hs.transcript[i]
		if endsFlight(before) == (m.From == before.From) || !m.Handshake.Type.Known() {
			return i + 1
		}
	}
	return len(hs.transcript)
}

// endsFlight reports whether it is the other side's turn after a message
// (RFC 9846 section 2, RFC 5246 section 7.3).
func endsFlight(m *Message) bool {
	switch m.Handshake.Type {
	case tlswire.TypeClientHello, tlswire.TypeServerHelloDone, tlswire.TypeFinished:
		return true
	}
	return m.Handshake.IsHelloRetryRequest()
}

// doubt says why it is not proven that the message which is checked, and those
// before it, are what the two sides saw. It is empty when that is proven.
func (k *checker) doubt() string {
	hs, n := k.hs, k.messages+1
	if k.post != nil {
		n = len(hs.transcript)
	}
	switch {
	case hs.version == tlswire.VersionSSL30:
		return "the signatures and checksums of SSL 3.0 also cover the master secret (RFC 6101 sections 5.6.8 and 5.6.9), which is not computed here"
	case hs.version < tlswire.VersionTLS10 || hs.version > tlswire.VersionTLS13:
		return fmt.Sprintf("what signatures and checksums cover in %v is not known here", hs.version)
	case hs.missed != "" && n > hs.wholeUpTo:
		return hs.missed
	case k.post != nil && k.post.missed != "":
		return k.post.missed
	case hs.headless && !hs.retried():
		return "the beginning of the connection is not in the capture: there may have been another ClientHello before this one"
	case n > k.ordered:
		return "the messages before this are not in the order in which they are sent: packets are missing from the capture, or it has mixed them up"
	case hs.tls13() && offersECH(hs.hello):
		return "the server may have taken the ClientHello that is encrypted in the one above, and the transcript would begin with that (RFC 9849 section 7.2)"
	}
	return ""
}

// retried reports whether the transcript has both ClientHellos and the
// HelloRetryRequest between them.
func (hs *handshake) retried() bool {
	return len(hs.transcript) > 1 && hs.transcript[1].Handshake.IsHelloRetryRequest()
}
