package web

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/scenario"
)

// run lets the lab's server and client meet in a scenario, and returns the
// exchange.
func run(t testing.TB, name string, version uint16) *Exchange {
	t.Helper()
	x, _ := recorded(t, name, version)
	return x
}

// recorded is run, and returns the file with its capture too.
func recorded(t testing.TB, name string, version uint16) (x *Exchange, file string) {
	t.Helper()
	manifest, err := os.ReadFile(filepath.Join("..", "..", "certs.yaml"))
	must(t, err)
	s, err := scenario.Find(name)
	must(t, err)
	dir := t.TempDir()
	r, err := s.Run(t.Context(), version, scenario.Options{Manifest: manifest, Dir: dir, Keep: KeepBytes})
	must(t, err)
	if len(r.Wrong) > 0 {
		t.Fatal(r.Wrong)
	}
	return &Exchange{Exchange: r.Exchange, Trust: &chain.Trust{}, Ladder: ladder.Options{Title: name + ", " + tls.VersionName(version)}}, r.Capture
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// oneLesson are lessons with one alone.
type oneLesson struct{ t testing.TB }

func (l oneLesson) Find(message string) ([]json.RawMessage, error) {
	if message != "" && message != "expired" {
		return nil, nil
	}
	return []json.RawMessage{json.RawMessage(`{"name": "expired-client", "title": "the client's certificate has expired", "side": "server rejects client", "versions": ["TLS 1.2", "TLS 1.3"]}`)}, nil
}

func (l oneLesson) Run(_ context.Context, name, version string) ([]*Exchange, error) {
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		if name == "expired-client" && tls.VersionName(v) == version {
			return []*Exchange{run(l.t, name, v)}, nil
		}
	}
	return nil, errors.New("there is no such lesson")
}

// serve serves a page on a free port of 127.0.0.1.
func serve(t testing.TB, p *Page) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := Serve(l, p, "")
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// request is one to the page, with its cookie.
func (s *Server) request(t testing.TB, method, path string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.listener.Addr().String()+path, nil)
	must(t, err)
	r.AddCookie(&http.Cookie{Name: s.guard.cookie(), Value: s.guard.token})
	return r
}

// get returns the status and the body of an answer.
func get(t testing.TB, r *http.Request) (status int, body string) {
	t.Helper()
	response, err := http.DefaultClient.Do(r)
	must(t, err)
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	must(t, err)
	return response.StatusCode, string(all)
}

// events reads the stream from after an exchange on, and passes each event to
// next until that returns false or the stream ends.
func events(t testing.TB, s *Server, after string, next func(name, data string) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	response, err := http.DefaultClient.Do(s.request(t, "GET", "/events?after="+after).WithContext(ctx))
	must(t, err)
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 64<<20)
	name := ""
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			name = rest
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && !next(name, data) {
			return
		}
	}
	must(t, lines.Err())
}

// numbers are the numbers of the exchanges in an event.
func numbers(t testing.TB, data string) (numbers []int) {
	t.Helper()
	var rows []struct {
		Exchange int `json:"exchange"`
	}
	must(t, json.Unmarshal([]byte(data), &rows))
	for _, r := range rows {
		numbers = append(numbers, r.Exchange)
	}
	return numbers
}
