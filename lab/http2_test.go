package lab

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

// resetWith runs a server of HTTP/2 that gives up the first request, or with
// goAway all of them.
func resetWith(t *testing.T, dir string, code http2.ErrCode, goAway bool, auth tls.ClientAuthType) (addr string) {
	t.Helper()
	identity, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{identity}, ClientAuth: auth, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		f := http2.NewFramer(conn, conn)
		_ = f.WriteSettings()
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			switch {
			case frame.Header().Type != http2.FrameHeaders:
			case goAway:
				_ = f.WriteGoAway(0, code, nil)
				_ = conn.(*tls.Conn).CloseWrite()
			default:
				_ = f.WriteRSTStream(frame.Header().StreamID, code)
			}
		}
	}()
	return l.Addr().String()
}

// A server that gives up a request of HTTP/2 has taken the client in TLS. Nobody
// says that the client has refused it.
func TestRequestGivenUp(t *testing.T) {
	dir := newPKI(t)
	for _, test := range []struct {
		code   http2.ErrCode
		goAway bool
		auth   tls.ClientAuthType
		want   verdict.Code
		says   string
	}{
		{http2.ErrCodeHTTP11Required, false, tls.NoClientCert, verdict.NotAsked, "not mutual: the server never asked for a certificate; the server gives up the request over HTTP/2 and wants it over HTTP/1.1 (HTTP_1_1_REQUIRED)"},
		{http2.ErrCodeHTTP11Required, false, tls.RequireAnyClientCert, verdict.RefusedInHTTP, "the server gives up the request over HTTP/2 and wants it over HTTP/1.1"},
		{http2.ErrCodeInadequateSecurity, true, tls.RequireAnyClientCert, verdict.RefusedInHTTP, "TLS here does not meet what the server asks of it for HTTP/2 (INADEQUATE_SECURITY"},
		{http2.ErrCodeInternal, false, tls.RequireAnyClientCert, "", "the server gave up the request without an answer (HTTP/2: RST_STREAM, INTERNAL_ERROR)"},
		{http2.ErrCodeEnhanceYourCalm, true, tls.RequireAnyClientCert, "", "the server ended the connection without an answer (HTTP/2: GOAWAY, ENHANCE_YOUR_CALM)"},
		{0xabcd, false, tls.RequireAnyClientCert, "", "(HTTP/2: RST_STREAM, unknown error)"},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			x := dissected(t, func(s *Settings) { s.HTTP2, s.Version = true, version },
				func(change func(*Settings)) *Exchange {
					return callAs(t, dir, resetWith(t, dir, test.code, test.goAway, test.auth), change)
				})
			if x.Outcome != verdict.Accepted || x.Code != test.want || (x.How == verdict.InHTTP) != (test.want != "") || !strings.Contains(x.Reason, test.says) || x.Client.Error == "" {
				t.Errorf("%v, %v, %v: %+v, client's error %q", test.code, test.auth, tlswire.Version(version), x.Verdict, x.Client.Error)
			}
			unseen := callAs(t, dir, resetWith(t, dir, test.code, test.goAway, test.auth), func(s *Settings) { s.HTTP2 = true })
			if unseen.Outcome != verdict.Accepted || unseen.Code != test.want || !strings.Contains(unseen.Reason, test.code.String()) && test.code != 0xabcd {
				t.Errorf("%v, %v, nothing dissected: %+v", test.code, test.auth, unseen.Verdict)
			}
		}
	}
}

// What a server says in TLS need not be HTTP, or whole. The client has refused
// nobody then.
func TestAnswerThatIsNotHTTP(t *testing.T) {
	dir := newPKI(t)
	identity, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for says, want := range map[string]string{
		"220 mail.example.com ESMTP ready\r\n":              "malformed HTTP",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n":               "malformed MIME header",
		"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc": "unexpected EOF",
		"\x00\x01\x02\x03":                                  "malformed HTTP",
	} {
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{identity}, ClientAuth: tls.RequireAnyClientCert})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = http.ReadRequest(bufio.NewReader(conn))
				_, _ = io.WriteString(conn, says)
				_ = conn.Close()
			}
		}()
		call := func(change func(*Settings)) *Exchange { return callAs(t, dir, l.Addr().String(), change) }
		for _, x := range []*Exchange{dissected(t, func(*Settings) {}, call), call(func(*Settings) {})} {
			if x.Outcome != verdict.Accepted || x.Code != "" || !strings.Contains(x.Reason, "the client has no whole answer to its request: ") || !strings.Contains(x.Reason, want) || x.Fix == "" {
				t.Errorf("%q, dissected %v: %+v", says, x.Wire != nil, x.Verdict)
			}
		}
	}
}

// A server of gRPC says 200 in HTTP, and in a trailer, or in a header if it does
// so at once, that it refuses the call.
func TestCallRefused(t *testing.T) {
	dir := newPKI(t)
	identity, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		status  string
		trailer bool
		auth    tls.ClientAuthType
		want    verdict.Code
		says    string
	}{
		{"7", true, tls.RequireAnyClientCert, verdict.NotAuthorised, "let the client pass in TLS, and refuses in gRPC with PERMISSION_DENIED (7): RBAC: access denied"},
		{"7", false, tls.RequireAnyClientCert, verdict.NotAuthorised, "PERMISSION_DENIED (7): RBAC: access denied"},
		{"16", true, tls.RequireAnyClientCert, verdict.NotAuthorised, "and refuses in gRPC with UNAUTHENTICATED (16)"},
		{"16", true, tls.NoClientCert, verdict.NotAsked, "the server never asked for a certificate, and refuses in gRPC with UNAUTHENTICATED (16)"},
		{"0", true, tls.RequireAnyClientCert, "", ""},
		{"5", false, tls.RequireAnyClientCert, "", ""},
	} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			prefix := ""
			if test.trailer {
				prefix = http.TrailerPrefix
			}
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set(prefix+"Grpc-Status", test.status)
			w.Header().Set(prefix+"Grpc-Message", "RBAC: access%20denied")
			if test.trailer {
				_, _ = io.WriteString(w, "a message")
			}
		}))
		s.EnableHTTP2 = true
		s.TLS = &tls.Config{Certificates: []tls.Certificate{identity}, ClientAuth: test.auth}
		s.StartTLS()
		t.Cleanup(s.Close)
		x := dissected(t, func(s *Settings) { s.HTTP2 = true }, func(change func(*Settings)) *Exchange { return callAs(t, dir, s.Listener.Addr().String(), change) })
		if x.Outcome != verdict.Accepted || x.Code != test.want || (x.How == verdict.InHTTP) != (test.want != "") || !strings.Contains(x.Reason, test.says) {
			t.Errorf("%s, %v: %+v", test.status, test.auth, x.Verdict)
		}
	}
}

// dissected makes an exchange whose journal dissects it.
func dissected(t *testing.T, change func(*Settings), call func(func(*Settings)) *Exchange) *Exchange {
	t.Helper()
	var d *Dissection
	x := call(func(s *Settings) {
		change(s)
		d = s.Journal.Dissect()
		s.Tap = wiretap.New(d)
	})
	d.Close()
	return x
}
