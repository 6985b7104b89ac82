package keyshim

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/wiretap"
)

// strict admits clients that know the password, open admits all.
var (
	strict = guard{password: "secret"}
	open   = guard{password: "secret", own: true}
)

// askText has the proxy read a request, and returns what it answers to one that
// it takes.
func askText(request string, g guard) (target, answered string, err error) {
	var replies bytes.Buffer
	target, answer, err := ask(bufio.NewReader(strings.NewReader(request)), &replies, g)
	if err == nil {
		err = answer(nil)
	}
	return target, replies.String(), err
}

const (
	socksAnonymous = "\x05\x01\x00"
	socksProven    = "\x05\x01\x80"
	socksKnown     = "\x05\x02\x00\x02" + "\x01\x03lab\x06secret"
)

func TestAskSOCKS(t *testing.T) {
	for request, want := range map[string]string{
		"\x05\x01\x00\x01\x7f\x00\x00\x01\x20\xfb":                       "127.0.0.1:8443",
		"\x05\x01\x00\x03\x09localhost\x20\xfb":                          "localhost:8443",
		"\x05\x01\x00\x04" + strings.Repeat("\x00", 15) + "\x01\x01\xbb": "[::1]:443",
	} {
		for greeting, replies := range map[string]string{socksAnonymous: "\x05\x00\x05\x00", socksKnown: "\x05\x02\x01\x00\x05\x00", socksProven: "\x05\x80secret\x05\x00"} {
			g := map[string]guard{socksAnonymous: open, socksProven: open, socksKnown: strict}[greeting]
			target, answered, err := askText(greeting+request, g)
			if err != nil || target != want || !strings.HasPrefix(answered, replies) {
				t.Errorf("%q: %q, %q, %v", greeting+request, target, answered, err)
			}
			for n := range greeting + request {
				if target, _, err := askText((greeting + request)[:n], g); err == nil {
					t.Errorf("the first %d bytes of %q: %q", n, greeting+request, target)
				}
			}
		}
	}
	for request, replies := range map[string]string{
		"\x05\x02\x00\x01\x7f\x00\x00\x01\x20\xfb": "\x05\x07", // BIND
		"\x05\x01\x00\x09\x7f\x00\x00\x01\x20\xfb": "\x05\x08",
	} {
		if target, answered, err := askText(socksAnonymous+request, open); err == nil || !strings.HasPrefix(answered, "\x05\x00"+replies) {
			t.Errorf("%q: %q, %q", request, target, answered)
		}
	}
}

// basic is the header line with the client's password.
func basic(credentials string) string {
	request := &http.Request{Header: http.Header{}}
	user, password, _ := strings.Cut(credentials, ":")
	request.SetBasicAuth(user, password)
	return "Proxy-Authorization: " + request.Header.Get("Authorization") + "\r\n"
}

// TestAskRefusesStrangers: a client that does not know the password gets an
// answer that says so, and no connection.
func TestAskRefusesStrangers(t *testing.T) {
	const connect = "CONNECT localhost:8443 HTTP/1.1\r\nHost: localhost:8443\r\n"
	const socks = "\x05\x01\x00\x03\x09localhost\x20\xfb"
	for request, want := range map[string]string{
		connect + basic("lab:secret") + "\r\n":                    "",
		socksKnown + socks:                                        "",
		connect + "\r\n":                                          "HTTP/1.1 407 ",
		connect + basic("lab:wrong") + "\r\n":                     "HTTP/1.1 407 ",
		connect + basic("root:secret") + "\r\n":                   "HTTP/1.1 407 ",
		connect + "Proxy-Authorization: Basic !\r\n\r\n":          "HTTP/1.1 407 ",
		connect + "Authorization: Basic bGFiOnNlY3JldA==\r\n\r\n": "HTTP/1.1 407 ", // the server's, not the proxy's
		"GET http://localhost/ HTTP/1.1\r\nHost: a\r\n\r\n":       "HTTP/1.1 407 ",
		socksAnonymous + socks:                                    "\x05\xff",
		"\x05\x00" + socks:                                        "\x05\xff",
		"\x05\x01\x01" + socks:                                    "\x05\xff", // GSS-API
		"\x05\x01\x02\x01\x03lab\x05wrong" + socks:                "\x05\x02\x01\x01",
		"\x05\x02\x00\x02\x01\x00\x00" + socks:                    "\x05\x02\x01\x01",
	} {
		target, answered, err := askText(request, strict)
		if want == "" {
			if target != "localhost:8443" || err != nil {
				t.Errorf("%q: %q, %v", request, target, err)
			}
		} else if err == nil || target != "" || !strings.HasPrefix(answered, want) {
			t.Errorf("%q: %q, %q, not %q, %v", request, target, answered, want, err)
		}
		if strings.Contains(answered, "407") && !strings.Contains(answered, "\r\nProxy-Authenticate: Basic realm=") {
			t.Errorf("no challenge in %q", answered)
		}
	}
}

