package lab

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/certgen/revocation"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/verdict"
)

// manifest is a PKI whose clients come from an intermediate CA.
const crlManifest = `subject: CN=server-ca
---
subject: CN=server
issuer: CN=server-ca
sans: [DNS:localhost]
---
subject: CN=client-ca
---
subject: CN=sub-ca
issuer: CN=client-ca
ca: true
revoked: SUB
---
subject: CN=client
issuer: CN=sub-ca
revoked: CLIENT
---
subject: CN=other
issuer: CN=sub-ca
revoked: OTHER
`

// generate makes, as of now, the PKI in which the names given are revoked.
func generate(t testing.TB, dir string, now time.Time, revoked ...string) {
	t.Helper()
	text := crlManifest
	for _, name := range []string{"SUB", "CLIENT", "OTHER"} {
		value := "false"
		for _, r := range revoked {
			if r == name {
				value = "true"
			}
		}
		text = strings.ReplaceAll(text, "revoked: "+name, "revoked: "+value)
	}
	m, err := certgen.Parse("certs.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := certgen.Generate(t.Context(), m, dir, certgen.Options{Now: func() time.Time { return now }}); err != nil {
		t.Fatal(err)
	}
}

// couple returns a client, which calls a server of the same journal, and the
// journal's exchanges.
func couple(t testing.TB, server, client Settings, o ClientOptions) (*Client, chan *Exchange) {
	t.Helper()
	reported := make(chan *Exchange, 10)
	journal := &Journal{Paired: true, Each: func(x *Exchange) { reported <- x }}
	server.Journal, client.Journal = journal, journal
	s, err := Listen(t.Context(), "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(t.Context())
	o.Addr = s.Addr().String()
	if o.URL == nil {
		o.URL = &url.URL{Scheme: "https", Host: "localhost", Path: "/"}
	}
	c, err := NewClient(o, client)
	if err != nil {
		t.Fatal(err)
	}
	return c, reported
}

func TestCRLPolicies(t *testing.T) {
	now := time.Now()
	long := now.Add(-30 * 24 * time.Hour) // its CRLs are out of date
	for _, c := range []struct {
		name    string
		made    time.Time
		revoked []string
		want    map[CRLPolicy]verdict.Code
	}{
		{"nothing revoked", now, nil, map[CRLPolicy]verdict.Code{CRLSoft: "", CRLRequire: chain.CRLMissing, CRLOff: ""}},
		{"another revoked", now, []string{"OTHER"}, map[CRLPolicy]verdict.Code{CRLSoft: "", CRLRequire: chain.CRLMissing, CRLOff: ""}},
		{"client revoked", now, []string{"CLIENT"}, map[CRLPolicy]verdict.Code{CRLSoft: chain.Revoked, "": chain.Revoked, CRLRequire: chain.CRLMissing, CRLOff: ""}},
		{"its CA revoked", now, []string{"SUB", "OTHER"}, map[CRLPolicy]verdict.Code{CRLSoft: chain.IssuerRevoked, CRLRequire: chain.IssuerRevoked, CRLOff: ""}},
		{"out of date", long, []string{"OTHER"}, map[CRLPolicy]verdict.Code{CRLSoft: "", CRLRequire: chain.CRLMissing, CRLOff: ""}},
		{"out of date and listed", long, []string{"CLIENT"}, map[CRLPolicy]verdict.Code{CRLSoft: chain.Revoked, CRLRequire: chain.CRLMissing}},
	} {
		dir := filepath.Join(t.TempDir(), "certs")
		generate(t, dir, c.made, c.revoked...)
		for policy, want := range c.want {
			client, reported := couple(t,
				Settings{Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}, CRL: policy},
				Settings{Credentials: Credentials{Dir: dir, Certificate: "client", Trust: "server-ca"}}, ClientOptions{})
			_, _ = client.Call(t.Context())
			x := next(t, reported)
			if x.Code != want {
				t.Errorf("%s, %s: %q, %s, not %q", c.name, policy, x.Code, x.Reason, want)
			}
			if want != "" && (x.Alert == nil || x.Alert.Name != "bad_certificate" || x.RejectedBy != endpoint.Server) {
				t.Errorf("%s, %s: %+v", c.name, policy, x.Verdict)
			}
		}
	}
}

// A CRL that another key has signed counts for nothing.
func TestCRLOfAnotherKey(t *testing.T) {
	dir, other := filepath.Join(t.TempDir(), "certs"), filepath.Join(t.TempDir(), "certs")
	generate(t, dir, time.Now())
	generate(t, other, time.Now(), "CLIENT")
	forged, err := os.ReadFile(filepath.Join(other, "sub-ca-crl.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sub-ca-crl.pem"), forged, 0o644); err != nil {
		t.Fatal(err)
	}
	client, reported := couple(t,
		Settings{Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}},
		Settings{Credentials: Credentials{Dir: dir, Certificate: "client", Trust: "server-ca"}}, ClientOptions{})
	_, _ = client.Call(t.Context())
	if x := next(t, reported); x.Outcome != verdict.Accepted {
		t.Errorf("%+v", x.Verdict)
	}
}

