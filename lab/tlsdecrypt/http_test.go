package tlsdecrypt

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/wiretap"
)

// storeWriter is a KeyLogWriter that fills a store.
type storeWriter struct{ store *keylog.Store }

func (w storeWriter) Write(line []byte) (int, error) {
	entry, err := keylog.ParseLine(bytes.TrimSpace(line))
	w.store.Add(entry)
	return len(line), err
}

// Requests and responses of net/http, with a body of a megabyte each way.
func TestHTTP(t *testing.T) {
	const size = 1 << 20
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			var all []*Connection
			store := &keylog.Store{}
			d := New(Options{Secrets: store, Done: func(c *Connection) { all = append(all, c) }})
			config := serverConfig()
			config.NextProtos, config.KeyLogWriter = []string{protocol}, storeWriter{store}
			server := &http.Server{TLSConfig: config, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				w.Write(make([]byte, size))
			})}
			if protocol == "http/1.1" {
				server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
			}
			listener := must(net.Listen("tcp", "127.0.0.1:0"))
			served := make(chan struct{})
			go func() {
				defer close(served)
				server.ServeTLS(wiretap.New(d).Listener(listener), "", "")
			}()
			transport := &http.Transport{TLSClientConfig: clientConfig(), ForceAttemptHTTP2: protocol == "h2"}
			transport.TLSClientConfig.NextProtos = []string{protocol}
			client := &http.Client{Transport: transport}
			for range 2 {
				response, err := client.Post("https://"+listener.Addr().String()+"/upload", "text/plain", bytes.NewReader(make([]byte, size)))
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
			transport.CloseIdleConnections()
			server.Close()
			<-served
			d.Close()
			if len(all) != 1 {
				t.Fatalf("%d connections", len(all))
			}
			c := all[0]
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
			if len(c.Messages) > 200 {
				t.Errorf("%d messages", len(c.Messages))
			}
		})
	}
}
