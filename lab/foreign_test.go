package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/fault"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/verdict"
)

// startNginx runs nginx with a server that asks for certificates of client-ca,
// and returns its address.
func startNginx(t *testing.T, pki string) string {
	t.Helper()
	peertest.Need(t, "nginx")
	port, dir := peertest.FreePort(t), t.TempDir()
	addr := "127.0.0.1:" + port
	temporary := ""
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary += fmt.Sprintf("%s_temp_path %s/%s; ", what, dir, what)
	}
	config := fmt.Sprintf(`daemon off; pid %[1]s/nginx.pid; error_log stderr; master_process off;
events {}
http { access_log off; %[2]s
  server { listen %[3]s ssl; ssl_certificate %[4]s/server.pem; ssl_certificate_key %[4]s/server-key.pem;
    ssl_client_certificate %[4]s/client-ca.pem; ssl_verify_client on; ssl_protocols TLSv1.2 TLSv1.3; location / { return 200 "let in"; } } }`, dir, temporary, addr, pki)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	nginx := peertest.Start(t, exec.Command("nginx", "-p", dir, "-c", "nginx.conf"))
	if err := peertest.AwaitListener(port); err != nil {
		t.Fatalf("%v: nginx says %s", err, &nginx.Output)
	}
	return addr
}

// callAs makes one call with the given changes and returns its exchange.
func callAs(t *testing.T, dir, addr string, change func(*Settings)) *Exchange {
	t.Helper()
	reported := make(chan *Exchange, 1)
	s := Settings{Credentials: Credentials{Dir: dir, Certificate: "client", Trust: "server-ca"},
		Journal: &Journal{Each: func(x *Exchange) { reported <- x }}}
	change(&s)
	c, err := NewClient(ClientOptions{URL: &url.URL{Scheme: "https", Host: "localhost", Path: "/"}, Addr: addr}, s)
	if err != nil {
		t.Fatal(err)
	}
	var rejected *RejectedError
	if _, err := c.Call(t.Context()); err != nil && !errors.As(err, &rejected) {
		t.Fatal(err)
	}
	return next(t, reported)
}

