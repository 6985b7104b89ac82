package vantage_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/vantage"
)

// codes are the codes of what was found in all pairs, without repetition.
func codes(r *vantage.Report) (all []string) {
	for _, f := range r.Findings {
		code := string(f.Code)
		if f.How == vantage.Unknown {
			code += "?"
		}
		all = append(all, code)
	}
	return all
}

// text is all that was found, a line each.
func text(r *vantage.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		b.WriteString(string(f.Code) + " " + string(f.How) + ": " + f.Text + "\n")
	}
	return b.String()
}

// expect compares what was found with the codes that are wanted, and looks for
// words in it.
func expect(t *testing.T, r *vantage.Report, want string, words ...string) {
	t.Helper()
	if got := strings.Join(codes(r), " "); got != want {
		t.Errorf("found %q, and should have found %q:\n%s", got, want, text(r))
	}
	for _, word := range words {
		if !strings.Contains(text(r), word) {
			t.Errorf("does not say %q:\n%s", word, text(r))
		}
	}
}

func versions(t *testing.T, test func(*testing.T, *world)) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			w := newWorld(t)
			w.serverConfig.MaxVersion = version
			test(t, w)
		})
	}
}

// TestNothingBetween: where both ends saw the same, nothing is found.
func TestNothingBetween(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		w.serve(false)
		check(t, w.call("/a"))
		check(t, w.call("/b"))
		r := w.join()
		expect(t, r, "")
		if len(r.Pairs) != 2 || r.Pairs[0].Relation != vantage.Same || r.Pairs[1].Relation != vantage.Same {
			t.Errorf("%d pairs, want 2 of the same TLS", len(r.Pairs))
		}
		if !r.Clock.Known || r.Clock.Ahead.Abs() > r.Clock.Error+time.Millisecond {
			t.Errorf("the clocks differ: %+v", r.Clock)
		}
	})
}

// TestSwapped: which file is the client's, the messages show, whatever the order
// of the arguments.
func TestSwapped(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	check(t, w.call("/"))
	w.end()
	r := vantage.Join(view("server.pcapng", &w.server, &w.keys), view("client.pcapng", &w.client, &w.keys))
	expect(t, r, "files_swapped", "client.pcapng was recorded nearer to the client")
	if r.Views.Client.Name != "client.pcapng" {
		t.Errorf("%s is taken for the client's", r.Views.Client.Name)
	}
}

// TestTCPProxy: what passes TLS through changes addresses alone.
func TestTCPProxy(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		w.serve(false)
		w.stand(func(c net.Conn) { relay(c, w.target, nil) })
		check(t, w.call("/"))
		expect(t, w.join(), "addresses_translated", "(NAT)", "passes TLS through", w.target)
	})
}

// reverseProxy ends TLS and calls the server, with TLS or without.
func reverseProxy(w *world, own tls.Certificate, toServer *tls.Config) func(net.Conn) {
	scheme := "https"
	if toServer == nil {
		scheme = "http"
	}
	proxy := httputil.NewSingleHostReverseProxy(must(url.Parse(scheme + "://" + w.target)))
	transport := &http.Transport{TLSClientConfig: toServer, DisableKeepAlives: true}
	proxy.Transport = transport
	return func(c net.Conn) { serveOne(c, own, proxy) }
}

// serveOne answers the requests of one client, with TLS.
func serveOne(c net.Conn, own tls.Certificate, handler http.Handler) {
	one := &oneListener{c: make(chan net.Conn, 1)}
	one.c <- tls.Server(c, &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequestClientCert})
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0), ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			close(one.c)
		}
	}}
	_ = server.Serve(one)
}

// oneListener accepts one connection, and ends with it.
type oneListener struct{ c chan net.Conn }

func (l *oneListener) Accept() (net.Conn, error) {
	if c, ok := <-l.c; ok {
		return c, nil
	}
	return nil, io.EOF
}
func (l *oneListener) Close() error   { return nil }
func (l *oneListener) Addr() net.Addr { return &net.TCPAddr{} }

