package tlsdecrypt

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/tlswire"
)

// chains records mutual TLS in a version, checks it under t, and returns the
// checks of the server's and of the client's chain.
func chains(t *testing.T, version uint16, client *tls.Config, trust *Trust) (server, shown Check) {
	t.Helper()
	client.MinVersion, client.MaxVersion = version, version
	c := record(t, serverConfig(), client).dissect(t, Options{})
	c.Check(trust)
	for _, m := range c.Messages {
		for _, k := range m.Checks {
			switch {
			case k.Subject == "chain" && m.From == tlswire.SideServer:
				server = k
			case k.Subject == "chain":
				shown = k
			}
		}
	}
	return server, shown
}

// A certificate of a CA that is known, but not to the other side, fails.
func TestChainIsJudgedAsTheOtherSideDoes(t *testing.T) {
	p := testPKI()
	stranger := p.serverCA.issue("stranger", "ecdsa", time.Now().Add(time.Hour), x509.ExtKeyUsageClientAuth)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client := clientConfig()
		client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &stranger, nil }
		_, shown := chains(t, version, client, trust())
		if want := "CN=stranger leads to CN=server-ca; the server asked for a certificate of CN=client-ca."; shown.Result != Fails || shown.Text != want {
			t.Errorf("%x: %s: %q, want %q", version, shown.Result, shown.Text, want)
		}

		knowing := trust()
		knowing.ClientTrusts = []*x509.Certificate{p.clientCA.cert}
		knowing.ServerTrusts = []*x509.Certificate{p.clientCA.cert}
		server, shown := chains(t, version, clientConfig(), knowing)
		if want := "CN=server leads to CN=server-ca; the client trusts CN=client-ca alone."; server.Result != Fails || server.Text != want {
			t.Errorf("%x: %s: %q, want %q", version, server.Result, server.Text, want)
		}
		if shown.Result != Holds || !strings.Contains(shown.Text, "leads to the CA client-ca, and is good for a client.") {
			t.Errorf("%x: %s: %q", version, shown.Result, shown.Text)
		}
	}
}

// A CA with the name of the one that is trusted is another CA all the same.
func TestLookAlike(t *testing.T) {
	knowing := trust()
	knowing.ServerTrusts = []*x509.Certificate{newAuthority("client-ca").cert}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		_, shown := chains(t, version, clientConfig(), knowing)
		const want = "CN=client leads to another CA that also calls itself CN=client-ca: the names are the same, the keys are not, and the server trusts the other one."
		if shown.Result != Fails || shown.Text != want {
			t.Errorf("%x: %s: %q, want %q", version, shown.Result, shown.Text, want)
		}
	}
}

// What holds here, and is refused there all the same, gets no ✓.
func TestRefusedChain(t *testing.T) {
	client := clientConfig()
	client.RootCAs = testPKI().clientPool
	server, _ := chains(t, tls.VersionTLS13, client, trust())
	if server.Result != Unknown || !strings.HasSuffix(server.Text, "and is good for a server named localhost; yet the client refuses it with bad_certificate.") {
		t.Errorf("%s: %q", server.Result, server.Text)
	}
}

func TestRevoked(t *testing.T) {
	p := testPKI()
	client := p.client["ecdsa"]
	leaf := must(x509.ParseCertificate(client.Certificate[0]))
	list := func(by authority, at time.Time) *x509.RevocationList {
		issuer := *by.cert
		issuer.KeyUsage |= x509.KeyUsageCRLSign
		der := must(x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: at, NextUpdate: at.Add(time.Hour),
			RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: leaf.SerialNumber, RevocationTime: at}}}, &issuer, by.key))
		return must(x509.ParseRevocationList(der))
	}
	issuer := *p.clientCA.cert
	issuer.KeyUsage |= x509.KeyUsageCRLSign
	before := time.Now().Add(-time.Hour)
	for name, test := range map[string]struct {
		crl    *x509.RevocationList
		now    time.Time
		result Result
		want   string
	}{
		"before":     {list(p.clientCA, before), time.Time{}, Fails, "Revoked by CN=client-ca on " + before.UTC().Format(time.DateOnly) + " (serial "},
		"since":      {list(p.clientCA, time.Now().Add(time.Hour)), time.Now().Add(2 * time.Hour), Holds, "It does not any more: CN=client was revoked by CN=client-ca"},
		"by another": {list(newAuthority("client-ca"), before), time.Time{}, Holds, "The chain holds"},
	} {
		trust := &Trust{CAs: []NamedCA{{"client-ca", &issuer}, {"server-ca", p.serverCA.cert}}, CRLs: []*x509.RevocationList{test.crl}, Now: test.now}
		if _, shown := chains(t, tls.VersionTLS13, clientConfig(), trust); shown.Result != test.result || !strings.Contains(shown.Text, test.want) {
			t.Errorf("%s: %s: %q, want %q", name, shown.Result, shown.Text, test.want)
		}
	}
}
