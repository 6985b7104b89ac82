package tlsdecrypt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/wiretap"
)

// chains records mutual TLS in a version, checks it under t, and returns the
// checks of the server's and of the client's chain.
func chains(t *testing.T, version uint16, client *tls.Config, trust *chain.Trust) (server, shown Check) {
	t.Helper()
	client.MinVersion, client.MaxVersion = version, version
	c := record(t, serverConfig(), client).dissect(t, Options{})
	c.Check(trust)
	for _, m := range c.Messages {
		for _, k := range m.Checks {
			switch {
			case k.Subject == "chain" && m.From == endpoint.Server:
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
		if want := "CN=server leads to CN=server-ca; the client trusts CN=client-ca alone; yet the client takes it."; server.Result != Unknown || server.Text != want {
			t.Errorf("%x: %s: %q, want %q", version, server.Result, server.Text, want)
		}
		if shown.Result != Holds || !strings.Contains(shown.Text, "holds under CN=client-ca: CN=client is good for a client.") {
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
		const want = "CN=client leads to another CA that also calls itself CN=client-ca: the names are the same, the keys are not, and the server trusts the other one; yet the server takes it."
		if shown.Result != Unknown || shown.Text != want {
			t.Errorf("%x: %s: %q, want %q", version, shown.Result, shown.Text, want)
		}
	}
}

// What holds here, and is refused there all the same, gets no ✓.
func TestRefusedChain(t *testing.T) {
	client := clientConfig()
	client.RootCAs = testPKI().clientPool
	server, _ := chains(t, tls.VersionTLS13, client, trust())
	if server.Result != Unknown || !strings.HasSuffix(server.Text, "is good for a server named localhost under CN=server-ca; yet the client refuses it with bad_certificate.") {
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
		"before":     {list(p.clientCA, before), time.Time{}, Fails, "was revoked by CN=client-ca on " + before.UTC().Format(time.DateOnly)},
		"since":      {list(p.clientCA, time.Now().Add(time.Hour)), time.Now().Add(2 * time.Hour), Holds, "It does not any more: CN=client with serial "},
		"by another": {list(newAuthority("client-ca"), before), time.Time{}, Holds, "The chain holds"},
	} {
		trust := &chain.Trust{CAs: []chain.NamedCA{{Name: "client-ca", Certificate: &issuer}, {Name: "server-ca", Certificate: p.serverCA.cert}}, CRLs: []*x509.RevocationList{test.crl}, Now: test.now}
		if _, shown := chains(t, tls.VersionTLS13, clientConfig(), trust); shown.Result != test.result || !strings.Contains(shown.Text, test.want) {
			t.Errorf("%s: %s: %q, want %q", name, shown.Result, shown.Text, test.want)
		}
	}
}

// lenient is a server that takes any client certificate.
func lenient() *tls.Config {
	server := serverConfig()
	server.ClientAuth = tls.RequireAnyClientCert
	return server
}

// shownTo records a client that shows a certificate to a server, and returns
// the check of its chain under t.
func shownTo(t *testing.T, server *tls.Config, shown tls.Certificate, trust *chain.Trust) (check Check) {
	t.Helper()
	client := clientConfig()
	client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown, nil }
	c := record(t, server, client).dissect(t, Options{})
	c.Check(trust)
	for _, m := range c.Messages {
		for _, k := range m.Checks {
			if k.Subject == "chain" && m.From == endpoint.Client {
				check = k
			}
		}
	}
	return check
}

// The CAs of a folder may have nothing to do with a capture. A chain that leads
// to none of them is wrong only where it is known what the other side trusts,
// or where that says so; what the certificate itself says is known in any case.
func TestChainOfAnotherPKI(t *testing.T) {
	p := testPKI()
	tomorrow := time.Now().Add(24 * time.Hour)
	elsewhere, again := newAuthority("stranger-ca"), newAuthority("client-ca")
	stranger := elsewhere.issue("stranger", "ecdsa", tomorrow, x509.ExtKeyUsageClientAuth)
	for name, test := range map[string]struct {
		shown tls.Certificate
		want  string // where it is not known what the server trusts
	}{
		"elsewhere":        {stranger, "Cannot be checked: CN=stranger was issued by CN=stranger-ca, which was not sent along and is not in certs; the server asked for a certificate of CN=client-ca, and takes this one all the same."},
		"made anew":        {again.issue("client", "ecdsa", tomorrow, x509.ExtKeyUsageClientAuth), "Cannot be checked: CN=client was issued by CN=client-ca, but not by the CA of that name in certs: the keys differ (SHA-256 " + chain.KeyID(again.cert) + ", there " + chain.KeyID(p.clientCA.cert) + "); the server asked for a certificate of that CA, and takes this one."},
		"by itself":        {tls.Certificate{Certificate: [][]byte{elsewhere.cert.Raw}, PrivateKey: elsewhere.key}, "Cannot be checked: CN=stranger-ca is signed by itself, and is not in certs; the server asked for a certificate of CN=client-ca, and takes this one all the same."},
		"by itself, twice": {tls.Certificate{Certificate: [][]byte{elsewhere.cert.Raw, elsewhere.cert.Raw}, PrivateKey: elsewhere.key}, "Cannot be checked: CN=stranger-ca is signed by itself, and is not in certs; the server asked for a certificate of CN=client-ca, and takes this one all the same. CN=stranger-ca was sent twice."},
		"does not parse": {tls.Certificate{Certificate: append(slices.Clone(stranger.Certificate), []byte{0x30, 0}), PrivateKey: stranger.PrivateKey},
			"Cannot be checked: a certificate of its chain does not parse: malformed tbs certificate."},
	} {
		folder := trust()
		folder.Places = []string{"certs"}
		if got := shownTo(t, lenient(), test.shown, folder); got.Result != Unknown || got.Text != test.want {
			t.Errorf("%s, taken: %s: %q, want %q", name, got.Result, got.Text, test.want)
		}
		if name == "does not parse" {
			continue
		}
		knowing := trust()
		knowing.ServerTrusts = []*x509.Certificate{p.clientCA.cert}
		if got := shownTo(t, lenient(), test.shown, knowing); got.Result != Unknown || !strings.Contains(got.Text, "takes ") {
			t.Errorf("%s, trust known, taken: %s: %q", name, got.Result, got.Text)
		}
		if got := shownTo(t, serverConfig(), test.shown, knowing); got.Result != Fails {
			t.Errorf("%s, trust known: %s: %q", name, got.Result, got.Text)
		}
		if got := shownTo(t, serverConfig(), test.shown, trust()); got.Result != Fails {
			t.Errorf("%s, refused: %s: %q", name, got.Result, got.Text)
		}
		if !strings.HasPrefix(name, "by itself") {
			continue
		}
		if got := shownTo(t, serverConfig(), test.shown, &chain.Trust{}); got.Fault == nil || got.Fault.Code != chain.SelfSigned {
			t.Errorf("%s, refused, no CA is known: %s: %q", name, got.Result, got.Text)
		}
	}
	for name, test := range map[string]struct {
		shown tls.Certificate
		want  string
	}{
		"expired": {elsewhere.issue("client", "ecdsa", time.Now().Add(-time.Hour), x509.ExtKeyUsageClientAuth), "The chain fails: CN=client has expired: it was valid until "},
		"usage":   {p.clientCA.issue("client", "ecdsa", tomorrow, x509.ExtKeyUsageServerAuth), "The chain fails: CN=client is not for authenticating a client (extended key usage); the server takes it all the same."},
	} {
		if got := shownTo(t, lenient(), test.shown, trust()); got.Result != Fails || !strings.HasPrefix(got.Text, test.want) {
			t.Errorf("%s: %s: %q", name, got.Result, got.Text)
		}
	}
}

// What crypto/x509 refuses to look at is not known to be wrong.
func TestChainThatIsNotChecked(t *testing.T) {
	p := testPKI()
	issue := func(change func(*x509.Certificate)) tls.Certificate {
		key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		template := &x509.Certificate{SerialNumber: big.NewInt(5), Subject: pkix.Name{CommonName: "client"}, NotBefore: time.Now().Add(-time.Hour),
			NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		change(template)
		der := must(x509.CreateCertificate(rand.Reader, template, p.clientCA.cert, key.Public(), p.clientCA.key))
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	for want, change := range map[string]func(*x509.Certificate){
		"Cannot be checked: the signature on CN=client is of a kind (ECDSA-SHA1) that is not taken here.": func(c *x509.Certificate) {
			c.SignatureAlgorithm = x509.ECDSAWithSHA1
		},
		"Cannot be checked: a certificate of its chain has a critical extension that is not known here; the server may know it.": func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
		},
	} {
		if got := shownTo(t, lenient(), issue(change), trust()); got.Result != Unknown || got.Text != want {
			t.Errorf("%s: %q, want %q", got.Result, got.Text, want)
		}
	}
}

// An authority between may restrict what those below it are for, which not
// everybody looks at.
func TestUsageOfAnAuthorityBetween(t *testing.T) {
	p := testPKI()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "between"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	between := authority{must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, p.clientCA.cert, key.Public(), p.clientCA.key)))), key}
	shown := between.issue("client", "ecdsa", time.Now().Add(time.Hour), x509.ExtKeyUsageClientAuth)
	shown.Certificate = append(shown.Certificate, between.cert.Raw)
	reason := "CN=client leads through CN=between, which is not for authenticating a client (extended key usage)"
	want := "The chain fails: " + reason + "; the server takes it all the same."
	if got := shownTo(t, lenient(), shown, trust()); got.Result != Fails || got.Text != want {
		t.Errorf("%s: %q, want %q", got.Result, got.Text, want)
	}
	want = "Cannot be checked: CN=client leads over CN=between (sent along) to CN=client-ca, which is not in certs; CN=between is not for authenticating a client (extended key usage); the server asked for a certificate of that CA, and takes this one."
	got := shownTo(t, lenient(), shown, &chain.Trust{Places: []string{"certs"}})
	if got.Result != Unknown || got.Text != want || got.Fault == nil || got.Fault.Code != chain.WrongUsage {
		t.Errorf("%s: %q, %+v, want %q", got.Result, got.Text, got.Fault, want)
	}
	if got := shownTo(t, serverConfig(), shown, trust()); got.Result != Fails || !strings.Contains(got.Text, reason) {
		t.Errorf("refused: %s: %q", got.Result, got.Text)
	}
}

