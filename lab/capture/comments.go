package capture

import (
	"strconv"
	"strings"
)

const exchangePrefix = "exchange "

// exchangeComment is the comment on the first packet of the exchange of that
// number; "": it has none.
func exchangeComment(number int) string {
	if number == 0 {
		return ""
	}
	return exchangePrefix + strconv.Itoa(number)
}

// ParseExchange returns the number of the exchange, from 1, that a comment of a
// capture names as a Writer does: "exchange 3". ok is false for any other
// comment.
func ParseExchange(comment string) (number int, ok bool) {
	number, err := strconv.Atoi(strings.TrimPrefix(comment, exchangePrefix))
	return number, err == nil && number > 0 && comment == exchangeComment(number)
}

// ProbePrefix begins the comment of a connection of lab probe: a case follows.
const ProbePrefix = "lab probe: "

// WiresharkPort is a TCP port that Wireshark takes for TLS by itself, as it
// does 443.
const WiresharkPort = 8443
