package keyshim

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

// helloTimeout bounds how long a client may take to say where to.
const helloTimeout = 10 * time.Second

// ProxyEnvironment returns environ with what makes programs use the proxy at addr for everything.
func ProxyEnvironment(environ []string, addr net.Addr) []string {
	env := set(environ, "HTTPS_PROXY", "http://"+addr.String())
	env = set(env, "https_proxy", "http://"+addr.String())
	env = set(env, "ALL_PROXY", "socks5h://"+addr.String())
	env = set(env, "all_proxy", "socks5h://"+addr.String())
	env = set(env, "NO_PROXY", "")
	env = set(env, "no_proxy", "")
	return set(env, "NODE_USE_ENV_PROXY", "1") // Node.js 24
}

// proxy serves one connection of the proxy.
func (r *Relay) proxy(client *net.TCPConn) {
	_ = client.SetDeadline(time.Now().Add(helloTimeout))
	in := bufio.NewReader(client)
	first, err := in.Peek(1)
	if err != nil {
		return
	}
	ask := askHTTP
	if first[0] == socksVersion {
		ask = askSOCKS
	}
	target, answer, err := ask(in, client)
	if err != nil {
		return
	}
	server, err := r.dial(target)
	if refused := answer(err); err != nil {
		return
	} else if refused != nil {
		server.Close()
		return
	}
	_ = client.SetDeadline(time.Time{})
	r.carry(client, in, server, server.LocalAddr())
}

// askHTTP reads a CONNECT request (RFC 9110, section 9.3.6). answer tells the client how the dial went.
func askHTTP(in *bufio.Reader, out io.Writer) (target string, answer func(error) error, err error) {
	request, err := http.ReadRequest(in)
	if err != nil {
		return "", nil, err
	}
	say := func(status int, why string) error {
		_, err := fmt.Fprintf(out, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", status, http.StatusText(status), len(why), why)
		return err
	}
	if request.Method != http.MethodConnect {
		return "", nil, errors.Join(errors.New("no CONNECT"), say(http.StatusNotImplemented, "this proxy only does CONNECT\n"))
	}
	return request.Host, func(dialed error) error {
		if dialed != nil {
			return say(http.StatusBadGateway, dialed.Error()+"\n")
		}
		_, err := io.WriteString(out, "HTTP/1.1 200 Connection established\r\n\r\n")
		return err
	}, nil
}

// SOCKS5 (RFC 1928).
const (
	socksVersion     = 5
	socksNoAuth      = 0
	socksConnect     = 1
	socksIPv4        = 1
	socksName        = 3
	socksIPv6        = 4
	socksRefused     = 5 // replies
	socksUnsupported = 7
)

// askSOCKS reads the greeting and the request of SOCKS5.
func askSOCKS(in *bufio.Reader, out io.Writer) (target string, answer func(error) error, err error) {
	var greeting [2]byte // version, number of methods
	if _, err := io.ReadFull(in, greeting[:]); err != nil {
		return "", nil, err
	}
	if _, err := in.Discard(int(greeting[1])); err != nil {
		return "", nil, err
	}
	if _, err := out.Write([]byte{socksVersion, socksNoAuth}); err != nil {
		return "", nil, err
	}
	reply := func(code byte) error {
		_, err := out.Write([]byte{socksVersion, code, 0, socksIPv4, 0, 0, 0, 0, 0, 0})
		return err
	}
	var request [4]byte // version, command, reserved, address type
	if _, err := io.ReadFull(in, request[:]); err != nil {
		return "", nil, err
	}
	host, err := socksHost(in, request[3])
	if err != nil {
		return "", nil, err
	}
	var port [2]byte
	if _, err := io.ReadFull(in, port[:]); err != nil {
		return "", nil, err
	}
	if request[1] != socksConnect {
		return "", nil, errors.Join(errors.New("no CONNECT"), reply(socksUnsupported))
	}
	target = net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(port[:]))))
	return target, func(dialed error) error {
		if dialed != nil {
			return reply(socksRefused)
		}
		return reply(0)
	}, nil
}

// socksHost reads an address of that type.
func socksHost(in *bufio.Reader, kind byte) (string, error) {
	length := map[byte]int{socksIPv4: 4, socksIPv6: 16}[kind]
	if kind == socksName {
		n, err := in.ReadByte()
		if err != nil {
			return "", err
		}
		length = int(n)
	}
	address := make([]byte, length)
	if _, err := io.ReadFull(in, address); err != nil {
		return "", err
	}
	if kind == socksName {
		return string(address), nil
	}
	ip, ok := netip.AddrFromSlice(address)
	if !ok {
		return "", fmt.Errorf("SOCKS5 address type %d is not known", kind)
	}
	return ip.String(), nil
}
