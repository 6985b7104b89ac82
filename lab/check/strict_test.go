package check

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/peertest"
)

// template is a certificate to be made, and how its issuer looks to
// x509.CreateCertificate.
type template struct {
	x509.Certificate
	withoutKeyID bool // of its issuer
}

// extend sets an extension as it is.
func (t *template) extend(id asn1.ObjectIdentifier, critical bool, value ...byte) {
	t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: value})
}

// byHand takes away what Go would add to a CA by itself.
func (t *template) byHand() { t.IsCA, t.BasicConstraintsValid, t.KeyUsage = false, false, 0 }

var (
	isCATrue   = []byte{0x30, 3, 1, 1, 0xff}
	certSign   = []byte{3, 2, 1, 6}
	authority4 = []byte{0x30, 6, 0x80, 4, 1, 2, 3, 4}
)

// variants are chains of three. Most break one rule.
var variants = []struct {
	name   string
	rules  string // that are broken
	change func(root, mid, leaf *template)
}{
	{"good", "", func(root, mid, leaf *template) {}},
	{"leaf without authority key identifier", "missing_authority_key_identifier", func(root, mid, leaf *template) { leaf.withoutKeyID = true }},
	{"CA without authority key identifier", "missing_authority_key_identifier", func(root, mid, leaf *template) { mid.withoutKeyID = true }},
	{"CA without subject key identifier", "missing_subject_key_identifier", func(root, mid, leaf *template) {
		mid.byHand()
		mid.extend(oidBasicConstraints, true, isCATrue...)
		mid.extend(oidKeyUsage, true, certSign...)
		leaf.AuthorityKeyId = []byte{1, 2, 3, 4}
	}},
	{"root without subject key identifier", "missing_subject_key_identifier", func(root, mid, leaf *template) {
		root.byHand()
		root.extend(oidBasicConstraints, true, isCATrue...)
		root.extend(oidKeyUsage, true, certSign...)
		mid.extend(oidAuthorityKeyID, false, authority4...)
	}},
	{"CA's constraints not critical", "basic_constraints_not_critical", func(root, mid, leaf *template) { mid.extend(oidBasicConstraints, false, isCATrue...) }},
	{"root's constraints not critical", "basic_constraints_not_critical", func(root, mid, leaf *template) { root.extend(oidBasicConstraints, false, isCATrue...) }},
	{"leaf's constraints not critical", "", func(root, mid, leaf *template) { leaf.extend(oidBasicConstraints, false, 0x30, 0) }},
	{"CA without key usage", "ca_without_key_usage", func(root, mid, leaf *template) { mid.KeyUsage = 0 }},
	{"root without key usage", "ca_without_key_usage", func(root, mid, leaf *template) { root.KeyUsage = 0 }},
	{"root of key usage alone", "ca_without_basic_constraints cert_sign_without_ca", func(root, mid, leaf *template) {
		root.byHand()
		root.KeyUsage = x509.KeyUsageCertSign
		root.SubjectKeyId = []byte{1, 2, 3, 4}
	}},
	{"leaf with keyCertSign", "cert_sign_without_ca", func(root, mid, leaf *template) {
		leaf.KeyUsage |= x509.KeyUsageCertSign
		leaf.BasicConstraintsValid = true
	}},
	{"leaf with a path length", "path_length_without_ca", func(root, mid, leaf *template) {
		leaf.extend(oidBasicConstraints, true, 0x30, 3, 2, 1, 0)
	}},
	{"no subject, names not critical", "alternative_name_not_critical", func(root, mid, leaf *template) {
		leaf.Subject = pkix.Name{}
		leaf.extend(oidSubjectAltName, false, append([]byte{0x30, 11, 0x82, 9}, "localhost"...)...)
	}},
	{"no subject, names critical", "", func(root, mid, leaf *template) { leaf.Subject = pkix.Name{} }},
	{"no subject and no names", "empty_subject", func(root, mid, leaf *template) { leaf.Subject, leaf.DNSNames = pkix.Name{}, nil }},
	{"no names in the extension", "empty_alternative_name", func(root, mid, leaf *template) {
		leaf.DNSNames = nil
		leaf.extend(oidSubjectAltName, false, 0x30, 0)
	}},
	{"leaf without any extension for its key", "", func(root, mid, leaf *template) { leaf.KeyUsage, leaf.ExtKeyUsage = 0, nil }},
	{"path length without keyCertSign on the CA", "ca_without_key_usage path_length_without_cert_sign", func(root, mid, leaf *template) {
		mid.KeyUsage, mid.MaxPathLen, mid.MaxPathLenZero = 0, 0, true
	}},
}

