package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/fault"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

// newPKI makes the certificates of the default manifest and returns their
// folder.
func newPKI(t testing.TB) string {
	t.Helper()
	m, err := certgen.Read(filepath.Join("..", "certs.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "certs")
	if _, err := certgen.Generate(t.Context(), m, dir, certgen.Options{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// serve runs a server for clients of client-ca and returns its address and
// the exchanges that it reports.
func serve(t testing.TB, dir string) (addr string, reported chan *Exchange) {
	t.Helper()
	return serveWith(t, Settings{Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}})
}

func serveWith(t testing.TB, settings Settings) (addr string, reported chan *Exchange) {
	t.Helper()
	reported = make(chan *Exchange, 100)
	settings.Journal = &Journal{Each: func(x *Exchange) { reported <- x }}
	s, err := Listen(t.Context(), "127.0.0.1:0", settings)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s.Addr().String(), reported
}

func newClient(t testing.TB, dir, addr string) *Client {
	t.Helper()
	u := &url.URL{Scheme: "https", Host: "localhost", Path: "/"}
	c, err := NewClient(ClientOptions{URL: u, Addr: addr}, Settings{
		Credentials: Credentials{Dir: dir, Certificate: "client", Trust: "server-ca"},
		Journal:     &Journal{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func next(t testing.TB, reported chan *Exchange) *Exchange {
	t.Helper()
	select {
	case x := <-reported:
		return x
	case <-time.After(20 * time.Second):
		t.Fatal("no exchange was reported")
		return nil
	}
}

// A connection that is rejected with a request already on its way used to be
// reset by the kernel, and the alert was lost in about a quarter of the runs.
func TestAlertArrivesAtCurl(t *testing.T) {
	peertest.Need(t, "curl")
	dir := newPKI(t)
	addr, _ := serve(t, dir)
	for i := range 15 {
		out, err := exec.Command("curl", "-sS", "--cacert", filepath.Join(dir, "server-ca.pem"),
			"--data", strings.Repeat("x", 10000), "https://"+addr).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "alert") {
			t.Errorf("run %d: %v: %s", i, err, out)
		}
	}
}

func TestSilentConnectionHoldsNobodyUp(t *testing.T) {
	dir := newPKI(t)
	addr, reported := serve(t, dir)
	for range 20 {
		silent, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
	}
	if _, err := newClient(t, dir, addr).Call(t.Context()); err != nil {
		t.Fatal(err)
	}
	if x := next(t, reported); x.Outcome != verdict.Accepted {
		t.Errorf("%+v", x)
	}
}

// A client that closes without a byte, or within its ClientHello, by FIN or
// RST, has refused nobody, and a recording does not say so.
func TestClientThatHangsUp(t *testing.T) {
	const silent, cut = "the client closed without a byte, as a health check or a port scan does", "the client closed before it had sent a whole ClientHello"
	said := &comments{}
	addr, reported := serveWith(t, Settings{Credentials: Credentials{Dir: newPKI(t), Certificate: "server", Trust: "client-ca"}, Tap: wiretap.New(said)})
	for _, test := range []struct {
		sends  string
		resets bool
		want   string
	}{
		{"", false, silent},
		{"", true, silent},
		{"\x16\x03\x01", false, cut},
		{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", true, cut},
	} {
		c := dial(t, addr)
		_, _ = io.WriteString(c, test.sends)
		if test.resets {
			_ = c.(*net.TCPConn).SetLinger(0)
		}
		c.Close()
		x := next(t, reported)
		if x.Code != verdict.Closed || x.Outcome != verdict.Unknown || x.How != verdict.NotTLS || x.Reason != test.want {
			t.Errorf("%q, RST %v: %+v", test.sends, test.resets, x.Verdict)
		}
		if x.Server.Learned != "" {
			t.Errorf("%q, RST %v: the server learned of a rejection %s", test.sends, test.resets, x.Server.Learned)
		}
	}
	said.mu.Lock()
	defer said.mu.Unlock()
	if len(said.all) > 0 {
		t.Errorf("recorded: %q", said.all)
	}
}

// Every way in which lab's own sides refuse each other, with the joined
// verdict.
func TestPairedVerdicts(t *testing.T) {
	dir := newPKI(t)
	for name, c := range map[string]struct {
		server, client func(*Settings)
		by             endpoint.Side
		alert          string
		reason         string
	}{
		"no certificate": {client: func(s *Settings) { s.Certificate = "" }, by: endpoint.Server,
			alert: "certificate_required", reason: "the client sent no certificate"},
		"no certificate in TLS 1.2": {client: func(s *Settings) { s.Certificate = ""; s.Version = tls.VersionTLS12 }, by: endpoint.Server,
			alert: "handshake_failure", reason: "the client sent no certificate"},
		"client of another CA": {client: func(s *Settings) { s.Certificate = "server" }, by: endpoint.Server,
			alert: "unknown_ca", reason: "the client's certificate is not signed by a CA that the server trusts: it was issued by CN=server-ca, which was not sent along and which the server does not have"},
		"wrong usage": {client: func(s *Settings) { s.Certificate = "server" }, server: func(s *Settings) { s.Trust = "server-ca" }, by: endpoint.Server,
			alert: "bad_certificate", reason: "the client's certificate is not for authenticating a client (extended key usage)"},
		"server of another CA": {client: func(s *Settings) { s.Trust = "client-ca" }, by: endpoint.Client,
			alert: "bad_certificate", reason: "the server's certificate is not signed by a CA that the client trusts: it was issued by CN=server-ca, which was not sent along and which the client does not have"},
		"server of another name": {server: func(s *Settings) { s.Certificate = "client" }, client: func(s *Settings) { s.Trust = "client-ca" }, by: endpoint.Client,
			alert: "bad_certificate", reason: "the server's certificate is not for localhost: it has no subject alternative name"},
		"no common version": {server: func(s *Settings) { s.Version = tls.VersionTLS13 }, client: func(s *Settings) { s.Version = tls.VersionTLS12 }, by: endpoint.Server,
			alert: "protocol_version", reason: "the two sides have no TLS version in common"},
		"no common HTTP": {client: func(s *Settings) { s.HTTP2 = true }, by: endpoint.Server,
			alert: "no_application_protocol", reason: "the two sides have no HTTP version in common"},
	} {
		t.Run(name, func(t *testing.T) {
			reported := make(chan *Exchange, 10)
			journal := &Journal{Paired: true, Each: func(x *Exchange) { reported <- x }}
			server := Settings{Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}, Journal: journal}
			client := Settings{Credentials: Credentials{Dir: dir, Certificate: "client", Trust: "server-ca"}, Journal: journal}
			if c.server != nil {
				c.server(&server)
			}
			if c.client != nil {
				c.client(&client)
			}
			s, err := Listen(t.Context(), "127.0.0.1:0", server)
			if err != nil {
				t.Fatal(err)
			}
			go s.Serve(t.Context())
			caller, err := NewClient(ClientOptions{URL: &url.URL{Scheme: "https", Host: "localhost"}, Addr: s.Addr().String()}, client)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := caller.Call(t.Context()); err == nil {
				t.Error("the call succeeded")
			}
			x := next(t, reported)
			if x.RejectedBy != c.by || x.Reason != c.reason || x.Alert == nil || x.Alert.Name != c.alert || x.Alert.SentBy != c.by {
				t.Errorf("got %+v, alert %+v", x.Verdict, x.Alert)
			}
			if x.Server.Error == "" || x.Client.Error == "" {
				t.Errorf("one side's error is missing: %+v %+v", x.Server, x.Client)
			}
		})
	}
}

// What a client and a server of this lab read of the connection is the same.
func TestPages(t *testing.T) {
	dir := newPKI(t)
	addr, _ := serve(t, dir)
	c := newClient(t, dir, addr)
	r, err := c.Call(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Hello CN=client\n", "issued by     CN=client-ca\n", "TLS version   TLS 1.3\n"} {
		if !strings.Contains(string(r.Body), want) {
			t.Errorf("%q is not in\n%s", want, r.Body)
		}
	}
}

// A peer that neither reads nor closes cannot keep a rejected connection.
func TestDrainIsBounded(t *testing.T) {
	addr, reported := serve(t, newPKI(t))
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if x := next(t, reported); x.Reason != "the client did not speak TLS, but plain HTTP" {
		t.Errorf("%+v", x.Verdict)
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer, err := io.ReadAll(c) // ends although this side stays open
	if err != nil || !strings.Contains(string(answer), "HTTPS server") {
		t.Errorf("%q, %v", answer, err)
	}
}

// An exchange that ends because the lab stops has no verdict, and does not wait
// for its timeout.
func TestSilenceEndsWithTheLab(t *testing.T) {
	dir := newPKI(t)
	silent := func(certificate, trust string, j *Journal, wrap fault.Fault) Settings {
		return Settings{Credentials: Credentials{Dir: dir, Certificate: certificate, Trust: trust},
			Journal: j, Wrap: wrap, Timeout: time.Minute}
	}
	reported := make(chan *Exchange, 10)
	j := &Journal{Each: func(x *Exchange) { reported <- x }}
	server, err := Listen(t.Context(), "127.0.0.1:0", silent("server", "client-ca", j, fault.Silence.Server))
	if err != nil {
		t.Fatal(err)
	}
	u := &url.URL{Scheme: "https", Host: "localhost", Path: "/"}
	client, err := NewClient(ClientOptions{URL: u, Addr: server.Addr().String()}, silent("client", "server-ca", j, fault.Silence.Client))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- server.Serve(ctx) }()
	go func() {
		_, err := client.Call(ctx)
		ended <- err
	}()
	peertest.Eventually(t, "the two to meet", j.hasBoth)
	stop()
	for range 2 {
		select {
		case err := <-ended:
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("it goes on")
		}
	}
	j.Wait(t.Context())
	if len(reported) > 0 {
		t.Errorf("%+v", <-reported)
	}
}

// hasBoth reports whether both sides have begun an exchange.
func (j *Journal) hasBoth() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.open {
		return e.views.client.expected && e.views.server.expected
	}
	return false
}

// What a server has chosen is not reported before it has sent ServerHello.
func TestNothingIsAgreedOnBeforeServerHello(t *testing.T) {
	dir := newPKI(t)
	addr, reported := serve(t, dir)
	for code, set := range map[verdict.Code]func(*Settings){
		verdict.NoCommonALPN:        func(s *Settings) { s.ALPN = []string{"smtp"} },
		verdict.NoCommonCipherSuite: func(s *Settings) { s.Wrap, s.Version = fault.Offer([]uint16{0xc0ac}), tls.VersionTLS12 },
	} {
		callAs(t, dir, addr, set)
		x := next(t, reported)
		x.TLS.ServerName = "" // is the client's alone
		if x.Code != code || x.TLS != (TLS{}) || x.Server.State != verdict.StateConnected || x.Server.Certificate != "" {
			t.Errorf("%+v", x)
		}
	}
}
