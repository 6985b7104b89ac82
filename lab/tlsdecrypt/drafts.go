package tlsdecrypt

import (
	"fmt"

	"mtlslab.example/lab/lab/tlswire"
)

// What the drafts of TLS 1.3 did otherwise than RFC 9846. The key schedule of
// draft 20 is the RFC's.

// labelPrefix is what begins the labels of HKDF-Expand-Label
// (RFC 9846 section 7.1, draft-ietf-tls-tls13-19 section 7.1).
func labelPrefix(v tlswire.Version) string {
	if n := v.Draft(); n > 0 && n < 20 {
		return "TLS 1.3, "
	}
	return "tls13 "
}

// updateLabel is the label of the next application_traffic_secret
// (RFC 9846 section 7.2, draft-ietf-tls-tls13-19 section 7.2).
func updateLabel(v tlswire.Version) string {
	if n := v.Draft(); n > 0 && n < 20 {
		return "application traffic secret"
	}
	return "traffic upd"
}

// coversHeader reports whether the AEAD of a record covers its header
// (RFC 9846 section 5.2), as it does since draft 25.
func coversHeader(v tlswire.Version) bool {
	n := v.Draft()
	return n == 0 || n >= 25
}

// tooEarly is why nothing is decrypted of a draft; "" if that can be.
func tooEarly(v tlswire.Version) string {
	if n := v.Draft(); n == 0 || n >= tlswire.FirstDraft {
		return ""
	}
	return fmt.Sprintf("%v cannot be decrypted here: its keys and records are not those of draft %d, which is the first that can", v, tlswire.FirstDraft)
}