// A session from before the revocation is refused after it. The reason names
// the revoked certificate, the CA and the date.
func TestRevocationReachesResumedSessions(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		dir := filepath.Join(t.TempDir(), "certs")
		generate(t, dir, time.Now())
		client, reported := couple(t,
			Settings{Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}},
			Settings{Credentials: Credentials{Dir: dir, Certificate: "client", Trust: "server-ca"}, Version: version},
			ClientOptions{Resume: true})
		for i := range 2 {
			if _, err := client.Call(t.Context()); err != nil {
				t.Fatal(err)
			}
			if x := next(t, reported); x.TLS.Resumed != (i == 1) {
				t.Errorf("%s: call %d: resumed %v", tls.VersionName(version), i, x.TLS.Resumed)
			}
		}
		generate(t, dir, time.Now(), "CLIENT")
		time.Sleep(freshness)
		_, err := client.Call(t.Context())
		x := next(t, reported)
		if err == nil || x.Code != chain.Revoked || !x.TLS.Resumed || x.RejectedBy != endpoint.Server {
			t.Errorf("%s: %v, %+v, resumed %v", tls.VersionName(version), err, x.Verdict, x.TLS.Resumed)
		}
		leaf, err := certgen.LoadCertificates(dir, "client")
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"CN=client", leaf[0].SerialNumber.Text(16), "CN=sub-ca", time.Now().UTC().Format(time.DateOnly)} {
			if !strings.Contains(x.Reason, part) {
				t.Errorf("%q does not name %s", x.Reason, part)
			}
		}
	}
}

// Clients read CRLs too.
func TestRevokedServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	generate(t, dir, time.Now(), "OTHER")
	for policy, want := range map[CRLPolicy]verdict.Code{CRLSoft: "", CRLRequire: chain.CRLMissing} {
		client, reported := couple(t,
			Settings{Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}},
			Settings{Credentials: Credentials{Dir: dir, Certificate: "client", Trust: "server-ca"}, CRL: policy}, ClientOptions{})
		_, _ = client.Call(t.Context())
		if x := next(t, reported); x.Code != want || want != "" && x.RejectedBy != endpoint.Client {
			t.Errorf("%s: %+v", policy, x.Verdict)
		}
	}
}

// list writes a CRL of a CA into the folder of its PKI, as file.
func list(t *testing.T, dir, ca, file string, thisUpdate time.Time, extensions []pkix.Extension, serials ...*big.Int) {
	t.Helper()
	by, err := certgen.Load(dir, ca)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: thisUpdate, NextUpdate: thisUpdate.Add(24 * time.Hour), ExtraExtensions: extensions}
	for _, serial := range serials {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: thisUpdate})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, by.Leaf, by.PrivateKey.(crypto.Signer))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Beside a CRL that lists the client, no list but a newer complete one lets it
// in; beside one that does not, each keeps it out.
func TestOneRuleForAllCRLs(t *testing.T) {
	const delta, distributionPoint = 27, 28
	critical := func(arc int, value ...byte) []pkix.Extension {
		return []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, arc}, Critical: true, Value: value}}
	}
	now := time.Now()
	for name, second := range map[string]struct {
		thisUpdate   time.Time
		extensions   []pkix.Extension
		clears, adds bool
	}{
		"complete":      {now, nil, true, true},
		"delta":         {now, critical(delta, 2, 1, 1), false, true},
		"partitioned":   {now, critical(distributionPoint, 0x30, 3, 0x85, 1, 0xff), false, true},
		"unknown":       {now, critical(99, 5, 0), false, true},
		"in the future": {now.AddDate(10, 0, 0), nil, false, true},
	} {
		for _, policy := range []CRLPolicy{CRLSoft, CRLRequire} {
			for _, listed := range []bool{true, false} {
				dir := filepath.Join(t.TempDir(), "certs")
				generate(t, dir, now)
				client, err := certgen.LoadCertificates(dir, "client")
				if err != nil {
					t.Fatal(err)
				}
				list(t, dir, "client-ca", "client-ca-crl.pem", now.Add(-time.Hour), nil)
				first, after := []*big.Int{client[0].SerialNumber}, []*big.Int(nil)
				want := chain.Revoked
				if second.clears {
					want = ""
				}
				if !listed {
					first, after, want = nil, first, ""
					if second.adds {
						want = chain.Revoked
					}
				}
				list(t, dir, "sub-ca", "sub-ca-crl.pem", now.Add(-time.Hour), nil, first...)
				list(t, dir, "sub-ca", "second-crl.pem", second.thisUpdate, second.extensions, after...)
				caller, reported := couple(t,
					Settings{Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}, CRL: policy},
					Settings{Credentials: Credentials{Dir: dir, Certificate: "client", Trust: "server-ca"}}, ClientOptions{})
				_, _ = caller.Call(t.Context())
				if x := next(t, reported); x.Code != want {
					t.Errorf("%s, listed on the first %v, %s: %q, %s, not %q", name, listed, policy, x.Code, x.Reason, want)
				}
			}
		}
	}
}

