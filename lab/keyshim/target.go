package keyshim

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
)

var errBadTarget = errors.New("the proxy was asked for an address that no server can have")

// targetOf returns the address of a server that a client has named. Names have
// the bytes that a host's can have (RFC 1123 section 2.1, and the underscore),
// since what others have written ends up in errors: nothing else can be in
// them.
func targetOf(host, port string) (string, error) {
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return "", errBadTarget
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
		return net.JoinHostPort(ip.String(), port), nil
	}
	const longest = 254 // with the dot at its end
	if host == "" || len(host) > longest {
		return "", errBadTarget
	}
	for i := range len(host) {
		switch c := host[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
		default:
			return "", errBadTarget
		}
	}
	return net.JoinHostPort(host, port), nil
}