// TestAskRefusesFalseTargets: a target that cannot be a host's name is not
// dialled, and so is in no error on a terminal.
func TestAskRefusesFalseTargets(t *testing.T) {
	for _, host := range []string{
		"", "\x1b]0;pwned\x07\x1b[2J", "a\nlab: all keys verified OK", "a b", "a\x00b", "a\x7f", "ü.example", "a\u202eb", "user@host",
		"a/b", "a:1", "[::1]", "fe80::1%eth0", strings.Repeat("a", 255),
	} {
		request := socksAnonymous + "\x05\x01\x00\x03" + string([]byte{byte(len(host))}) + host + "\x01\xbb"
		if target, answered, err := askText(request, open); err == nil || !strings.HasPrefix(answered, "\x05\x00\x05\x01") {
			t.Errorf("SOCKS5 %q: %q, %q", host, target, answered)
		}
		if host == "[::1]" {
			continue // which is right in HTTP
		}
		if target, answered, err := askText("CONNECT "+host+":443 HTTP/1.1\r\n\r\n", open); err == nil || !strings.HasPrefix(answered, "HTTP/1.1 400 ") {
			t.Errorf("CONNECT %q: %q, %q", host, target, answered)
		}
	}
	for _, port := range []string{"0", "65536", "-1", "https", "+443", ""} {
		if target, _, err := askText("CONNECT localhost:"+port+" HTTP/1.1\r\n\r\n", open); err == nil {
			t.Errorf("port %q: %q", port, target)
		}
	}
	for _, host := range []string{"localhost", "A-1_b.example.", "127.0.0.1", "xn--bcher-kva.example"} {
		if target, _, err := askText("CONNECT "+host+":443 HTTP/1.1\r\n\r\n", open); err != nil || target != host+":443" {
			t.Errorf("%q: %q, %v", host, target, err)
		}
	}
	if target, _, err := askText("CONNECT [::1]:443 HTTP/1.1\r\n\r\n", open); err != nil || target != "[::1]:443" {
		t.Errorf("%q, %v", target, err)
	}
}

// newProxy returns the proxy of a new relay.
func newProxy(t *testing.T) (*Relay, *url.URL, *events) {
	t.Helper()
	relay, _, sink := newRelay(t)
	proxy, err := relay.Proxy()
	if err != nil {
		t.Fatal(err)
	}
	return relay, proxy, sink
}

func dialProxy(t *testing.T, proxy *url.URL) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", proxy.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(peertest.Patience))
	return c
}

// TestProxyToForward: a connection to a forward of the same relay is recorded
// once, there.
func TestProxyToForward(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", ":0"} {
		relay, proxy, sink := newProxy(t)
		inner, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		peertest.Serve(t, inner, func(c net.Conn) { fmt.Fprintln(c, "inner service"); c.Close() })
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		relay.Forward(l, inner.Addr().String())
		c := dialProxy(t, proxy)
		password, _ := proxy.User.Password()
		fmt.Fprintf(c, "CONNECT 127.0.0.1:%d HTTP/1.1\r\n%s\r\n", l.Addr().(*net.TCPAddr).Port, basic("lab:"+password))
		if got, err := io.ReadAll(c); !strings.HasSuffix(string(got), "inner service\n") {
			t.Errorf("%s: %q, %v", address, got, err)
		}
		c.Close()
		recorded, err := relay.Close()
		if err != nil || recorded.Connections != 1 || len(sink.of(wiretap.Close)) != 1 {
			t.Errorf("%s: %+v, %v", address, recorded, err)
		}
	}
}

