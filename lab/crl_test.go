package lab

import (
	"crypto/tls"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/certgen"
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

// couple is a server and a client of one journal.
func couple(t testing.TB, server, client Settings, o ClientOptions) (*Client, chan *Exchange) {
	t.Helper()
	told := make(chan *Exchange, 10)
	journal := &Journal{Paired: true, Each: func(x *Exchange) { told <- x }}
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
	return c, told
}

func TestCRLPolicies(t *testing.T) {
	now := time.Now()
	long := now.Add(-30 * 24 * time.Hour) // its CRLs are out of date
	for _, c := range []struct {
		name    string
		made    time.Time
		revoked []string
		want    map[CRLPolicy]Code
	}{
		{"nothing revoked", now, nil, map[CRLPolicy]Code{CRLSoft: "", CRLRequire: CRLMissing, CRLOff: ""}},
		{"another revoked", now, []string{"OTHER"}, map[CRLPolicy]Code{CRLSoft: "", CRLRequire: CRLMissing, CRLOff: ""}},
		{"client revoked", now, []string{"CLIENT"}, map[CRLPolicy]Code{CRLSoft: Revoked, "": Revoked, CRLRequire: CRLMissing, CRLOff: ""}},
		{"its CA revoked", now, []string{"SUB", "OTHER"}, map[CRLPolicy]Code{CRLSoft: IssuerRevoked, CRLRequire: IssuerRevoked, CRLOff: ""}},
		{"out of date", long, []string{"OTHER"}, map[CRLPolicy]Code{CRLSoft: "", CRLRequire: CRLMissing, CRLOff: ""}},
		{"out of date and listed", long, []string{"CLIENT"}, map[CRLPolicy]Code{CRLSoft: Revoked, CRLRequire: CRLMissing}},
	} {
		dir := filepath.Join(t.TempDir(), "certs")
		generate(t, dir, c.made, c.revoked...)
		for policy, want := range c.want {
			client, told := couple(t,
				Settings{Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}, CRL: policy},
				Settings{Credentials: Credentials{Dir: dir, Certificate: "client", Trust: "server-ca"}}, ClientOptions{})
			_, _ = client.Call(t.Context())
			x := next(t, told)
			if x.Code != want {
				t.Errorf("%s, %s: %q, %s, not %q", c.name, policy, x.Code, x.Reason, want)
			}
			if want != "" && (x.Alert == nil || x.Alert.Name != "bad_certificate" || x.RejectedBy != ServerSide) {
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
	client, told := couple(t,
		Settings{Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}},
		Settings{Credentials: Credentials{Dir: dir, Certificate: "client", Trust: "server-ca"}}, ClientOptions{})
	_, _ = client.Call(t.Context())
	if x := next(t, told); x.Outcome != Accepted {
		t.Errorf("%+v", x.Verdict)
	}
}

// A session that was begun before the revocation is of no more use after it,
// and the reason names what was revoked, by whom and when.
func TestRevocationReachesResumedSessions(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		dir := filepath.Join(t.TempDir(), "certs")
		generate(t, dir, time.Now())
		client, told := couple(t,
			Settings{Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}},
			Settings{Credentials: Credentials{Dir: dir, Certificate: "client", Trust: "server-ca"}, Version: version},
			ClientOptions{Resume: true})
		for i := range 2 {
			if _, err := client.Call(t.Context()); err != nil {
				t.Fatal(err)
			}
			if x := next(t, told); x.TLS.Resumed != (i == 1) {
				t.Errorf("%s: call %d: resumed %v", tls.VersionName(version), i, x.TLS.Resumed)
			}
		}
		generate(t, dir, time.Now(), "CLIENT")
		time.Sleep(freshness)
		_, err := client.Call(t.Context())
		x := next(t, told)
		if err == nil || x.Code != Revoked || !x.TLS.Resumed || x.RejectedBy != ServerSide {
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

// Clients look too.
func TestRevokedServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	generate(t, dir, time.Now(), "OTHER")
	for policy, want := range map[CRLPolicy]Code{CRLSoft: "", CRLRequire: CRLMissing} {
		client, told := couple(t,
			Settings{Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}},
			Settings{Credentials: Credentials{Dir: dir, Certificate: "client", Trust: "server-ca"}, CRL: policy}, ClientOptions{})
		_, _ = client.Call(t.Context())
		if x := next(t, told); x.Code != want || want != "" && x.RejectedBy != ClientSide {
			t.Errorf("%s: %+v", policy, x.Verdict)
		}
	}
}
