package keyshim

import (
	"bufio"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// What a client of the proxy may take before it is known.
const (
	askTimeout = 10 * time.Second // to say who it is and where to
	maxAsk     = 64 << 10         // bytes of its request
	maxAsking  = 64               // clients at a time; the oldest of other users' makes way, or else the oldest
)

// proxyUser is the user that goes with the password of a proxy.
const proxyUser = "lab"

// proxy connects a program to any server, by HTTP CONNECT and SOCKS5. It serves
// clients that know its password, and on Linux every program of the user's:
// browsers take no password from the environment.
type proxy struct {
	relay    *Relay
	password string
	asking   queue
}

// Proxy starts a proxy on the loopback interface that speaks HTTP CONNECT and
// SOCKS5, and returns its URL as an HTTP proxy, with a user and a password that
// are made up for it. Where there is IPv6, it listens at the same port of ::1
// for shim/connect.c.
func (r *Relay) Proxy() (*url.URL, error) {
	l, six, err := listenTwice()
	if err != nil {
		return nil, err
	}
	p := &proxy{relay: r, password: rand.Text()}
	r.serve(l, p.take)
	if six != nil {
		r.serve(six, p.take)
	}
	return &url.URL{Scheme: "http", User: url.UserPassword(proxyUser, p.password), Host: l.Addr().String()}, nil
}

// listenTwice listens at one port of 127.0.0.1 and ::1. six is nil where that
// cannot be, as where there is no IPv6.
func listenTwice() (four, six net.Listener, err error) {
	for range 10 {
		if four, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
			return nil, nil, err
		}
		port := strconv.Itoa(four.Addr().(*net.TCPAddr).Port)
		if six, err = net.Listen("tcp6", net.JoinHostPort("::1", port)); err == nil || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
		four.Close()
	}
	if six == nil && errors.Is(err, syscall.EADDRINUSE) {
		four, err = net.Listen("tcp4", "127.0.0.1:0")
		return four, nil, err
	}
	return four, six, nil
}

// ProxyEnvironment returns environ with what makes programs use a proxy for
// everything. proxy is what Relay.Proxy has returned.
func ProxyEnvironment(environ []string, proxy *url.URL) []string {
	socks := *proxy
	socks.Scheme = "socks5h"
	env := set(environ, "HTTPS_PROXY", proxy.String())
	env = set(env, "https_proxy", proxy.String())
	env = set(env, "ALL_PROXY", socks.String())
	env = set(env, "all_proxy", socks.String())
	env = set(env, "NO_PROXY", "")
	env = set(env, "no_proxy", "")
	password, _ := proxy.User.Password()
	env = set(env, "LAB_RELAY", proxy.Port()+":"+password) // see shim/connect.c
	return set(env, "NODE_USE_ENV_PROXY", "1")             // Node.js 24
}

// take queues a connection and returns what serves it.
func (p *proxy) take(client *net.TCPConn) (serve func()) {
	own := isOwnPeer(client)
	p.asking.add(client, own)
	return func() { p.serve(client, own) }
}

// serve serves one connection, which is the user's own or is not known to be.
func (p *proxy) serve(client *net.TCPConn, own bool) {
	defer p.asking.remove(client)
	_ = client.SetDeadline(time.Now().Add(askTimeout))
	from := &limitedReader{Reader: client, left: maxAsk}
	in := bufio.NewReader(from)
	first, _ := in.Peek(1)
	socks := len(first) > 0 && first[0] == socksVersion
	target, answer, err := ask(in, client, guard{p.password, own})
	if err != nil {
		linger(client)
		return
	}
	p.asking.remove(client)
	_ = client.SetDeadline(time.Time{})
	from.left = -1
	server, err := p.relay.dial(target)
	if refused := answer(err); err != nil {
		return
	} else if refused != nil {
		server.Close()
		return
	}
	if p.relay.isOwn(server) { // and is recorded there
		passOn(client, in, server)
		return
	}
	p.relay.carry(client, in, server, server.LocalAddr(), calledHost(target, socks))
}

// calledHost returns the host of a target that a client has called, or "". A
// client of SOCKS may have looked up its address by itself; the shim has.
func calledHost(target string, socks bool) string {
	host, _, _ := net.SplitHostPort(target)
	if _, err := netip.ParseAddr(host); err == nil && socks {
		return ""
	}
	return host
}

// guard decides who is served.
type guard struct {
	password string // of the proxy
	own      bool   // the client is a program of the user's
}

func (g guard) admits(user, password string) bool {
	return user == proxyUser && subtle.ConstantTimeCompare([]byte(password), []byte(g.password)) == 1 || g.own
}

// ask reads a client's identity, which g checks, and its target. If it refuses
// the client, it answers why. answer reports how the dial went.
func ask(in *bufio.Reader, out io.Writer, g guard) (target string, answer func(error) error, err error) {
	first, err := in.Peek(1)
	if err != nil {
		return "", nil, err
	}
	if first[0] == socksVersion {
		return askSOCKS(in, out, g)
	}
	return askHTTP(in, out, g)
}

// linger ends a connection so that the client reads the answer even if it
// has sent more than was read.
func linger(client *net.TCPConn) {
	_ = client.CloseWrite()
	_ = client.SetReadDeadline(time.Now().Add(restTimeout / 2))
	_, _ = io.CopyN(io.Discard, client, maxAsk)
}

// limitedReader fails with errTooLong after as many bytes as are left; less
// than 0 is no limit.
type limitedReader struct {
	io.Reader
	left int
}

func (r *limitedReader) Read(p []byte) (int, error) {
	if r.left < 0 {
		return r.Reader.Read(p)
	}
	if r.left == 0 {
		return 0, errTooLong
	}
	n, err := r.Reader.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// queue holds clients, the oldest first, maxAsking at most.
type queue struct {
	mu      sync.Mutex
	clients []asking
}

// asking is a client whose request was not read yet.
type asking struct {
	conn *net.TCPConn
	own  bool // a program of the user's
}

// add ends the oldest connection that is not the user's own if there are too
// many, or the oldest if all are. Other users cannot keep the user's programs
// from being served so.
func (q *queue) add(c *net.TCPConn, own bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.clients = append(q.clients, asking{c, own}); len(q.clients) > maxAsking {
		i := max(0, slices.IndexFunc(q.clients, func(a asking) bool { return !a.own }))
		reset(q.clients[i].conn) // so that nothing is left of it, as there may be thousands
		q.clients = slices.Delete(q.clients, i, i+1)
	}
}

func (q *queue) remove(c *net.TCPConn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.clients = slices.DeleteFunc(q.clients, func(a asking) bool { return a.conn == c })
}

// basicAuth returns what Proxy-Authorization says (RFC 7617), or nothing.
func basicAuth(request *http.Request) (user, password string) {
	request.Header.Set("Authorization", request.Header.Get("Proxy-Authorization"))
	user, password, _ = request.BasicAuth()
	return user, password
}
