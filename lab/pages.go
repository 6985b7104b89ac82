package lab

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/text"
)

// Pages serves GET / as text and GET /tls as JSON. Both describe the connection
// of the request, which must be TLS. A server has them if [Settings] names no
// other handler.
func Pages() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch reads := r.Method == http.MethodGet || r.Method == http.MethodHead; {
		case reads && r.URL.Path == "/":
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, greeting(r))
		case reads && r.URL.Path == "/tls":
			w.Header().Set("Content-Type", "application/json")
			known, _ := json.Marshal(acquaint(r.TLS))
			_, _ = w.Write(text.Unicode.JSON(append(known, '\n')))
		default:
			http.Error(w, "There is nothing here. Try / or /tls.", http.StatusNotFound)
		}
	})
}

// greeting describes the connection of a request.
func greeting(r *http.Request) string {
	negotiated := describeTLS(*r.TLS)
	client, issuer := "whoever you are", "nobody: no certificate was asked for"
	if leaf := leafOf(r); leaf != nil {
		client, issuer = text.Clean(chain.Name(leaf)), text.Clean(dn.Issuer(leaf))
	}
	return "Hello " + client +
		"\n\nclient        " + client +
		"\nissued by     " + issuer +
		"\nTLS version   " + negotiated.Version +
		"\ncipher suite  " + negotiated.CipherSuite +
		"\ngroup         " + negotiated.Group + "\n"
}

// leafOf returns the client's certificate, nil if the server asks for none
// (Settings.Unasking).
func leafOf(r *http.Request) *x509.Certificate {
	if len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0]
}

// strictHost serves only requests for hosts that the server's certificate for
// the connection is for, and answers others with 421 (RFC 9110 section
// 15.5.20).
func strictHost(current func() (*tls.Config, *identity, error), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		_, own, err := current()
		if err == nil {
			if leaf := own.leaf(r.TLS.ServerName); leaf != nil && leaf.VerifyHostname(host) == nil {
				next.ServeHTTP(w, r)
				return
			}
		}
		http.Error(w, "Misdirected Request", http.StatusMisdirectedRequest)
	})
}

// acquaintance is what the server knows of a client from its handshake.
type acquaintance struct {
	Client struct {
		Subject   string    `json:"subject"`
		Issuer    string    `json:"issuer"`
		Serial    string    `json:"serial"` // hexadecimal
		NotBefore time.Time `json:"not_before"`
		NotAfter  time.Time `json:"not_after"`
	} `json:"client"`
	TLS TLS `json:"tls"`
}

func acquaint(state *tls.ConnectionState) acquaintance {
	a := acquaintance{TLS: describeTLS(*state)}
	if len(state.PeerCertificates) == 0 { // Settings.Unasking
		return a
	}
	leaf := state.PeerCertificates[0]
	a.Client.Subject, a.Client.Issuer = dn.Subject(leaf), dn.Issuer(leaf)
	a.Client.Serial = dn.Serial(leaf)
	a.Client.NotBefore, a.Client.NotAfter = leaf.NotBefore, leaf.NotAfter
	return a
}

// connKey is where a request's context holds its connection.
type connKey struct{}

// noteFirst notes a connection's first response. With HTTP/1 it is reported
// once it is sent: the client need not wait for the journal.
func noteFirst(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, r)
		if conn, ok := r.Context().Value(connKey{}).(*tls.Conn); ok {
			c := serverConnOf(conn)
			c.answered.CompareAndSwap(nil, &HTTP{Status: answer.status})
			if r.ProtoMajor == 2 { // other requests may keep the connection from being idle
				c.answer()
			}
		}
	})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
