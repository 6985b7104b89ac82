package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"testing"
	"time"

	"mtlslab.example/lab/certgen"
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

// dialAs connects to a server as client.
func dialAs(t *testing.T, dir, addr string) *tls.Conn {
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
	c, err := tls.Dial("tcp", addr, config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
