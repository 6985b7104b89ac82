package verdict

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
)

// What the errors of crypto/tls and of the lab's own checks mean.
func TestExplain(t *testing.T) {
	leaf := newCertificate(t, nil)
	above := newCertificate(t, func(c *x509.Certificate) { c.Subject.CommonName = "between" })
	of := func(err error) error {
		return &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{leaf, above}, Err: err}
	}
	revokedAt := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	server, client := endpoint.Server, endpoint.Client
	for _, test := range []struct {
		err  error
		by   endpoint.Side
		code Code
		want string
	}{
		{of(x509.CertificateInvalidError{Cert: leaf, Reason: x509.Expired, Detail: "current time is after"}), client, chain.Expired, "the server's certificate has expired: it was valid until 2026-05-01 13:00:00 UTC"},
		{of(x509.CertificateInvalidError{Cert: above, Reason: x509.Expired, Detail: "current time is before"}), client, chain.NotYetValid, "the server's certificate leads through CN=between, which is not valid yet: it is valid from 2026-05-01 11:00:00 UTC"},
		{&chain.RevokedError{Subject: "CN=leaf", Serial: "1f", Issuer: "CN=ca", Date: revokedAt}, server, chain.Revoked, "the client's certificate CN=leaf with serial 1f was revoked by CN=ca on 2026-01-02"},
		{&chain.RevokedError{Subject: "CN=between", Serial: "1f", Issuer: "CN=ca", Date: revokedAt, CA: true}, server, chain.IssuerRevoked, "the client's certificate comes from a CA that is revoked: CN=between with serial 1f was revoked by CN=ca on 2026-01-02"},
		{&chain.CRLError{Issuer: "CN=ca"}, server, chain.CRLMissing, "the server has no CRL of CN=ca, and requires one"},
		{errNone, server, NoClientCertificate, noClientCertificate},
		{errors.New("tls: invalid signature by the server certificate: x"), client, BadSignature, "the server does not have the private key of its certificate: its signature is wrong"},
		{errors.New("tls: client offered only unsupported versions: [301]"), server, NoCommonVersion, noCommonVersion},
		{errors.New("tls: server selected unsupported protocol version 301"), client, NoCommonVersion, noCommonVersion},
		{errors.New("tls: client requested unsupported application protocols ([h3])"), server, NoCommonALPN, "the two sides have no HTTP version in common"},
		{errors.New("tls: no cipher suite supported by both client and server; client offered: []"), server, NoCommonCipherSuite, "the two sides have no cipher suite in common"},
		{errors.New("tls: no key exchanges supported by both client and server"), server, NoCommonGroup, "the two sides have no group for the key exchange in common"},
		{errors.New("tls: peer doesn't support any of the certificate's signature algorithms"), server, NoCommonSignature, "the server makes no signature with its key that the client takes: the key is of another kind, or it may not sign that way"},
		{errHTTP, server, SpokeNoTLS, "the client did not speak TLS, but plain HTTP"},
		{tls.RecordHeaderError{RecordHeader: [5]byte{'H', 'T', 'T', 'P', '/'}}, client, SpokeNoTLS, "the server did not speak TLS, but plain HTTP"},
		{errGarbage, client, SpokeNoTLS, "the server did not speak TLS"},
		{os.ErrDeadlineExceeded, server, TooSlow, "the client was silent for too long"},
		{fmt.Errorf("handshake: %w", context.DeadlineExceeded), client, TooSlow, "the server was silent for too long"},
		{misbehaves{Closed, true}, client, Closed, "client did it"},
		{errors.New("tls: something new"), client, Other, "something new"},
	} {
		why := Explain(test.err, test.by)
		if why.Code != test.code || why.Text != test.want {
			t.Errorf("%v: %s, %q, want %s, %q", test.err, why.Code, why.Text, test.code, test.want)
		}
	}
}

// What crypto/tls says of an echo server.
func TestExplainEcho(t *testing.T) {
	client, server := net.Pipe()
	t.Cleanup(func() { client.Close(); server.Close() })
	go io.Copy(server, server)
	err := tls.Client(client, &tls.Config{ServerName: "localhost"}).Handshake()
	if why := Explain(err, endpoint.Client); why.Code != SpokeNoTLS || !strings.Contains(why.Text, "sends back what it gets") {
		t.Errorf("%v: %s, %q", err, why.Code, why.Text)
	}
}

func TestRefuseInHTTP(t *testing.T) {
	for _, test := range []struct{ code, want Code }{{chain.Expired, chain.Expired}, {NoClientCertificate, NoClientCertificate},
		{"", RefusedInHTTP}, {Other, RefusedInHTTP}, {RefusedByCertificate, RefusedInHTTP}} {
		why := RefuseInHTTP(400, Reason{Code: test.code, Text: "why"})
		if why.Code != test.want || why.Text != "the server asked for a certificate, and refuses in HTTP with 400: why" {
			t.Errorf("%q: %+v", test.code, why)
		}
	}
}

func TestRefuseUnasked(t *testing.T) {
	for _, test := range []struct {
		status       int
		authenticate string
		code         Code // "": none
	}{{200, "", ""}, {400, "", ""}, {404, "Basic", ""}, {401, "", NotAsked}, {403, "", NotAsked}, {401, " ", NotAsked}, {401, "Bearer realm=a", RefusedInHTTP}} {
		code := Code("")
		if why := RefuseUnasked(test.status, test.authenticate); why != nil {
			code = why.Code
		}
		if code != test.code {
			t.Errorf("%d, %q: %q, want %q", test.status, test.authenticate, code, test.code)
		}
	}
}
