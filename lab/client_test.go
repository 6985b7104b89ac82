package lab

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/verdict"
)

// answerWith runs a server that is not the lab's and asks for no certificate.
// It answers one request with a status, unless that is 0, and a field of the
// header, and then calls after, which may be nil.
func answerWith(t *testing.T, dir string, status int, header string, after func(raw *net.TCPConn, conn *tls.Conn)) (addr string) {
	t.Helper()
	identity, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		raw, err := l.Accept()
		if err != nil {
			return
		}
		defer raw.Close()
		conn := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{identity}})
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
			return
		}
		if status == 0 {
			return
		}
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d Status\r\n%sContent-Length: 0\r\n\r\n", status, header)
		if after != nil {
			after(raw.(*net.TCPConn), conn)
		}
	}()
	return l.Addr().String()
}

// A client that has its response still reads what the server says last: a
// server that writes its close_notify late is not answered with RST.
func TestClientHearsTheServerOut(t *testing.T) {
	dir := newPKI(t)
	late := make(chan error, 1)
	addr := answerWith(t, dir, 200, "", func(raw *net.TCPConn, conn *tls.Conn) {
		_, err := io.Copy(io.Discard, conn) // up to the client's close_notify
		if err == nil {
			_, err = io.Copy(io.Discard, raw) // and its FIN
		}
		if err == nil {
			err = conn.CloseWrite() // which leaves a deadline behind that has passed
			_ = raw.SetWriteDeadline(time.Time{})
		}
		if err == nil {
			_, err = raw.Write(make([]byte, 1)) // fails once a RST came
		}
		late <- err
	})
	if _, err := newClient(t, dir, addr).Call(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-late; err != nil {
		t.Errorf("the server's last words: %v", err)
	}
}

// A server that has asked for no certificate does not know the client: its 403
// says nothing about a client that was authenticated.
func TestRefusedWithoutBeingAsked(t *testing.T) {
	dir := newPKI(t)
	for status, want := range map[int]verdict.Code{200: "", 400: "", 401: verdict.NotAsked, 403: verdict.NotAsked, 404: ""} {
		x := callAs(t, dir, answerWith(t, dir, status, "", nil), func(*Settings) {})
		if x.Outcome != verdict.Accepted || x.Code != want || (x.How == verdict.InHTTP) != (want != "") {
			t.Errorf("%d: %s, %q, %q, want %q", status, x.Outcome, x.How, x.Code, want)
		}
	}
	x := callAs(t, dir, answerWith(t, dir, 401, "WWW-Authenticate: Basic realm=a\r\n", nil), func(*Settings) {})
	if x.How != verdict.InHTTP || x.Code != verdict.RefusedInHTTP || !strings.Contains(x.Reason, "asks for Basic in place of a certificate") {
		t.Errorf("with a password: %+v", x.Verdict)
	}
}

// A server that takes the client's certificate may want a password, too.
func TestUnauthorisedWithCertificate(t *testing.T) {
	dir := newPKI(t)
	identity, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", "Basic realm=a")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{identity}, ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	x := callAs(t, dir, s.Listener.Addr().String(), func(*Settings) {})
	if x.Outcome != verdict.Accepted || x.How != verdict.InHTTP || x.Code != verdict.NotAuthorised || !strings.Contains(x.Reason, "the server refuses in HTTP with 401 a client whose certificate it took in TLS: it asks for Basic besides") {
		t.Errorf("%+v", x.Verdict)
	}
}

// How far a client got tells a request that nobody answered from one that was
// not sent.
func TestClientState(t *testing.T) {
	dir := newPKI(t)
	for status, want := range map[int]verdict.State{200: verdict.StateAnswered, 0: verdict.StateRequestSent} {
		x := callAs(t, dir, answerWith(t, dir, status, "", nil), func(*Settings) {})
		if x.Client.State != want {
			t.Errorf("status %d: %s, want %s", status, x.Client.State, want)
		}
	}
}

// A server that closes right after the handshake, as Node.js does when it does
// not like the client's certificate, has refused the client, however early it
// closes.
func TestServerClosesBehindTheHandshake(t *testing.T) {
	dir := newPKI(t)
	identity, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			_ = tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{identity}, ClientAuth: tls.RequestClientCert}).Handshake()
			_ = raw.Close()
		}
	}()
	for range 30 {
		if x := callAs(t, dir, l.Addr().String(), func(*Settings) {}); x.Outcome != verdict.Rejected || x.RejectedBy != endpoint.Server {
			t.Fatalf("%+v", x.Verdict)
		}
	}
}
