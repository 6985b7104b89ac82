package prologue

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
)

// The PROXY protocol, versions 1 and 2: with it a load balancer tells a server
// whose connection this is (haproxy.org, proxy-protocol.txt sections 2.1 and
// 2.2).

const maxHeaderV1 = 107 // bytes of a line of version 1

var (
	startOfV1 = []byte("PROXY ")
	startOfV2 = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

// HeaderFix says what to change where a server does not take the header.
const HeaderFix = "tell the server to expect it (nginx: listen ... proxy_protocol, HAProxy: accept-proxy), or the load balancer not to send it"

// IsHeader reports whether the first bytes of a client, of which there may be
// few, begin the header of the PROXY protocol.
func IsHeader(b []byte) bool {
	return len(b) >= 5 && (hasStart(b, startOfV1) != no || hasStart(b, startOfV2) != no)
}

func startsHeader(from endpoint.Side, b []byte) (dialect, match) {
	if from != endpoint.Client {
		return nil, no
	}
	if got := hasStart(b, startOfV1); got != no {
		return headerV1{}, got
	}
	return headerV2{}, hasStart(b, startOfV2)
}

type headerV1 struct{}

func (headerV1) next(l *layer, from endpoint.Side, b []byte) int {
	if from == endpoint.Server {
		return -1
	}
	n := lineLen(b)
	if n == 0 && len(b) <= maxHeaderV1 {
		return 0
	}
	l.Protocol, l.Kind = "PROXY v1", Header
	if n == 0 || n > maxHeaderV1 {
		return -1
	}
	line := string(b[:n])
	l.Source, l.Destination = headerAddresses(strings.Fields(line))
	l.say(from, headerLine(line))
	l.over = true
	return n
}

type headerV2 struct{}

// next reads a header of version 2:
//
//	+-----------+-------------------+-------------------+--------+-----------+
//	| signature | version | command | family | protocol | length | addresses |
//	|    12     |    4 bits each    |    4 bits each    |   2    |  length   |
//	+-----------+-------------------+-------------------+--------+-----------+
func (headerV2) next(l *layer, from endpoint.Side, b []byte) int {
	const fixed = 16
	if from == endpoint.Server {
		return -1
	}
	if len(b) < fixed {
		return 0
	}
	l.Protocol, l.Kind = "PROXY v2", Header
	length := int(binary.BigEndian.Uint16(b[14:]))
	ip := 0
	switch b[13] >> 4 {
	case 1:
		ip = net.IPv4len
	case 2:
		ip = net.IPv6len
	}
	if addresses := 2*ip + 4; b[12]&0xf == 1 && ip > 0 && length >= addresses {
		if len(b) < fixed+addresses {
			return 0
		}
		a := b[fixed:]
		port := func(at int) string { return strconv.Itoa(int(binary.BigEndian.Uint16(a[at:]))) }
		l.Source = address(net.IP(a[:ip]).String(), port(2*ip))
		l.Destination = address(net.IP(a[ip:2*ip]).String(), port(2*ip+2))
	}
	switch {
	case l.Source != "":
		l.say(from, "PROXY v2: from "+l.Source+" to "+l.Destination)
	case b[12]&0xf == 0:
		l.say(from, "PROXY v2: LOCAL, a connection of the load balancer's own")
	default:
		l.say(from, "PROXY v2, without addresses")
	}
	l.over = true
	return fixed + length
}

// headerAddresses returns the addresses of a line of version 1, by its words;
// "": it has none.
func headerAddresses(words []string) (source, destination string) {
	if len(words) != 6 || words[1] != "TCP4" && words[1] != "TCP6" {
		return "", ""
	}
	return address(words[2], words[4]), address(words[3], words[5])
}

// address joins an address and a port; "": they are none.
func address(ip, port string) string {
	addr, err := netip.ParseAddrPort(net.JoinHostPort(ip, port))
	if err != nil || addr.Addr().Zone() != "" { // a zone may be any text
		return ""
	}
	return addr.String()
}

// hasStart compares the first bytes of a side with those of a protocol.
func hasStart(b, start []byte) match {
	n := min(len(b), len(start))
	switch {
	case !bytes.Equal(b[:n], start[:n]):
		return no
	case n < len(start):
		return maybe
	}
	return yes
}
