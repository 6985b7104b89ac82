package fault

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
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

// issued returns a CA with a key and a certificate that it has issued.
func issued(t *testing.T, key crypto.Signer) (ca *x509.Certificate, leaf tls.Certificate) {
	t.Helper()
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if ca, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: "leaf"}, DNSNames: []string{"leaf.example"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	if der, err = x509.CreateCertificate(rand.Reader, template, ca, key.Public(), key); err != nil {
		t.Fatal(err)
	}
	return ca, tls.Certificate{Certificate: [][]byte{der, ca.Raw}}
}

// OpenSSL reads the flaws that a certificate is given, the rest of it is as
// before, and its CA has signed it.
func TestReissue(t *testing.T) {
	peertest.Need(t, "openssl")
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []crypto.Signer{ec, weak} {
		for flaw, want := range map[Flaw]string{SHA1Signature: "sha1", NegativeSerial: "-77", NoAuthorityKeyID: "!Authority Key Identifier"} {
			ca, leaf := issued(t, key)
			if err := flaw.Reissue(&leaf, key); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			for name, der := range map[string][]byte{"ca": ca.Raw, "leaf": leaf.Certificate[0]} {
				if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			text, err := exec.Command("openssl", "x509", "-noout", "-text", "-in", filepath.Join(dir, "leaf")).CombinedOutput()
			unwanted, not := strings.CutPrefix(want, "!")
			if err != nil || strings.Contains(strings.ToLower(string(text)), strings.ToLower(unwanted)) == not || !strings.Contains(string(text), "DNS:leaf.example") {
				t.Errorf("%s: %v: %s", flaw, err, text)
			}
			if out, err := exec.Command("openssl", "verify", "-auth_level", "0", "-CAfile", filepath.Join(dir, "ca"), filepath.Join(dir, "leaf")).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", flaw, err, out)
			}
		}
	}
}

// A root that is made anew with its key verifies what the old one has issued.
func TestRenewed(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca, leaf := issued(t, key)
	der, err := Renewed(ca.Raw, key, time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	child, err := x509.ParseCertificate(leaf.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if renewed.Equal(ca) || renewed.SerialNumber.Cmp(ca.SerialNumber) == 0 || !renewed.NotAfter.After(ca.NotAfter) || renewed.CheckSignatureFrom(renewed) != nil || child.CheckSignatureFrom(renewed) != nil {
		t.Errorf("%v until %v", renewed.SerialNumber, renewed.NotAfter)
	}
}

// A strict server sends unrecognized_name to a client that asks for another
// host, and names its CAs and others in CertificateRequest.
func TestServersThatAreAsked(t *testing.T) {
	own := newCertificate(t, "server.example")
	trust := x509.NewCertPool()
	trust.AddCert(own.Leaf)
	naming, err := NameCAs(300)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"server.example": "", "other.example": "unrecognized name"} {
		client, server := pair(t)
		config := &tls.Config{Certificates: []tls.Certificate{own}, ClientCAs: trust, ClientAuth: tls.VerifyClientCertIfGiven}
		served := Join(StrictNames, naming)(server, config)
		go func() { _ = tls.Server(served, config).Handshake() }()
		named := 0
		err := tls.Client(client, &tls.Config{ServerName: name, RootCAs: trust, GetClientCertificate: func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			named = len(r.AcceptableCAs)
			return &tls.Certificate{}, nil
		}}).Handshake()
		switch {
		case want == "" && (err != nil || named != 301):
			t.Errorf("%s: %v, %d CAs", name, err, named)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v", name, err)
		}
	}
}
