package lab

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/verdict"
)

// Some servers, nginx among them, refuse a certificate in HTTP: they ask for
// one, complete the handshake in any case, and answer 400.

// errNoCertificate has the text of crypto/tls.
var errNoCertificate = errors.New("tls: client didn't provide a certificate")

// refuseInHTTP passes on the requests of clients whose certificate judge
// accepts, and answers those of others with 400.
func refuseInHTTP(judge func(c *serverConn, state tls.ConnectionState) error, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := serverConnOf(r.Context().Value(connKey{}).(*tls.Conn))
		err := judge(c, *r.TLS)
		switch {
		case err == nil:
			next.ServeHTTP(w, r)
			return
		case errors.Is(err, errNoCertificate):
			http.Error(w, "No required SSL certificate was sent", http.StatusBadRequest) // as nginx says it
		default:
			http.Error(w, "The SSL certificate error", http.StatusBadRequest)
		}
		c.refusal.Store(&err)
	})
}

// verifyClient verifies the client's certificate, which crypto/tls does not do
// under RequestClientCert.
func (s Settings) verifyClient(c *serverConn, state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errNoCertificate
	}
	between := x509.NewCertPool()
	for _, certificate := range state.PeerCertificates[1:] {
		between.AddCert(certificate)
	}
	var err error
	state.VerifiedChains, err = state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: c.own.trust, Intermediates: between,
		CurrentTime: time.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return s.verifier(c.own.revoked)(state)
}

// refusedInHTTP returns why a response refuses the client's certificate, or
// nil. The client knows a reason if the server asked for no certificate, or if
// it did and the client sent none, or one of a CA that the server does not
// name, or if the response says so, as nginx's does, or asks for a password.
func (x *clientExchange) refusedInHTTP(r *Response, resumed bool) *verdict.Reason {
	if !httpwire.MayRefuse(r.Status) {
		return nil
	}
	said := r.Status == http.StatusBadRequest && strings.Contains(string(r.Body), "SSL certificate") // as nginx says it
	switch {
	case !x.asked && resumed && r.Status == http.StatusUnauthorized:
		return verdict.RefuseBehindTLS(true, r.Authenticate)
	case !x.asked && resumed: // it knows the client from before
		return nil
	case !x.asked:
		return verdict.RefuseUnasked(r.Status, r.Authenticate)
	case x.shown == "":
		return verdict.RefuseInHTTP(r.Status, verdict.Reason{Code: verdict.NoClientCertificate, Text: "the client sent none"})
	case !x.unnamed && r.Status == http.StatusUnauthorized:
		return verdict.RefuseBehindTLS(false, r.Authenticate)
	case x.unnamed && said:
		return verdict.RefuseInHTTP(r.Status, verdict.Reason{Code: chain.UnknownCA, Text: "the one that the client sent is not of a CA that it names"})
	case said:
		return verdict.RefuseInHTTP(r.Status, verdict.Reason{Text: "it does not take the one that the client sent, and only its own log knows why"})
	}
	return nil
}
