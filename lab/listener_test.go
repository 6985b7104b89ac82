package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

// A server that is recorded waits for the last words of its clients. net/http
// closes idle connections one after the other, but must not wait one after the
// other for clients that say none.
func TestIdleConnectionsEndTogether(t *testing.T) {
	dir := newPKI(t)
	server, err := Listen(t.Context(), "127.0.0.1:0", Settings{
		Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"},
		Journal:     &Journal{}, Tap: wiretap.New(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	for range 10 {
		c := dialAs(t, dir, server.Addr().String())
		defer c.Close()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

// An exchange is reported after its first response, although the client keeps
// the connection and, in HTTP/2, has another request on it.
func TestReportedOnceAnswered(t *testing.T) {
	dir := newPKI(t)
	for _, http2 := range []bool{false, true} {
		began, end := make(chan bool), make(chan bool)
		addr, reported := serveWith(t, Settings{
			Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}, HTTP2: http2,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					close(began)
					<-end
				}
				w.WriteHeader(http.StatusTeapot)
			}),
		})
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: clientConfig(t, dir), ForceAttemptHTTP2: http2}}
		get := func(path string) {
			response, err := client.Get("https://" + addr + path)
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
		}
		var slow sync.WaitGroup
		slow.Go(func() { get("/slow") })
		select {
		case <-began:
		case <-time.After(10 * time.Second):
			t.Fatal("the handler is not called")
		}
		get("/")
		if x := next(t, reported); x.Outcome != verdict.Accepted || x.status() != http.StatusTeapot {
			t.Errorf("HTTP/2 is %v: %v, status %d", http2, x.Outcome, x.status())
		}
		close(end)
		slow.Wait()
		client.CloseIdleConnections()
	}
}

// dialAs connects to a server as client.
func dialAs(t *testing.T, dir, addr string) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", addr, clientConfig(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func clientConfig(t *testing.T, dir string) *tls.Config {
	t.Helper()
	certificate, err := certgen.Load(dir, "client")
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := certgen.LoadCertificates(dir, "server-ca")
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{ServerName: "localhost", RootCAs: x509.NewCertPool(), Certificates: []tls.Certificate{certificate}}
	config.RootCAs.AddCert(trusted[0])
	return config
}