// TestStrictRules: what is found here, openssl verify -x509_strict and Python
// with VERIFY_X509_STRICT refuse, and nothing else.
func TestStrictRules(t *testing.T) {
	dir := t.TempDir()
	found := make(map[string]bool)
	for _, v := range variants {
		folder := filepath.Join(dir, strings.ReplaceAll(v.name, " ", "-"))
		certs := makeVariant(t, folder, v.change)
		var rules []string
		for _, f := range strict(certs) {
			if !strings.Contains(strings.Join(rules, " "), f.Rule) {
				rules = append(rules, f.Rule)
			}
		}
		if got := strings.Join(rules, " "); sorted(got) != sorted(v.rules) {
			t.Errorf("%s: found %q, want %q", v.name, got, v.rules)
		}
		found[v.name] = len(rules) > 0
	}
	t.Run("OpenSSL", func(t *testing.T) { compareOpenSSL(t, dir, found) })
	t.Run("Python", func(t *testing.T) { comparePython(t, dir, found) })
}

// compareOpenSSL verifies each chain as usual, which all pass, and strictly.
func compareOpenSSL(t *testing.T, dir string, found map[string]bool) {
	peertest.Need(t, "openssl")
	for name, isFound := range found {
		for _, flags := range [][]string{nil, {"-x509_strict"}} {
			command := exec.Command("openssl", append(append([]string{"verify", "-CAfile", "root.pem", "-untrusted", "mid.pem"}, flags...), "leaf.pem")...)
			command.Dir = filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			out, err := command.CombinedOutput()
			if refused := err != nil; refused != (flags != nil && isFound) {
				t.Errorf("%s: openssl verify %q: refused %v\n%s", name, flags, refused, out)
			}
		}
	}
}

func sorted(words string) string {
	all := strings.Fields(words)
	if len(all) == 2 && all[0] > all[1] {
		all[0], all[1] = all[1], all[0]
	}
	return strings.Join(all, " ")
}

// handshakes shakes hands in memory with the chain in each of the folders.
const handshakes = `
import os, ssl, sys
for name in sorted(os.listdir(".")):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(name + "/chain.pem", name + "/key.pem")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(name + "/root.pem")
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
    c, s = client.wrap_bio(a, b), server.wrap_bio(b, a, server_side=True)
    said = "accepted"
    for _ in range(4):
        for end in (c, s):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as e:
                if end is c:
                    said = "refused"
    print(name, said)
`

func comparePython(t *testing.T, dir string, found map[string]bool) {
	peertest.Need(t, "python3")
	command := exec.Command("python3", "-c", handshakes)
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, isFound := range found {
		want := "accepted"
		if isFound {
			want = "refused"
		}
		if line := strings.ReplaceAll(name, " ", "-") + " " + want + "\n"; !strings.Contains(string(out), line) {
			t.Errorf("want %s\n%s", line, out)
		}
	}
}

// makeVariant writes a chain into a folder, and returns it, its leaf first.
func makeVariant(t *testing.T, folder string, change func(root, mid, leaf *template)) (certs []*x509.Certificate) {
	t.Helper()
	of := func(n int64, name string) *template {
		return &template{Certificate: x509.Certificate{SerialNumber: big.NewInt(n), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}}
	}
	root, mid, leaf := of(1, "root"), of(2, "mid"), of(3, "leaf")
	leaf.IsCA, leaf.BasicConstraintsValid, leaf.KeyUsage = false, false, x509.KeyUsageDigitalSignature
	leaf.DNSNames, leaf.ExtKeyUsage = []string{"localhost"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	change(root, mid, leaf)
	var issuer *x509.Certificate
	var issuerKey *ecdsa.PrivateKey
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, one := range []*template{root, mid, leaf} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		parent := one.Certificate
		if issuer != nil {
			parent = *issuer
		} else {
			issuerKey = key
		}
		if one.withoutKeyID {
			parent.SubjectKeyId = nil
		}
		der, err := x509.CreateCertificate(rand.Reader, &one.Certificate, &parent, &key.PublicKey, issuerKey)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		issuer, issuerKey = cert, key
		certs = append([]*x509.Certificate{cert}, certs...)
		writePEM(t, filepath.Join(folder, []string{"root", "mid", "leaf"}[i]+".pem"), "CERTIFICATE", der)
		if i == 2 {
			pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			writePEM(t, filepath.Join(folder, "key.pem"), "PRIVATE KEY", pkcs8)
			writePEM(t, filepath.Join(folder, "chain.pem"), "CERTIFICATE", der, certs[1].Raw)
		}
	}
	return certs
}

func writePEM(t *testing.T, file, kind string, ders ...[]byte) {
	t.Helper()
	var b bytes.Buffer
	for _, der := range ders {
		_ = pem.Encode(&b, &pem.Block{Type: kind, Bytes: der})
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