// TestTLSEnded: a reverse proxy shows a certificate of its own to both sides.
func TestTLSEnded(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		w.serve(false)
		own := clientCA().issue("the-proxy")
		w.stand(reverseProxy(w, middleCA().issue("proxy.example"), &tls.Config{RootCAs: pool(serverCA()), ServerName: "localhost", Certificates: []tls.Certificate{own}, KeyLogWriter: &w.keys}))
		check(t, w.call("/first"))
		check(t, w.call("/second"))
		r := w.join()
		expect(t, r, "tls_ended certificate_replaced client_certificate",
			"the same HTTP requests", "CN=proxy.example, issued by CN=corporate-proxy", "the server knows what is in between, and not the client: it was shown CN=the-proxy; the client showed CN=client")
		for i, p := range r.Pairs {
			if p.Relation != vantage.Apart || !p.Sure || p.Ends.Client.Number != i || p.Ends.Server.Number != i {
				t.Errorf("pair %d is %+v", i, p)
			}
		}
	})
}

// TestForged: a proxy that forges certificates copies the names and signs by
// itself.
func TestForged(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		w.serve(false)
		w.stand(reverseProxy(w, middleCA().issue("server"), &tls.Config{RootCAs: pool(serverCA()), ServerName: "localhost", Certificates: []tls.Certificate{clientCA().issue("client")}, KeyLogWriter: &w.keys}))
		check(t, w.call("/"))
		expect(t, w.join(), "tls_ended certificate_replaced client_certificate",
			"not shown the server's certificate but another one for the same names: CN=server, issued by CN=corporate-proxy, where the server sent one issued by CN=server-ca", "A proxy that forges certificates does that")
	})
}

// TestTLSEndedWithoutKeys: what TLS 1.3 hides is not known, and it is said why.
func TestTLSEndedWithoutKeys(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	w.stand(reverseProxy(w, middleCA().issue("server"), &tls.Config{RootCAs: pool(serverCA()), ServerName: "localhost", Certificates: []tls.Certificate{clientCA().issue("client")}}))
	w.clientConfig.KeyLogWriter, w.serverConfig.KeyLogWriter = nil, nil
	check(t, w.call("/"))
	expect(t, w.join(), "tls_ended cannot_be_seen?", "TLS 1.3 encrypts certificates and there are no keys for stream 0 of client.pcapng", "the same server name, opened")
}

// TestPlainBehind: TLS is ended, and the server is called without.
func TestPlainBehind(t *testing.T) {
	w := newWorld(t)
	w.serve(true)
	w.stand(reverseProxy(w, serverCA().issue("server"), nil))
	check(t, w.call("/secret"))
	expect(t, w.join(), "plain_behind", "ends TLS and calls the server without TLS", "the same HTTP requests")
}

// TestAlertDropped: the server refuses, and its alert never gets to the client.
func TestAlertDropped(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		w.serve(false)
		w.clientConfig.Certificates = nil
		alert := false
		w.stand(func(c net.Conn) {
			relay(c, w.target, func(fromServer bool, b []byte) []byte {
				if fromServer && !alert && isAlert(w, b) {
					alert = true
					return nil
				}
				return b
			})
		})
		if err := w.call("/"); err == nil {
			t.Fatal("accepted without a certificate")
		}
		expect(t, w.join(), "addresses_translated not_arrived", "did not arrive: server.pcapng has sent it, and client.pcapng has nothing of it")
	})
}

// isAlert reports whether bytes of the server's are one record of the size of
// an alert.
func isAlert(w *world, b []byte) bool {
	if len(b) == 7 && b[0] == byte(tlswire.ContentTypeAlert) {
		return true
	}
	return len(b) == 24 && b[0] == byte(tlswire.ContentTypeApplicationData)
}

// TestAlertInjected: something between answers in the name of the server.
func TestAlertInjected(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	w.stand(func(c net.Conn) {
		server := must(net.Dial("tcp", w.target))
		defer server.Close()
		hello := make([]byte, 64<<10)
		n := must(c.Read(hello))
		_ = must(server.Write(hello[:n]))
		_ = must(server.Read(hello))
		_ = must(c.Write([]byte{21, 3, 3, 0, 2, 2, 40}))
		_, _ = io.Copy(io.Discard, c)
	})
	if err := w.call("/"); err == nil {
		t.Fatal("accepted")
	}
	r := w.join()
	if !slices.Contains(codes(r), "injected") || !strings.Contains(text(r), "the alert handshake_failure reached the client, and the server never sent it") {
		t.Errorf("found:\n%s", text(r))
	}
}

