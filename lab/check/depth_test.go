package check

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/peertest"
)

// A CA without a key usage is refused by strict verifiers alone: it is said,
// and does not fail, whether the CA stands alone or above a pair. openssl
// verify accepts the same files.
func TestStrictDoesNotFail(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "chain")
	makeVariant(t, folder, func(root, mid, leaf *template) { root.KeyUsage, mid.KeyUsage = 0, 0 })
	for _, names := range [][]string{{"root.pem"}, {"mid.pem"}, {"chain.pem", "key.pem", "root.pem"}} {
		var files []string
		for _, name := range names {
			files = append(files, filepath.Join(folder, name))
		}
		opened, err := Open(files, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := Of(opened)
		strict := 0
		for _, f := range r.Findings() {
			if f.Level == Strict && f.Rule == "ca_without_key_usage" {
				strict++
			}
		}
		if strict == 0 || r.Fails() {
			t.Errorf("%q: %d are strict, fails: %v: %+v", names, strict, r.Fails(), r.Findings())
		}
	}
	t.Run("OpenSSL", func(t *testing.T) {
		peertest.Need(t, "openssl")
		compareOpenSSL(t, dir, map[string]bool{"chain": true})
	})
}

// A certificate for both sides under a CA for clients alone is right where a
// client shows it.
func TestChainIsThatOfASide(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "chain")
	makeVariant(t, folder, func(root, mid, leaf *template) {
		leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		mid.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
	opened, err := Open([]string{filepath.Join(folder, "chain.pem"), filepath.Join(folder, "key.pem"), filepath.Join(folder, "root.pem")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for side, fails := range map[endpoint.Side]bool{endpoint.Client: false, endpoint.Server: true} {
		if r := OfSide(side, opened); r.Fails() != fails {
			t.Errorf("%v: fails: %v: %+v", side, r.Fails(), r.Findings())
		}
	}
}

// With more CAs between than nginx takes by default the limit is noted, of the
// side that will verify; with one it is not.
func TestDepthIsNoted(t *testing.T) {
	notes := func(of string, cas ...string) (all []string) {
		folder := filepath.Join(t.TempDir(), "x")
		writeChain(t, folder, of, cas...)
		opened, err := Open([]string{filepath.Join(folder, "chain.pem"), filepath.Join(folder, "key.pem"), filepath.Join(folder, "root.pem")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := Of(opened)
		if r.Fails() {
			t.Errorf("%q: %+v", cas, r.Findings())
		}
		for _, f := range r.Findings() {
			if f.Rule == "verify_depth" {
				all = append(all, string(f.Level)+" "+f.Text)
			}
		}
		return all
	}
	if all := notes("client", "one"); len(all) != 0 {
		t.Errorf("one CA: %q", all)
	}
	for of, want := range map[string]string{
		"client": "note 2 CAs stand between CN=leaf and the root: an nginx that verifies it needs ssl_verify_depth 2 (1 unless set), an Apache SSLVerifyDepth 3 (1 unless set)",
		"server": "note 2 CAs stand between CN=leaf and the root: an nginx that verifies it needs proxy_ssl_verify_depth 2 (1 unless set), an Apache SSLProxyVerifyDepth 3 (1 unless set)",
	} {
		if all := notes(of, "one", "two"); strings.Join(all, "\n") != want {
			t.Errorf("%s: %q", of, all)
		}
	}
}

// writeChain writes root.pem, and a leaf of a side below it and some CAs.
func writeChain(t *testing.T, folder, of string, cas ...string) {
	t.Helper()
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	var issuer *x509.Certificate
	var signer *ecdsa.PrivateKey
	var chain [][]byte // the leaf first
	names := append(append([]string{"root"}, cas...), "leaf")
	for i, name := range names {
		one := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
			BasicConstraintsValid: true, IsCA: name != "leaf", KeyUsage: x509.KeyUsageCertSign}
		if name == "leaf" {
			one.KeyUsage, one.ExtKeyUsage, one.DNSNames = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, []string{"localhost"}
			if of == "client" {
				one.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
			}
		}
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if issuer == nil {
			issuer, signer = one, key
		}
		der, err := x509.CreateCertificate(rand.Reader, one, issuer, key.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		if issuer, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		signer = key
		if name == "root" {
			writePEM(t, filepath.Join(folder, "root.pem"), "CERTIFICATE", der)
			continue
		}
		chain = append([][]byte{der}, chain...)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(folder, "key.pem"), "PRIVATE KEY", pkcs8)
	writePEM(t, filepath.Join(folder, "chain.pem"), "CERTIFICATE", chain...)
}