// A CRL that does not count is none where one is required, and the reason says
// why it does not.
func TestRequiredCRLThatDoesNotCount(t *testing.T) {
	now := time.Now()
	for want, thisUpdate := range map[string]time.Time{
		"the server has no complete CRL of CN=sub-ca, and requires one: the one that it has is a delta CRL": now,
		"the server has no complete CRL of CN=sub-ca, and requires one: the one that it has is from the future (" +
			now.AddDate(1, 0, 0).UTC().Format(time.DateOnly) + ")": now.AddDate(1, 0, 0),
		"the server's CRL of CN=sub-ca is out of date since " + now.AddDate(-1, 0, 1).UTC().Format(time.DateOnly): now.AddDate(-1, 0, 0),
	} {
		dir := filepath.Join(t.TempDir(), "certs")
		generate(t, dir, now)
		var extensions []pkix.Extension
		if strings.Contains(want, "delta") {
			extensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}}
		}
		list(t, dir, "client-ca", "client-ca-crl.pem", now.Add(-time.Hour), nil)
		list(t, dir, "sub-ca", "sub-ca-crl.pem", thisUpdate, extensions)
		client, reported := couple(t,
			Settings{Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}, CRL: CRLRequire},
			Settings{Credentials: Credentials{Dir: dir, Certificate: "client", Trust: "server-ca"}}, ClientOptions{})
		_, _ = client.Call(t.Context())
		if x := next(t, reported); x.Reason != want || x.Outcome != verdict.Rejected {
			t.Errorf("%q, not %q", x.Reason, want)
		}
	}
}

// A CRL that does not say when it is out of date is not current.
func TestRequiredCRLWithoutNextUpdate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	generate(t, dir, time.Now())
	list(t, dir, "sub-ca", "sub-ca-crl.pem", time.Now().Add(-time.Hour), nil)
	crl, err := certgen.LoadCRL(dir, "sub-ca")
	if err != nil {
		t.Fatal(err)
	}
	crl.NextUpdate = time.Time{}
	var chain []*x509.Certificate
	for _, name := range []string{"client", "sub-ca"} {
		certificates, err := certgen.LoadCertificates(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, certificates[0])
	}
	for policy, want := range map[CRLPolicy]string{CRLSoft: "",
		CRLRequire: "there is no complete CRL of CN=sub-ca: the one that there is does not say when it is out of date (NextUpdate)"} {
		r := &revocations{policy: policy, lists: revocation.New([]*x509.RevocationList{crl})}
		err := r.check([][]*x509.Certificate{chain}, time.Now())
		if got := fmt.Sprint(err); got != want && (err != nil || want != "") {
			t.Errorf("%s: %q, not %q", policy, got, want)
		}
	}
}

// A certificate that says that nothing is published about it needs no CRL of
// its issuer; the CAs above it do, and a list that has it all the same counts
// (RFC 9608).
func TestNoRevAvail(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		extension, lists bool
		want             verdict.Code
	}{{true, false, ""}, {false, false, chain.CRLMissing}, {true, true, chain.Revoked}} {
		dir := filepath.Join(t.TempDir(), "certs")
		generate(t, dir, now)
		serial := big.NewInt(4711)
		issueAnew(t, dir, serial, test.extension)
		if test.lists {
			list(t, dir, "sub-ca", "sub-ca-crl.pem", now.Add(-time.Hour), nil, serial)
		}
		for _, above := range []bool{true, false} {
			want := test.want
			if above {
				list(t, dir, "client-ca", "client-ca-crl.pem", now.Add(-time.Hour), nil)
			} else if err := os.Remove(filepath.Join(dir, "client-ca-crl.pem")); err != nil {
				t.Fatal(err)
			} else {
				want = chain.CRLMissing
			}
			client, reported := couple(t,
				Settings{Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}, CRL: CRLRequire},
				Settings{Credentials: Credentials{Dir: dir, Certificate: "client", Trust: "server-ca"}}, ClientOptions{})
			_, _ = client.Call(t.Context())
			if x := next(t, reported); x.Code != want {
				t.Errorf("%+v, with a CRL for the CA %v: %q, %s", test, above, x.Code, x.Reason)
			}
		}
	}
}

// issueAnew replaces the client's certificate by one for the same key, with
// noRevAvail if wanted.
func issueAnew(t *testing.T, dir string, serial *big.Int, noRevAvail bool) {
	t.Helper()
	old, err := certgen.Load(dir, "client")
	if err != nil {
		t.Fatal(err)
	}
	by, err := certgen.Load(dir, "sub-ca")
	if err != nil {
		t.Fatal(err)
	}
	template := *old.Leaf
	template.SerialNumber, template.ExtraExtensions = serial, nil
	if noRevAvail {
		template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 56}, Value: []byte{5, 0}}}
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, by.Leaf, old.Leaf.PublicKey, by.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	var chain []byte
	for _, der := range append([][]byte{der}, old.Certificate[1:]...) {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	if err := os.WriteFile(filepath.Join(dir, "client.pem"), chain, 0o644); err != nil {
		t.Fatal(err)
	}
}