// TestHelloChanged: a filter takes a cipher suite out of the ClientHello.
func TestHelloChanged(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	done := false
	w.stand(func(c net.Conn) {
		relay(c, w.target, func(fromServer bool, b []byte) []byte {
			if !fromServer && !done {
				done = true
				b = bytes.Replace(b, []byte{0x13, 0x01}, []byte{0x13, 0x09}, 1)
			}
			return b
		})
	})
	if err := w.call("/"); err == nil {
		t.Fatal("accepted with a changed ClientHello")
	}
	expect(t, w.join(), "addresses_translated hello_changed", "without the cipher suite TLS_AES_128_GCM_SHA256")
}

// TestNeverReached: a call that another server has answered, while the one that
// was meant was recording.
func TestNeverReached(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	check(t, w.call("/"))
	other := newWorld(t)
	other.serve(false)
	target := w.target
	w.target = other.target
	check(t, w.call("/elsewhere"))
	w.target = target
	check(t, w.call("/"))
	other.end()
	r := w.join()
	expect(t, r, "never_reached", "stream 1 of client.pcapng to "+other.target+" never reached the server")
	if r.Pairs[1].Relation != vantage.Alone || r.Pairs[1].Ends.Server != nil {
		t.Errorf("the second pair is %+v", r.Pairs[1])
	}
}

