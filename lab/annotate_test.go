package lab

import (
	"net/http"
	"slices"
	"sync"
	"testing"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

// comments collects what is recorded of connections in words.
type comments struct {
	mu  sync.Mutex
	all []string
}

func (c *comments) Open(wiretap.Event) wiretap.Handler {
	return func(e wiretap.Event) {
		if e.Kind == wiretap.Verdict {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.all = append(c.all, string(e.Data))
		}
	}
}

// status answers every request with a status.
func status(code int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
}

// A capture says why a connection was rejected, and why HTTP refused one that
// was accepted. Of what is well it says nothing.
func TestCaptureSaysWhy(t *testing.T) {
	dir := newPKI(t)
	for name, test := range map[string]struct {
		certificate string
		server      Settings
		want        []string // what the server's end says; nil: nothing
	}{
		"accepted":        {"client", Settings{}, nil},
		"not found":       {"client", Settings{Handler: http.NotFoundHandler()}, nil},
		"rejected":        {"", Settings{}, []string{"rejected by the server: the client sent no certificate"}},
		"refused in HTTP": {"", Settings{RefuseInHTTP: true}, []string{"the server asked for a certificate, and refuses in HTTP with 400: the client sent no certificate"}},
		"not allowed":     {"client", Settings{Allow: []string{"CN=another"}}, []string{"the client was authenticated, but is not allowed what it asked for: the server answered 403"}},
		"unauthorised":    {"client", Settings{Handler: status(401)}, []string{"the server refuses in HTTP with 401 a client that it accepted in TLS"}},
		"not asked, 401":  {"client", Settings{Unasking: true, Handler: status(401)}, []string{"not mutual: the server never asked for a certificate, and refuses in HTTP with 401"}},
		"not asked, 403":  {"", Settings{Unasking: true, Allow: []string{"CN=another"}}, []string{"not mutual: the server never asked for a certificate, and refuses in HTTP with 403"}},
		"another host":    {"client", Settings{Handler: status(421)}, []string{"the server refuses in HTTP with 421: it does not answer for this host on this connection"}},
	} {
		said := &comments{}
		test.server.Credentials, test.server.Tap = Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}, wiretap.New(said)
		client, reported := couple(t, test.server,
			Settings{Credentials: Credentials{Dir: dir, Certificate: test.certificate, Trust: "server-ca"}}, ClientOptions{})
		_, _ = client.Call(t.Context())
		x := next(t, reported)
		said.mu.Lock()
		if !slices.Equal(said.all, test.want) {
			t.Errorf("%s: %q, want %q", name, said.all, test.want)
		}
		if refused := x.Outcome == verdict.Rejected || x.IsDenied(); refused != (test.want != nil) { // one rule for the capture and the rest
			t.Errorf("%s: refused: %v, in the capture: %v", name, refused, !refused)
		}
		said.mu.Unlock()
	}
}

// That HTTP refuses a certificate, and why, the server knows: an exchange that
// is dissected says the same as one that is not.
func TestRefusedInHTTPAndDissected(t *testing.T) {
	dir := newPKI(t)
	expiredClient(t, dir)
	for certificate, want := range map[string]verdict.Code{"expired": chain.Expired, "": verdict.NoClientCertificate, "server": chain.UnknownCA} {
		reported := make(chan *Exchange, 1)
		journal := &Journal{Each: func(x *Exchange) { reported <- x }}
		dissection := journal.Dissect()
		s, err := Listen(t.Context(), "127.0.0.1:0", Settings{RefuseInHTTP: true, Journal: journal, Tap: wiretap.New(dissection),
			Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}})
		if err != nil {
			t.Fatal(err)
		}
		go s.Serve(t.Context())
		callAs(t, dir, s.Addr().String(), func(s *Settings) { s.Credentials.Certificate = certificate })
		x := next(t, reported)
		if x.Wire == nil || x.Outcome != verdict.Accepted || x.How != verdict.InHTTP || x.Code != want {
			t.Errorf("%q: %s, %q, %s, want %s; dissected: %v", certificate, x.Outcome, x.How, x.Code, want, x.Wire != nil)
		}
		dissection.Close()
	}
}
