package vantage_test

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/vantage"
	"mtlslab.example/lab/lab/wiretap"
)

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

// TestKeyShared: a proxy that shows the certificates of the server and of the
// client has replaced none of them.
func TestKeyShared(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		w.serve(false)
		toServer := &tls.Config{RootCAs: pool(serverCA()), ServerName: "localhost", Certificates: w.clientConfig.Certificates, KeyLogWriter: &w.keys}
		w.stand(reverseProxy(w, w.serverConfig.Certificates[0], toServer))
		check(t, w.call("/"))
		expect(t, w.join(), "tls_ended private_key_shared",
			"the client was shown the server's own certificate, CN=server: what ends TLS has its key, too")
	})
}

// TestHostileNames: what others have put into their names is not repeated to a
// terminal, nor can it begin a line.
func TestHostileNames(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	evil := newAuthority("evil\x1b[2J\nlab: all is well")
	w.clientConfig.RootCAs.AddCert(evil.cert)
	w.stand(reverseProxy(w, evil.issue("server\x1b]0;title\a"), &tls.Config{RootCAs: pool(serverCA()), ServerName: "localhost", Certificates: w.clientConfig.Certificates, KeyLogWriter: &w.keys}))
	check(t, w.call("/"))
	for _, f := range w.join().Findings {
		for _, s := range []string{f.Text, f.Fix} {
			if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("%s has control characters: %q", f.Code, s)
			}
		}
	}
}

// TestTLSEndedWithoutKeys: what TLS 1.3 hides is not known, and it is said why.
func TestTLSEndedWithoutKeys(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	w.stand(reverseProxy(w, middleCA().issue("server"), &tls.Config{RootCAs: pool(serverCA()), ServerName: "localhost", Certificates: []tls.Certificate{clientCA().issue("client")}}))
	w.clientConfig.KeyLogWriter, w.serverConfig.KeyLogWriter = nil, nil
	check(t, w.call("/"))
	expect(t, w.join(), "tls_ended cannot_be_seen?", "because TLS 1.3 encrypts certificates, and there are no keys for stream 0 of client.pcapng and stream 0 of server.pcapng", "the same server name, opened")
}

// TestPerhapsEnded: where nothing but the time joins two connections, the
// findings say what differs, and how to know.
func TestPerhapsEnded(t *testing.T) {
	for _, plain := range []bool{false, true} {
		w := newWorld(t)
		w.clientConfig.MaxVersion, w.serverConfig.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
		w.serve(plain)
		toServer := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{clientCA().issue("client")}}
		if plain {
			toServer = nil
		}
		w.stand(reverseProxy(w, middleCA().issue("proxy"), toServer))
		w.clientConfig.KeyLogWriter, w.serverConfig.KeyLogWriter = nil, nil
		check(t, w.call("/"))
		r, want, record := w.join(), "tls_ended? certificate_replaced?", "record client.pcapng and server.pcapng again, with the keys of the programs there"
		if plain {
			want, record = "plain_behind?", "record client.pcapng again, with the keys of the program there"
		}
		expect(t, r, want)
		if !strings.HasPrefix(r.Findings[0].Fix, record) {
			t.Errorf("fix: %s", r.Findings[0].Fix)
		}
		if said := "the client was shown CN=proxy, issued by CN=corporate-proxy, and the server sends CN=server, issued by CN=server-ca, both for localhost"; !plain && !strings.Contains(text(r), said) {
			t.Errorf("does not say %q: %s", said, text(r))
		}
	}
}

// TestPlainBehind: TLS is ended, and the server is called without.
func TestPlainBehind(t *testing.T) {
	w := newWorld(t)
	w.serve(true)
	w.stand(reverseProxy(w, serverCA().issue("server"), nil))
	check(t, w.call("/secret"))
	expect(t, w.join(), "plain_behind", "ends TLS and calls the server without TLS", "the same HTTP requests")
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

// TestSwappedAcrossProxy: which capture is the client's, requests and responses
// show, too.
func TestSwappedAcrossProxy(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	w.stand(reverseProxy(w, middleCA().issue("proxy.example"), &tls.Config{RootCAs: pool(serverCA()), ServerName: "localhost", Certificates: []tls.Certificate{clientCA().issue("the-proxy")}, KeyLogWriter: &w.keys}))
	check(t, w.call("/first"))
	w.end()
	r := vantage.Join(view("server.pcapng", &w.server, &w.keys, later(300*time.Millisecond)), view("client.pcapng", &w.client, &w.keys))
	if r.Captures.Client.Name != "client.pcapng" || !r.Swapped {
		t.Errorf("%s is taken for the client's", r.Captures.Client.Name)
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

func (l *oneListener) Accept() (net.Conn, error) {
	if c, ok := <-l.c; ok {
		return c, nil
	}
	return nil, io.EOF
}
func (l *oneListener) Close() error   { return nil }
func (l *oneListener) Addr() net.Addr { return &net.TCPAddr{} }

// openTogether joins two connections that were open at the same time, of a
// client and a server with nothing between them, and without keys.
func openTogether(t *testing.T, name string) *vantage.Report {
	one, other := newWorld(t), newWorld(t)
	for _, w := range []*world{one, other} {
		w.clientConfig.KeyLogWriter, w.serverConfig.KeyLogWriter = nil, nil
		w.serve(false)
	}
	other.clientConfig.ServerName, other.clientConfig.InsecureSkipVerify = name, true
	check(t, one.call("/"))
	check(t, other.call("/"))
	one.end()
	other.end()
	ahead := other.server.events[0][0].Time.Sub(one.client.events[0][0].Time)
	return vantage.Join(view("client.pcapng", &one.client, &one.keys, slowly), view("server.pcapng", &other.server, &other.keys, later(-ahead), slowly, later(3*time.Millisecond)))
}

// TestOpenTogether: that two connections were open at the same time, even for
// the same name, does not show that one was made for the other.
func TestOpenTogether(t *testing.T) {
	for _, name := range []string{"localhost", "shop.example"} {
		r := openTogether(t, name)
		expect(t, r, "tls_ended?", "something between the two may end TLS", "Another client may as well have made that one")
		if r.Pairs[0].Sure {
			t.Errorf("%s: the pair is sure: %s", name, r.Pairs[0].Evidence)
		}
	}
}

// TestNothingSaid: a connection that carries nothing is not paired with another
// one that does not, and it is not said to have been lost.
func TestNothingSaid(t *testing.T) {
	tape, keys := recorded()
	silent := func(events []wiretap.Event) []wiretap.Event {
		return []wiretap.Event{events[0], events[len(events)-1]}
	}
	r := vantage.Join(view("client.pcapng", tape, keys, on(2, silent)), view("server.pcapng", tape, keys, translated, on(2, silent)))
	expect(t, r, "addresses_translated")
	for _, p := range r.Pairs {
		if p.Relation == vantage.Apart {
			t.Errorf("the pair is %+v", p)
		}
	}
}
