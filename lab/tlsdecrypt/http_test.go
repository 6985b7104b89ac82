package tlsdecrypt

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/wiretap"
	"mtlslab.example/lab/lab/wiretap/wiretaptest"
)

// storeWriter is a KeyLogWriter that fills a store.
type storeWriter struct{ store *keylog.Store }

func (w storeWriter) Write(line []byte) (int, error) {
	entry, err := keylog.ParseLine(bytes.TrimSpace(line))
	w.store.Add(entry)
	return len(line), err
}

// dissectHTTP follows net/http on one connection on which a client makes calls.
func dissectHTTP(t *testing.T, protocol string, config *tls.Config, handler http.HandlerFunc, calls func(client *http.Client, url string)) *Connection {
	t.Helper()
	var all []*Connection
	store := &keylog.Store{}
	d := New(Options{Secrets: store, Done: func(c *Connection) { all = append(all, c) }})
	config.NextProtos, config.KeyLogWriter = []string{protocol}, storeWriter{store}
	server := &http.Server{TLSConfig: config, Handler: handler}
	if protocol == "http/1.1" {
		server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	}
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.ServeTLS(wiretaptest.Listener(wiretap.New(d), listener), "", "")
	}()
	transport := &http.Transport{TLSClientConfig: clientConfig(), ForceAttemptHTTP2: protocol == "h2"}
	transport.TLSClientConfig.NextProtos = []string{protocol}
	calls(&http.Client{Transport: transport, Timeout: 30 * time.Second}, "https://"+listener.Addr().String())
	transport.CloseIdleConnections()
	server.Close()
	<-served
	d.Close()
	if len(all) != 1 {
		t.Fatalf("%d connections", len(all))
	}
	return all[0]
}

// Requests and responses of net/http, with a body of a megabyte each way.
func TestHTTP(t *testing.T) {
	const size = 1 << 20
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			echo := func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				w.Write(make([]byte, size))
			}
			c := dissectHTTP(t, protocol, serverConfig(), echo, func(client *http.Client, url string) {
				for range 2 {
					response, err := client.Post(url+"/upload", "text/plain", bytes.NewReader(make([]byte, size)))
					if err != nil {
						t.Fatal(err)
					}
					io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
			})
			var lines []string
			for _, m := range c.Messages {
				if m.HTTP != nil {
					lines = append(lines, strings.TrimSuffix(m.HTTP.Line, " OK"))
					if m.HTTP.Body != size {
						t.Errorf("%s: a body of %d bytes", m.HTTP.Line, m.HTTP.Body)
					}
				}
				if m.Encrypted || m.Err != nil || len(m.Data) > maxData {
					t.Errorf("%s: %v", describe(m), m.Err)
				}
			}
			version := map[string]string{"http/1.1": "HTTP/1.1", "h2": "HTTP/2"}[protocol]
			request, response := "POST /upload "+version, version+" 200"
			if want := []string{request, response, request, response}; !slices.Equal(lines, want) || c.ALPN != protocol || len(c.Problems) > 0 {
				t.Errorf("%q, want %q; ALPN %q, problems %v", lines, want, c.ALPN, c.Problems)
			}
			if protocol == "http/1.1" && len(c.Messages) > 200 { // HTTP/2 puts WINDOW_UPDATEs between, as many as it likes
				t.Errorf("%d messages", len(c.Messages))
			}
		})
	}
}

// A server that asks for a certificate may refuse the one it gets in its first
// answer, or with 401 or 403 in a later one.
func TestRefusedInHTTP(t *testing.T) {
	for _, test := range []struct {
		protocol string
		asks     bool
		statuses []int // of one answer after the other
		refused  int   // the status; 0: it does not
	}{
		{"http/1.1", true, []int{400}, 400},
		{"h2", true, []int{403, 200}, 403},
		{"h2", true, []int{200, 403, 200}, 403},
		{"http/1.1", true, []int{200, 401}, 401},
		{"http/1.1", true, []int{200, 400}, 0},
		{"http/1.1", true, []int{404}, 0},
		{"http/1.1", false, []int{400}, 0},
	} {
		config, answers := serverConfig(), 0
		if config.ClientAuth = tls.NoClientCert; test.asks {
			config.ClientAuth = tls.RequestClientCert
		}
		answer := func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(test.statuses[answers])
			answers++
		}
		c := dissectHTTP(t, test.protocol, config, answer, func(client *http.Client, url string) {
			for range test.statuses {
				response, err := client.Get(url)
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
			}
		})
		if refusal := c.Progress().Refusal; (test.refused != 0) != (refusal != nil) || refusal != nil && refusal.HTTP.Status != test.refused {
			t.Errorf("%+v: %+v", test, refusal)
		}
		inJSON := fmt.Sprintf(`"http_refused":%d,`, test.refused)
		if text := string(must(json.Marshal(c))); strings.Contains(text, "http_refused") != (test.refused != 0) || test.refused != 0 && !strings.Contains(text, inJSON) || !c.Progress().Succeeded {
			t.Errorf("%+v: %.500s", test, text)
		}
	}
}