// TestProxyLine: a load balancer writes a PROXY line, which the server takes for
// TLS.
func TestProxyLine(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	w.stand(func(c net.Conn) {
		first := true
		relay(c, w.target, func(fromServer bool, b []byte) []byte {
			if !fromServer && first {
				first = false
				b = append([]byte("PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n"), b...)
			}
			return b
		})
	})
	if err := w.call("/"); err == nil {
		t.Fatal("accepted")
	}
	r := w.join()
	if !slices.Contains(codes(r), "proxy_line") {
		t.Errorf("found:\n%s", text(r))
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSharedUpstream: a proxy sends what several clients ask for over one
// connection that it keeps.
func TestSharedUpstream(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	proxy := httputil.NewSingleHostReverseProxy(must(url.Parse("https://" + w.target)))
	proxy.Transport = &http.Transport{MaxConnsPerHost: 1,
		TLSClientConfig: &tls.Config{RootCAs: pool(serverCA()), ServerName: "localhost", Certificates: []tls.Certificate{clientCA().issue("the-proxy")}, KeyLogWriter: &w.keys}}
	t.Cleanup(proxy.Transport.(*http.Transport).CloseIdleConnections)
	own := middleCA().issue("proxy.example")
	w.stand(func(c net.Conn) { serveOne(c, own, proxy) })
	for _, path := range []string{"/one", "/two", "/three"} {
		check(t, w.call(path))
	}
	proxy.Transport.(*http.Transport).CloseIdleConnections()
	r := w.join()
	expect(t, r, "tls_ended certificate_replaced client_certificate")
	for i, p := range r.Pairs {
		if p.Relation != vantage.Apart || !p.Sure || p.Ends.Client.Number != i || p.Ends.Server.Number != 0 {
			t.Errorf("pair %d is %+v", i, p)
		}
	}
}

// TestElsewhere: what a client says to other servers is not missed in the
// capture of this one.
func TestElsewhere(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	other := newWorld(t)
	other.serve(false)
	check(t, w.call("/"))
	target := w.target
	w.target, w.clientConfig.ServerName = other.target, "127.0.0.1"
	check(t, w.call("/elsewhere"))
	w.target, w.clientConfig.ServerName = target, "localhost"
	check(t, w.call("/"))
	other.end()
	r := w.join()
	expect(t, r, "")
	if f := r.Pairs[1].Findings; len(f) != 1 || f[0].Code != vantage.OneEnd || f[0].How != vantage.Unknown {
		t.Errorf("of the other call: %+v", f)
	}
}

// TestSwappedAcrossProxy: which capture is the client's, requests and responses
// show, too.
func TestSwappedAcrossProxy(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	w.stand(reverseProxy(w, middleCA().issue("proxy.example"), &tls.Config{RootCAs: pool(serverCA()), ServerName: "localhost", Certificates: []tls.Certificate{clientCA().issue("the-proxy")}, KeyLogWriter: &w.keys}))
	check(t, w.call("/first"))
	w.end()
	r := vantage.Join(view("server.pcapng", &w.server, &w.keys, later(300*time.Millisecond)), view("client.pcapng", &w.client, &w.keys))
	if r.Views.Client.Name != "client.pcapng" || !r.Swapped {
		t.Errorf("%s is taken for the client's", r.Views.Client.Name)
	}
}

// TestUnrelated: two captures of other calls have nothing in common, and no
// proxy is seen in that.
func TestUnrelated(t *testing.T) {
	one, other := newWorld(t), newWorld(t)
	for _, w := range []*world{one, other} {
		w.serve(false)
		check(t, w.call("/"))
		w.end()
	}
	r := vantage.Join(view("client.pcapng", &one.client, &one.keys), view("server.pcapng", &other.server, &other.keys, later(time.Hour)))
	expect(t, r, "")
}

// TestClocksAcrossProxy: requests and responses that go through a proxy bound
// the clocks as well, even if the captures have no time in common.
func TestClocksAcrossProxy(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	w.stand(reverseProxy(w, middleCA().issue("proxy.example"), &tls.Config{RootCAs: pool(serverCA()), ServerName: "localhost", Certificates: []tls.Certificate{clientCA().issue("the-proxy")}, KeyLogWriter: &w.keys}))
	check(t, w.call("/first"))
	check(t, w.call("/second"))
	w.end()
	r := vantage.Join(view("client.pcapng", &w.client, &w.keys), view("server.pcapng", &w.server, &w.keys, later(-48*time.Hour)))
	expect(t, r, "tls_ended certificate_replaced client_certificate clocks_differ clock_decides", "the clock of server.pcapng is 2 days behind that of client.pcapng")
}

// TestAttempts: what became of a SYN that nobody answered.
func TestAttempts(t *testing.T) {
	tape, keys := recorded()
	near, far := view("client.pcapng", tape, keys), view("server.pcapng", tape, keys)
	server := near.Connections[0].Server
	attempt := capture.Attempt{Time: near.Connections[0].Opened.Add(time.Second / 2), Client: netip.MustParseAddrPort("192.0.2.7:51000"), Server: server}
	refused, answered := attempt, attempt
	refused.Refused, answered.Answered = true, true
	elsewhere := attempt
	elsewhere.Server = netip.MustParseAddrPort("192.0.2.99:443")
	early := attempt
	early.Time = near.First.Add(-time.Hour)
	for _, try := range []struct {
		name      string
		near, far []capture.Attempt
		want      string
		words     string
	}{
		{"lost", []capture.Attempt{attempt, attempt}, nil, "never_reached", "its SYN was not answered, and server.pcapng was recording and has none of it"},
		{"refused on the way", []capture.Attempt{refused}, nil, "refused_between", "never reached the server"},
		{"refused in the server's name", []capture.Attempt{refused}, []capture.Attempt{attempt}, "refused_between", "by something in between"},
		{"refused by the server", []capture.Attempt{refused}, []capture.Attempt{refused}, "", ""},
		{"the answer lost", []capture.Attempt{attempt}, []capture.Attempt{answered}, "answer_lost", "the answer did not arrive"},
		{"another server", []capture.Attempt{elsewhere}, nil, "", ""},
		{"before the recording", []capture.Attempt{early}, nil, "one_end", "when server.pcapng was not recording"},
		{"another client", nil, []capture.Attempt{attempt}, "", ""},
	} {
		t.Run(try.name, func(t *testing.T) {
			near.Attempts, far.Attempts = try.near, try.far
			expect(t, vantage.Join(near, far), try.want, try.words)
		})
	}
}