// A server may name some CAs and take certificates of others, too.
func TestNotAskedForAndTakenAllTheSame(t *testing.T) {
	p := testPKI()
	of := p.serverCA.issue("guest", "ecdsa", time.Now().Add(time.Hour), x509.ExtKeyUsageClientAuth)
	want := "CN=guest leads to CN=server-ca; the server asked for a certificate of CN=client-ca, and may take this one all the same."
	if got := shownTo(t, lenient(), of, trust()); got.Result != Unknown || got.Text != want {
		t.Errorf("%s: %q, want %q", got.Result, got.Text, want)
	}
}

// Old clients take a name in the subject alone, and captures may have no times.
func TestNamesAndTimesThatCannotBeJudged(t *testing.T) {
	p := testPKI()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	for want, names := range map[string][]string{
		"Cannot be checked: CN=localhost has the name localhost in its subject alone, which older clients take and newer ones do not (RFC 9525 section 6.3).": nil,
		"Cannot be checked: CN=localhost is for l*.example, a wildcard that some clients take and others do not (RFC 9525 section 6.3).":                      {"l*.example"},
	} {
		template := &x509.Certificate{SerialNumber: big.NewInt(6), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour),
			NotAfter: time.Now().Add(time.Hour), DNSNames: names}
		der := must(x509.CreateCertificate(rand.Reader, template, p.serverCA.cert, key.Public(), p.serverCA.key))
		server, client := serverConfig(), clientConfig()
		server.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
		client.InsecureSkipVerify = true
		c := record(t, server, client).dissect(t, Options{})
		c.Check(trust())
		found := slices.ContainsFunc(c.Messages, func(m *Message) bool {
			return slices.ContainsFunc(m.Checks, func(k Check) bool { return k.Result == Unknown && k.Text == want })
		})
		if !found {
			t.Errorf("%q, want %q", results(c), want)
		}
	}
	expired := p.clientCA.issue("client", "ecdsa", time.Now().Add(-time.Hour), x509.ExtKeyUsageClientAuth)
	client := clientConfig()
	client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &expired, nil }
	c := record(t, lenient(), client).change(func(e wiretap.Event) []wiretap.Event {
		e.Time = time.Time{}
		return []wiretap.Event{e}
	}).dissect(t, Options{})
	c.Check(trust())
	if got := results(c); !slices.Contains(got, "client Certificate: chain unknown") {
		t.Errorf("a capture without times: %q", got)
	}
}