// expiredClient makes, in dir, a certificate of client-ca that has expired.
func expiredClient(t *testing.T, dir string) {
	t.Helper()
	base, err := yamldoc.Read("certs.yaml", must(os.ReadFile(filepath.Join("..", "certs.yaml"))))
	if err != nil {
		t.Fatal(err)
	}
	more, err := yamldoc.Read("more.yaml", []byte("subject: CN=expired\nissuer: CN=client-ca\nnot_before: 2020-01-01T00:00:00Z\nnot_after: 2021-01-01T00:00:00Z\n"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := certgen.Overlay("more.yaml", base, more)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := certgen.Generate(t.Context(), m, dir, certgen.Options{}); err != nil {
		t.Fatal(err)
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// nginx lets every handshake succeed and refuses in HTTP. So does the lab's own
// server with RefuseInHTTP, and it knows why.
func TestRefusedInHTTP(t *testing.T) {
	dir := newPKI(t)
	expiredClient(t, dir)
	own, err := Listen(t.Context(), "127.0.0.1:0", Settings{RefuseInHTTP: true, Journal: &Journal{},
		Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}})
	if err != nil {
		t.Fatal(err)
	}
	go own.Serve(t.Context())
	t.Run("lab", func(t *testing.T) { tryRefusals(t, dir, own.Addr().String()) })
	t.Run("nginx", func(t *testing.T) { tryRefusals(t, dir, startNginx(t, dir)) })
}

func tryRefusals(t *testing.T, dir, addr string) {
	const refuses = "the server asked for a certificate, and refuses in HTTP with 400: "
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for certificate, want := range map[string]string{
			"":        refuses + "the client sent none",
			"server":  refuses + "the one that the client sent is not of a CA that it names",
			"expired": refuses + "it does not take the one that the client sent, and only its own log knows why",
			"client":  "",
		} {
			x := callAs(t, dir, addr, func(s *Settings) { s.Certificate, s.Version = certificate, version })
			code, status := map[string]verdict.Code{"": verdict.NoClientCertificate, "server": chain.UnknownCA, "expired": verdict.RefusedInHTTP}[certificate], 400
			if want == "" {
				status = 200
			}
			if x.Outcome != verdict.Accepted || x.Code != code || x.Reason != want || x.HTTP == nil || x.HTTP.Status != status {
				t.Errorf("%s, certificate %q: %+v, %+v", tls.VersionName(version), certificate, x.Verdict, x.HTTP)
			}
		}
	}
}

// A side that knows what it did itself does not ask the other's log.
func TestOwnFaultAgainstForeignServer(t *testing.T) {
	addr := startNginx(t, newPKI(t))
	dir := newPKI(t)
	for instead, want := range map[fault.NotTLS]verdict.Code{fault.PlainHTTP: verdict.SpokeNoTLS, fault.Garbage: verdict.SpokeNoTLS, fault.HangUp: verdict.Closed, fault.Silence: verdict.TooSlow} {
		x := callAs(t, dir, addr, func(s *Settings) { s.Wrap, s.Timeout = instead.Client, 300*time.Millisecond })
		if x.Code != want || !strings.HasPrefix(x.Reason, "the client ") || instead != fault.HangUp && x.TLS != (TLS{}) {
			t.Errorf("%s: %+v", instead, x.Verdict)
		}
	}
}

// A client that withholds its certificate has shown none, and knows it.
func TestWithheldCertificate(t *testing.T) {
	dir := newPKI(t)
	addr, reported := serve(t, dir)
	for certificate, want := range map[string]struct {
		code  verdict.Code
		shown string
	}{"client": {"", "CN=client"}, "server": {verdict.NoClientCertificate, ""}} {
		x := callAs(t, dir, addr, func(s *Settings) { s.Certificate, s.Wrap = certificate, fault.Withhold })
		if x.Code != want.code || x.Client.Certificate != want.shown {
			t.Errorf("%s: %+v, %+v", certificate, x.Verdict, x.Client)
		}
		next(t, reported)
	}
	inHTTP, err := Listen(t.Context(), "127.0.0.1:0", Settings{RefuseInHTTP: true, Journal: &Journal{},
		Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}})
	if err != nil {
		t.Fatal(err)
	}
	go inHTTP.Serve(t.Context())
	x := callAs(t, dir, inHTTP.Addr().String(), func(s *Settings) { s.Certificate, s.Wrap = "server", fault.Withhold })
	if x.How != verdict.InHTTP || x.Code != verdict.NoClientCertificate {
		t.Errorf("refused in HTTP: %+v", x.Verdict)
	}
}

// What a server sees of clients that close at different times.
func TestClientsThatGoAway(t *testing.T) {
	addr, reported := serve(t, newPKI(t))
	config := &tls.Config{InsecureSkipVerify: true}
	visit := func(c net.Conn) *Exchange {
		_ = tls.Client(c, config).Handshake()
		c.Close()
		return next(t, reported)
	}
	browser := visit(quitsAfterHello{dial(t, addr)})
	if browser.Code != verdict.Closed || !strings.Contains(browser.Reason, "as a browser does that fetches its certificate first") {
		t.Errorf("%+v", browser.Verdict)
	}

	dir := newPKI(t)
	addr, reported = serve(t, dir)
	certificate, err := certgen.Load(dir, "client")
	if err != nil {
		t.Fatal(err)
	}
	config.Certificates = []tls.Certificate{certificate}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c := tls.Client(dial(t, addr), config)
	if err := c.HandshakeContext(ctx); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if x := next(t, reported); x.Outcome != verdict.Accepted || !strings.Contains(x.Reason, "closed without a request") || x.Code != "" {
		t.Errorf("%+v", x.Verdict)
	}
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// quitsAfterHello closes in good order: it has read all of the server's flight.
type quitsAfterHello struct{ net.Conn }

func (q quitsAfterHello) Read([]byte) (int, error) {
	_, err := q.Conn.Read(make([]byte, 64<<10))
	return 0, errors.Join(errors.New("quits"), err)
}

// A client knows better than a server's alert that it was asked and sent
// nothing: Java says bad_certificate, and TLS 1.2 has handshake_failure alone.
func TestNoCertificateForForeignServer(t *testing.T) {
	dir := newPKI(t)
	for version, alerts := range map[uint16][]string{
		tls.VersionTLS12: {"bad_certificate", "handshake_failure"},
		tls.VersionTLS13: {"bad_certificate", "certificate_required"},
	} {
		for _, alert := range alerts {
			addr := startRefusing(t, dir, alert)
			for certificate, want := range map[string]verdict.Code{"": verdict.NoClientCertificate, "client": verdict.RefusedByCertificate} {
				if certificate != "" && alert != "bad_certificate" {
					continue
				}
				x := callAs(t, dir, addr, func(s *Settings) { s.Certificate, s.Version = certificate, version })
				if x.Code != want || x.Alert == nil || x.Alert.Name != alert {
					t.Errorf("%s, %s, certificate %q: %+v", tls.VersionName(version), alert, certificate, x.Verdict)
				}
			}
		}
	}
}

// startRefusing runs a server that asks for a certificate and refuses any, or,
// with another alert than bad_certificate, none.
func startRefusing(t *testing.T, dir, alert string) string {
	t.Helper()
	certificate, err := certgen.Load(dir, "server")
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAnyClientCert}
	if alert == "bad_certificate" {
		config.ClientAuth = tls.RequestClientCert
		config.VerifyConnection = func(tls.ConnectionState) error { return errors.New("refused") }
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	peertest.Serve(t, l, func(c net.Conn) {
		_ = c.(*tls.Conn).Handshake()
		_ = c.(*tls.Conn).NetConn().(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c.(*tls.Conn).NetConn()) // lest the alert be lost to a reset
		c.Close()
	})
	return l.Addr().String()
}

// A server that answers in plain HTTP is what must change, or its port.
func TestPlainHTTPServer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	x := callAs(t, newPKI(t), server.Listener.Addr().String(), func(*Settings) {})
	if x.Reason != "the server did not speak TLS, but plain HTTP" || !strings.HasPrefix(x.Fix, "find the port where the server speaks TLS") {
		t.Errorf("%+v", x.Verdict)
	}
}