// TestProxyBoundsRequests: a request without an end is cut off, and its client
// gets an answer.
func TestProxyBoundsRequests(t *testing.T) {
	relay, proxy, _ := newProxy(t)
	c := dialProxy(t, proxy)
	go func() {
		_, err := io.WriteString(c, "CONNECT localhost:1 HTTP/1.1\r\n")
		for n := 0; err == nil && n < 100*maxAsk; n += 4 << 10 {
			_, err = fmt.Fprintf(c, "X-%d: %s\r\n", n, strings.Repeat("v", 4<<10))
		}
	}()
	answer, _ := io.ReadAll(c) // ends with a reset
	if runtime.GOOS != "windows" && !bytes.HasPrefix(answer, []byte("HTTP/1.1 431 ")) {
		t.Errorf("answered %.100q", answer)
	}
	if recorded, err := relay.Close(); err != nil || recorded.Connections != 0 || recorded.Unreached != nil {
		t.Errorf("%+v, %v", recorded, err)
	}
}

// TestProxyBoundsWaiting: a silent client holds up no other.
func TestProxyBoundsWaiting(t *testing.T) {
	relay, proxy, _ := newProxy(t)
	oldest := dialProxy(t, proxy)
	for range maxAsking {
		dialProxy(t, proxy)
	}
	if n, err := oldest.Read(make([]byte, 1)); n > 0 || err == nil || os.IsTimeout(err) {
		t.Errorf("the oldest reads %d, %v", n, err)
	}
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	last := dialProxy(t, proxy)
	fmt.Fprintf(last, "CONNECT %s HTTP/1.1\r\n%s\r\n", nobody.Addr(), basic(proxy.User.String()))
	if answer, err := bufio.NewReader(last).ReadString('\n'); err != nil || !strings.Contains(answer, " 200 ") {
		t.Errorf("the last is answered %q, %v", answer, err)
	}
	last.Close()
	if _, err := relay.Close(); err != nil {
		t.Error(err)
	}
}

// TestProxyEnvironment: the password is where programs look for it, and each
// run has its own.
func TestProxyEnvironment(t *testing.T) {
	_, proxy, _ := newProxy(t)
	_, other, _ := newProxy(t)
	password, _ := proxy.User.Password()
	if again, _ := other.User.Password(); len(password) < 20 || password == again {
		t.Errorf("%q, then %q", password, again)
	}
	env := ProxyEnvironment([]string{"NO_PROXY=localhost"}, proxy)
	for name, want := range map[string]string{
		"HTTPS_PROXY": "http://lab:" + password + "@" + proxy.Host, "https_proxy": "http://lab:" + password + "@" + proxy.Host,
		"ALL_PROXY": "socks5h://lab:" + password + "@" + proxy.Host, "NO_PROXY": "",
	} {
		if got := get(env, name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
}

func FuzzAsk(f *testing.F) {
	f.Add([]byte(socksAnonymous + "\x05\x01\x00\x03\x09localhost\x20\xfb"))
	f.Add([]byte(socksKnown + "\x05\x01\x00\x03\x09localhost\x20\xfb"))
	f.Add([]byte("\x05\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x20\xfb"))
	f.Add([]byte("CONNECT localhost:8443 HTTP/1.1\r\nHost: localhost:8443\r\n\r\n"))
	f.Add([]byte("CONNECT localhost:8443 HTTP/1.1\r\n" + basic("lab:secret") + "\r\n"))
	f.Add([]byte("GET http://localhost/ HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, request []byte) {
		target, answer, err := ask(bufio.NewReader(bytes.NewReader(request)), io.Discard, strict)
		if err != nil {
			return
		}
		known := bytes.Contains(request, []byte("secret")) || bytes.Contains(request, []byte("bGFiOnNlY3JldA"))
		if _, _, bad := net.SplitHostPort(target); bad != nil || !known || strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%q: %q", request, target)
		}
		if err := answer(nil); err != nil {
			t.Error(err)
		}
	})
}
