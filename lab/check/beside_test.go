package check

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/verdict"
)

// found returns the findings of a rule.
func found(r *Report, rule string) (all []Finding) {
	for _, f := range r.Findings() {
		if f.Rule == rule {
			all = append(all, f)
		}
	}
	return all
}

// Two CAs of one name with different keys are noted, with their dates and what
// each has issued, unless they are together wherever they are.
func TestNamesakes(t *testing.T) {
	b := newBench(t, pki)
	twin := newBench(t, "subject: CN=root\n").read("root.pem")
	b.write("twin.pem", twin)
	b.write("both.pem", b.read("root.pem"), twin)
	f := found(b.look(nil, "root.pem", "twin.pem", "client.pem", "client-key.pem"), "ca_namesakes")
	if len(f) != 1 || f[0].Level != Note || !strings.HasPrefix(f[0].Text, "2 CAs are called CN=root, and have different keys: the one in "+b.in("root.pem")+" (SHA-256 of its key ") ||
		!strings.Contains(f[0].Text, ", it has issued CN=client) and the one in "+b.in("twin.pem")) {
		t.Errorf("%+v", f)
	}
	for name, files := range map[string][]string{"together": {"both.pem"}, "one alone": {"root.pem", "client.pem", "client-key.pem"}, "twice the same": {"root.pem", b.write("again.pem", b.read("root.pem"))}} {
		if f := found(b.look(nil, files...), "ca_namesakes"); len(f) > 0 {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if f := found(b.look(nil, "both.pem", "twin.pem"), "ca_namesakes"); len(f) != 1 {
		t.Errorf("%+v", f)
	}
	// Only the CA that has not signed it is there.
	f = found(b.look(nil, "client.pem", "client-key.pem", "twin.pem"), string(chain.LookAlikeCA))
	if len(f) != 1 || f[0].Level != Note || !strings.HasPrefix(f[0].Text, "CN=client was issued by CN=root, but not by the CA of that name in "+b.in("twin.pem")+": the keys differ (SHA-256 ") || !strings.HasSuffix(f[0].Text, "); who trusts that one alone refuses it") {
		t.Errorf("%+v", f)
	}
}

// A certificate that is for the other side than its file's name says is noted,
// and so are files without a certificate for one of the sides.
func TestForTheOtherSide(t *testing.T) {
	b := newBench(t, pki)
	both := func(name, from string) []string {
		return []string{b.write(name+".pem", b.read(from+".pem")), b.write(name+"-key.pem", b.read(from+"-key.pem"))}
	}
	client := both("my-client", "server")
	f := found(b.look(nil, client...), "for_the_other_side")
	if len(f) != 1 || f[0].Level != Note || f[0].Text != b.in("my-client.pem")+" is called a client's, and its certificate, CN=server, is for servers alone (extended key usage)" || !strings.Contains(f[0].Fix, "clientAuth") {
		t.Errorf("%+v", f)
	}
	f = found(b.look(nil, both("server.old", "client")...), "for_the_other_side")
	if len(f) != 1 || !strings.Contains(f[0].Text, "is for clients alone") {
		t.Errorf("%+v", f)
	}
	for _, files := range [][]string{{"server.pem", "server-key.pem"}, {"client.pem", "client-key.pem"}, both("client-server", "server"), both("clients", "server"), both("client2-client", "rsa")} {
		if f := found(b.look(nil, files...), "for_the_other_side"); len(f) > 0 {
			t.Errorf("%q: %+v", files, f)
		}
	}
	a, z := both("a", "server"), both("z", "no-san")
	f = found(b.look(nil, append(a, z...)...), "none_for_a_side")
	if len(f) != 1 || f[0].Text != "all 2 certificates with a key are for servers alone (extended key usage): as a client's, programs refuse each of them" {
		t.Errorf("%+v", f)
	}
	if f := found(b.look(nil, append(a, both("y", "client")...)...), "none_for_a_side"); len(f) > 0 {
		t.Errorf("%+v", f)
	}
}

// Folders in a folder are named and not looked into; an empty file that has no
// name of a certificate is none.
func TestFoldersInFolders(t *testing.T) {
	b := newBench(t, pki)
	for _, folder := range []string{"x/old", "x/.git", "y/deep"} {
		if err := os.MkdirAll(b.in(folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	b.write("x/client.pem", b.read("client.pem"))
	b.write("x/keys.log")
	r := b.look(nil, "x")
	f := found(r, "folders_not_looked_into")
	if len(f) != 1 || f[0].Level != Note || f[0].Text != b.in("x")+" has 1 folder that lab check has not looked into: "+b.in(filepath.Join("x", "old")) || len(r.Files) != 1 {
		t.Errorf("%+v, %d files", f, len(r.Files))
	}
	for text, fill := range map[string]func(){"is a folder without files": func() {}, "is a folder without certificates and keys": func() { b.write("y/notes.txt", []byte("nothing")) }} {
		fill()
		if _, err := Open([]string{b.in("y")}, nil); err == nil || !strings.Contains(err.Error(), text) {
			t.Error(err)
		}
		_ = os.Remove(b.in("y/notes.txt"))
	}
}

// newCRL writes a CRL of a CA of the folder.
func (b *bench) newCRL(name, issuer string, from, until time.Time, revoked ...*big.Int) string {
	b.t.Helper()
	return b.newCRLAs(nil, name, issuer, from, until, revoked...)
}

// newCRLAs is newCRL with another name in the CRL than that of the CA.
func (b *bench) newCRLAs(issuedAs []byte, name, issuer string, from, until time.Time, revoked ...*big.Int) string {
	b.t.Helper()
	ca, err := tls.LoadX509KeyPair(b.in(issuer+".pem"), b.in(issuer+"-key.pem"))
	if err != nil {
		b.t.Fatal(err)
	}
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: from, NextUpdate: until}
	for _, serial := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: from})
	}
	if issuedAs != nil {
		ca.Leaf.RawSubject = issuedAs
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, ca.Leaf, ca.PrivateKey.(crypto.Signer))
	if err != nil {
		b.t.Fatal(err)
	}
	return b.write(name, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

// What makes programs with CRLs switched on refuse everybody is a refusal in
// the handshake, too: the findings and the verdict agree.
func TestCRLsOfASide(t *testing.T) {
	b := newBench(t, pki)
	now := time.Now()
	const day = 24 * time.Hour
	parsed := func(name string) *x509.Certificate {
		cert, err := x509.ParseCertificate(b.der(name))
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	b.newCRL("fresh.crl", "root", now.Add(-day), now.Add(day))
	b.newCRL("stale.crl", "root", now.Add(-9*day), now.Add(-2*day))
	b.newCRL("early.crl", "root", now.Add(3*day), now.Add(9*day))
	b.newCRL("mid.crl", "mid", now.Add(-day), now.Add(day))
	b.newCRL("stale-mid.crl", "mid", now.Add(-9*day), now.Add(-2*day))
	b.newCRL("foreign.crl", "alone", now.Add(-day), now.Add(day))
	b.newCRL("revoking.crl", "root", now.Add(-day), now.Add(day), parsed("client.pem").SerialNumber)
	b.issue("sub-client", "mid", func(*x509.Certificate) {})
	b.write("sub-chain.pem", b.first("sub-client.pem"), b.first("mid.pem"))
	const direct, below = "client.pem client-key.pem root.pem", "sub-chain.pem sub-client-key.pem root.pem"
	for name, test := range map[string]struct {
		crls, client string
		code         verdict.Code
		wrong        bool
	}{
		"none":                          {"", direct, "", false},
		"fresh":                         {"fresh.crl", direct, "", false},
		"stale":                         {"stale.crl", direct, chain.CRLStale, true},
		"not yet":                       {"early.crl", direct, chain.CRLMissing, true},
		"of another CA":                 {"foreign.crl", direct, chain.CRLMissing, true},
		"revoking it":                   {"revoking.crl", direct, chain.Revoked, true},
		"revoking another":              {"revoking.crl", below, "", true},
		"of the root alone, as a leaf":  {"fresh.crl", below, "", false},
		"of the intermediate alone":     {"mid.crl", below, "", false},
		"of both":                       {"mid.crl fresh.crl", below, "", false},
		"of both, the upper one stale":  {"mid.crl stale.crl", below, chain.CRLStale, true},
		"of both, the lower one stale":  {"stale-mid.crl fresh.crl", below, chain.CRLStale, true},
		"stale, of the leaf's CA alone": {"stale-mid.crl", below, chain.CRLStale, true},
	} {
		m := b.meet("server.pem server-key.pem root.pem "+test.crls, test.client)
		for _, h := range m.met {
			if h.Exchange.Code != test.code || (h.Exchange.Outcome == verdict.Accepted) != (test.code == "") {
				t.Errorf("%s: %v %v, %s", name, h.Exchange.Outcome, h.Exchange.Code, h.Exchange.Reason)
			}
		}
		if Fails(m.findings) != test.wrong && name != "revoking another" {
			t.Errorf("%s: %+v", name, m.findings)
		}
	}
	r := b.look(nil, "revoking.crl", "client.pem", "soon.pem")
	f := found(r, string(chain.Revoked))
	serial := dn.Serial(parsed("client.pem"))
	if len(f) != 1 || f[0].Level != Wrong || !strings.HasPrefix(f[0].Text, "the CRL in "+b.in("revoking.crl")+" revokes CN=client, serial "+serial+", in "+b.in("client.pem")+", since ") {
		t.Errorf("%+v", f)
	}
	if given := r.Files[0].CRLs[0].Given; len(given) != 1 || given[0].Serial != serial || given[0].Subject != "CN=client" {
		t.Errorf("%+v", given)
	}
}
