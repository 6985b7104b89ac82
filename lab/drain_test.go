package lab

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A server that stops answers the requests that have begun, in whichever part
// they are, and lets nobody in any more.
func TestStoppingServerAnswers(t *testing.T) {
	dir := newPKI(t)
	s, err := Listen(t.Context(), "127.0.0.1:0", Settings{
		Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}, Journal: &Journal{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()

	const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
	began := map[string]string{"after the handshake": "", "in the request": request[:10], "idle": ""}
	conns := map[string]net.Conn{}
	for when, begin := range began {
		c := dialAs(t, dir, s.Addr().String())
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, begin); err != nil {
			t.Fatal(err)
		}
		conns[when] = c
	}
	idle := bufio.NewReader(conns["idle"])
	answer := func(c net.Conn, r *bufio.Reader) (*http.Response, string) {
		t.Helper()
		response, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response, string(body)
	}
	if _, err := io.WriteString(conns["idle"], request); err != nil {
		t.Fatal(err)
	}
	answer(conns["idle"], idle)

	stop()
	for { // until it is stopping
		c, err := net.DialTimeout("tcp", s.Addr().String(), time.Second)
		if err != nil {
			break
		}
		c.Close()
	}
	for when, begin := range began {
		if when == "idle" {
			continue
		}
		if _, err := io.WriteString(conns[when], strings.TrimPrefix(request, begin)); err != nil {
			t.Errorf("%s: %v", when, err)
			continue
		}
		response, body := answer(conns[when], bufio.NewReader(conns[when]))
		if response.StatusCode != 200 || !response.Close || !strings.Contains(body, "CN=client") {
			t.Errorf("%s: %s, close: %v\n%s", when, response.Status, response.Close, body)
		}
	}
	if _, err := idle.ReadByte(); err != io.EOF {
		t.Errorf("a connection without a request is open: %v", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
