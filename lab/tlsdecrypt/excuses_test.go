package tlsdecrypt_test

import (
	"regexp"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// What follows are the only differences that are let pass, each with its name.
// Those that are tshark's were seen with its version 4.0.17.

// newerThanTshark are extensions whose content tshark does not list, by the
// names this package has.
var newerThanTshark = map[string]bool{"encrypted_client_hello": true, "application_settings": true}

// foreign reports whether a connection is protected with a cipher that this
// package leaves to others.
func foreign(c *tlsdecrypt.Connection) bool {
	suite := c.CipherSuite.String()
	return strings.Contains(suite, "CAMELLIA") || strings.Contains(suite, "ARIA")
}

// unknownKeyExchange matches suites whose key exchange messages tshark does not
// take apart.
var unknownKeyExchange = regexp.MustCompile(`DHE_PSK|PSK_DHE|ARIA`)

// excused names the difference between two readings of a message if it is a
// known one.
func excused(suite tlswire.CipherSuite, ours, theirs entry) string {
	keyExchange := ours.head == "handshake server_key_exchange" || ours.head == "handshake client_key_exchange"
	switch {
	case ours.head != theirs.head:
	case keyExchange && len(theirs.fields) == 1 && theirs.fields[0] == ours.fields[0] && unknownKeyExchange.MatchString(suite.String()):
		return "tshark does not take apart the key exchange of suites with (EC)DHE_PSK or ARIA"
	}
	return ""
}

// excusedFrom returns from which message of a side on the two are known to
// differ, and why.
func excusedFrom(c *tlsdecrypt.Connection, from endpoint.Side, ours, theirs []entry) (n int, why string) {
	n = readable(theirs)
	switch {
	case foreign(c):
		return readable(ours), "a cipher that this package leaves to others"
	case n == len(theirs), n == readable(ours) && n < len(ours): // nothing that only tshark cannot read
	case c.Resumption == tlsdecrypt.ByTicket:
		return n, "tshark does not find the secret of a session that crypto/tls resumed"
	case from == endpoint.Client && count(ours[:n], "handshake finished protected") == 2:
		return n, "tshark takes the client's Finished after the handshake for the end of the handshake"
	}
	return 0, ""
}

// readable counts the messages before the first that cannot be read.
func readable(said []entry) int {
	if n := slices.IndexFunc(said, func(e entry) bool { return strings.HasPrefix(e.head, "unread") }); n >= 0 {
		return n
	}
	return len(said)
}

func firstOf(said []entry, n int) []entry { return said[:min(n, len(said))] }

func count(said []entry, head string) (n int) {
	for _, e := range said {
		if e.head == head {
			n++
		}
	}
	return n
}
