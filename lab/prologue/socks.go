package prologue

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"

	"mtlslab.example/lab/lab/endpoint"
)

const (
	socksVersion4 = 4
	socksVersion5 = 5 // RFC 1928 section 3
)

func startsSOCKS(from endpoint.Side, b []byte) (dialect, match) {
	const connect, bind = 1, 2
	switch {
	case from != endpoint.Client:
	case len(b) == 1 && (b[0] == socksVersion4 || b[0] == socksVersion5):
		return nil, maybe
	case b[0] == socksVersion4 && (b[1] == connect || b[1] == bind):
		if len(b) < 9 || b[len(b)-1] != 0 { // a name may follow
			return nil, maybe
		}
		return &socks4{}, yes
	case b[0] == socksVersion5 && b[1] > 0 && b[1] < 10 && len(b) <= 2+int(b[1]):
		return &socks5{}, yes
	}
	return nil, no
}

// socks4 is SOCKS 4 and 4a (openssh.com/txt/socks4.protocol and
// openssh.com/txt/socks4a.protocol, which no RFC has).
type socks4 struct{}

func (*socks4) next(l *layer, from endpoint.Side, b []byte) int {
	const fixed, granted = 8, 90
	l.Kind = Proxy
	if l.Protocol == "" {
		l.Protocol = "SOCKS 4"
	}
	if from == endpoint.Server {
		if len(b) < 2 {
			return 0
		}
		if b[0] != 0 {
			return -1
		}
		if b[1] == granted {
			l.agree("SOCKS 4: granted")
			l.over = true
			return fixed
		}
		l.refuse(fmt.Sprintf("SOCKS 4: %s (%d)", orNumber(socks4Errors[b[1]]), b[1]))
		return fixed
	}
	if len(b) < fixed {
		return 0
	}
	user := bytes.IndexByte(b[fixed:], 0)
	if user < 0 {
		return 0
	}
	size, host := fixed+user+1, net.IP(b[4:8]).String()
	if b[4] == 0 && b[5] == 0 && b[6] == 0 && b[7] != 0 { // 4a: the name follows
		name := bytes.IndexByte(b[size:], 0)
		if name < 0 {
			return 0
		}
		l.Protocol, host = "SOCKS 4a", string(b[size:size+name])
		size += name + 1
	}
	l.to("CONNECT", host, b[2:4])
	return size
}

var socks4Errors = map[byte]string{91: "rejected or failed", 92: "no identd at the client", 93: "identd reports another user"}

// socks5 is SOCKS 5 (RFC 1928), with a user name and password (RFC 1929).
type socks5 struct {
	greeted, chosen, requested bool
	method                     byte // that the server has chosen
}

func (s *socks5) next(l *layer, from endpoint.Side, b []byte) int {
	l.Protocol, l.Kind = "SOCKS 5", Proxy
	if len(b) < 2 {
		return 0
	}
	if from == endpoint.Server {
		return s.reply(l, b)
	}
	switch {
	case !s.greeted:
		s.greeted = true
		return 2 + int(b[1])
	case b[0] == socksVersion5:
		return s.request(l, b)
	case b[0] == 1 && s.method != 1: // RFC 1929 section 2
		user := 2 + int(b[1])
		if len(b) <= user {
			return 0
		}
		l.say(from, "SOCKS 5: user name and password [...]")
		return user + 1 + int(b[user])
	}
	return -1
}

// The types of addresses (RFC 1928 section 5).
const (
	socksIPv4 = 1
	socksName = 3
	socksIPv6 = 4
)

// socksSize returns the size of a request or reply, with where its address
// begins; 0: more bytes are needed; -1: it is none.
func socksSize(b []byte) (size, address int) {
	const fixed = 4
	if len(b) < fixed+1 {
		return 0, 0
	}
	switch b[3] {
	case socksIPv4:
		return fixed + net.IPv4len + 2, fixed
	case socksIPv6:
		return fixed + net.IPv6len + 2, fixed
	case socksName:
		return fixed + 1 + int(b[4]) + 2, fixed + 1
	}
	return -1, 0
}

func (s *socks5) request(l *layer, b []byte) int {
	size, address := socksSize(b)
	if size <= 0 {
		return size
	}
	if len(b) < size {
		return 0
	}
	host := string(b[address : size-2])
	if b[3] != socksName {
		host = net.IP(b[address : size-2]).String()
	}
	command := "CONNECT"
	if b[1] != 1 {
		command = "command " + strconv.Itoa(int(b[1]))
	}
	s.requested = true
	l.to(command, host, b[size-2:])
	return size
}

func (s *socks5) reply(l *layer, b []byte) int {
	const noneAcceptable = 0xff
	switch {
	case b[0] == 1 && s.chosen:
		if b[1] != 0 {
			l.refuseFor(NotLoggedIn, "SOCKS 5: the user name or password is wrong")
		}
		return 2
	case b[0] != socksVersion5:
		return -1
	case !s.chosen:
		s.chosen, s.method = true, b[1]
		if b[1] == noneAcceptable {
			l.refuseFor(NotLoggedIn, "SOCKS 5: no way of authentication that the client offers is accepted")
		}
		return 2
	case b[1] != 0:
		why := NotSaid
		switch b[1] {
		case 1, 3, 4, 5, 6:
			why = NotReachable
		}
		l.refuseFor(why, fmt.Sprintf("SOCKS 5: %s (%d)", orNumber(socks5Errors[b[1]]), b[1]))
		return max(len(b), 2)
	}
	size, _ := socksSize(b)
	if size > 0 {
		l.agree("SOCKS 5: succeeded")
		l.over = true
	}
	return size
}

// socks5Errors are those of RFC 1928 section 6.
var socks5Errors = map[byte]string{1: "general failure", 2: "not allowed by the proxy's rules", 3: "network unreachable", 4: "host unreachable",
	5: "connection refused", 6: "TTL expired", 7: "command not supported", 8: "address type not supported"}

func orNumber(s string) string {
	if s == "" {
		return "an error without a name"
	}
	return s
}

// to keeps where a proxy is to connect to.
func (l *layer) to(command, host string, port []byte) {
	l.Target = clean(net.JoinHostPort(authority(host), strconv.Itoa(int(binary.BigEndian.Uint16(port)))))
	l.ask(command, l.Protocol+": "+command+" "+l.Target)
}
