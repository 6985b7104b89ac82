package keyshim

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
)

func TestAskSOCKS(t *testing.T) {
	const greeting = "\x05\x01\x00"
	for request, want := range map[string]string{
		greeting + "\x05\x01\x00\x01\x7f\x00\x00\x01\x20\xfb":                       "127.0.0.1:8443",
		greeting + "\x05\x01\x00\x03\x09localhost\x20\xfb":                          "localhost:8443",
		greeting + "\x05\x01\x00\x04" + strings.Repeat("\x00", 15) + "\x01\x01\xbb": "[::1]:443",
	} {
		var replies bytes.Buffer
		target, answer, err := askSOCKS(bufio.NewReader(strings.NewReader(request)), &replies)
		if err != nil || target != want {
			t.Errorf("%q: %q, %v", request, target, err)
			continue
		}
		if err := answer(nil); err != nil || !strings.HasPrefix(replies.String(), "\x05\x00\x05\x00") {
			t.Errorf("%q: answered %q, %v", request, &replies, err)
		}
		for n := range request {
			if target, _, err := askSOCKS(bufio.NewReader(strings.NewReader(request[:n])), io.Discard); err == nil {
				t.Errorf("the first %d bytes of %q: %q", n, request, target)
			}
		}
	}
	for _, request := range []string{
		greeting + "\x05\x02\x00\x01\x7f\x00\x00\x01\x20\xfb", // BIND
		greeting + "\x05\x01\x00\x09\x7f\x00\x00\x01\x20\xfb",
	} {
		if target, _, err := askSOCKS(bufio.NewReader(strings.NewReader(request)), io.Discard); err == nil {
			t.Errorf("%q: %q", request, target)
		}
	}
}

func FuzzAsk(f *testing.F) {
	f.Add([]byte("\x05\x01\x00\x05\x01\x00\x03\x09localhost\x20\xfb"))
	f.Add([]byte("\x05\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x20\xfb"))
	f.Add([]byte("CONNECT localhost:8443 HTTP/1.1\r\nHost: localhost:8443\r\n\r\n"))
	f.Add([]byte("GET http://localhost/ HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, request []byte) {
		target, _, err := askSOCKS(bufio.NewReader(bytes.NewReader(request)), io.Discard)
		if _, _, bad := net.SplitHostPort(target); err == nil && bad != nil && !strings.ContainsAny(target, "[]") {
			t.Errorf("%q: %q", request, target)
		}
		if _, answer, err := askHTTP(bufio.NewReader(bytes.NewReader(request)), io.Discard); err == nil {
			if err := answer(nil); err != nil {
				t.Error(err)
			}
		}
	})
}
