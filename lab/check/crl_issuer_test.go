package check

import (
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/peertest"
)

// A CRL speaks for the CA whose key has signed it, and not for another of its
// name.
func TestCRLsOfNamesakes(t *testing.T) {
	b, twin := newBench(t, pki), newBench(t, pki)
	b.write("twin.pem", twin.read("root.pem"))
	b.write("twin-key.pem", twin.read("root-key.pem"))
	serial := func(c *x509.Certificate) { c.SerialNumber = big.NewInt(77) } // each CA counts for itself
	b.issue("of-root", "root", serial)
	b.issue("of-twin", "twin", serial)
	now := time.Now()
	b.newCRL("twin-crl.pem", "twin", now.Add(-time.Hour), now.AddDate(0, 0, 7), big.NewInt(77))
	ofRoot, ofTwin := []string{"of-root.pem", "of-root-key.pem"}, []string{"of-twin.pem", "of-twin-key.pem"}
	with := func(pair []string, more ...string) *Report { return b.look(nil, append(more, pair...)...) }

	for _, files := range [][]string{{"root.pem", "twin.pem", "twin-crl.pem"}, {"twin.pem", "root.pem", "twin-crl.pem"}, {"twin.pem", "twin-crl.pem"}, {"root.pem", "twin-crl.pem"}} {
		r := with(ofRoot, files...)
		if f := found(r, string(chain.Revoked)); len(f) > 0 {
			t.Errorf("%q: the certificate of the other CA: %+v", files, f)
		}
		for _, file := range r.Files {
			for _, crl := range file.CRLs {
				if len(crl.Given) > 0 {
					t.Errorf("%q: %+v", files, crl)
				}
			}
		}
		if f := found(with(ofTwin, files...), string(chain.Revoked)); len(f) != 1 || f[0].Level != Wrong {
			t.Errorf("%q: its own: %+v", files, f)
		}
	}
	// One CRL of the two CAs is missing.
	f := found(with(ofRoot, "root.pem", "twin.pem", "twin-crl.pem"), string(chain.CRLMissing))
	if len(f) != 1 || !strings.HasPrefix(f[0].Text, "there is no CRL of CN=root: ") {
		t.Errorf("%+v", f)
	}
	b.newCRL("root-crl.pem", "root", now.Add(-time.Hour), now.AddDate(0, 0, 7), big.NewInt(77))
	r := with(append(ofRoot, ofTwin...), "root.pem", "twin.pem", "root-crl.pem", "twin-crl.pem")
	if f := found(r, string(chain.CRLMissing)); len(f) > 0 {
		t.Errorf("%+v", f)
	}
	// Two CRLs of one name and one time each have their own certificate.
	for _, file := range r.Files {
		for _, crl := range file.CRLs {
			want := b.in(strings.Replace("of-"+strings.TrimPrefix(file.Name, b.in("")+"/"), "-crl", "", 1))
			if len(crl.Given) != 1 || crl.Given[0].File != want {
				t.Errorf("%s revokes %+v, not %s", file.Name, crl.Given, want)
			}
		}
	}
}

// A CRL may write the name of its issuer another way: in capitals, with more
// space, as another type of string. OpenSSL uses it, so it is not another CA's.
func TestCRLWithItsIssuersNameInAnotherForm(t *testing.T) {
	b := newBench(t, pki)
	b.issue("left", "root", func(c *x509.Certificate) { c.SerialNumber = big.NewInt(77) })
	name := []byte("\x30\x11\x31\x0f\x30\x0d\x06\x03\x55\x04\x03\x0c\x06 ROOT ") // a UTF8String; the CA's is a PrintableString
	if rest, err := asn1.Unmarshal(name, new(any)); err != nil || len(rest) > 0 {
		t.Fatal(err, rest)
	}
	now := time.Now()
	b.newCRLAs(name, "crl.pem", "root", now.Add(-time.Hour), now.AddDate(0, 0, 7), big.NewInt(77))
	r := b.look(nil, "left.pem", "left-key.pem", "root.pem", "crl.pem")
	for _, rule := range []string{"crl_of_another_ca", string(chain.CRLMissing)} {
		if f := found(r, rule); len(f) > 0 {
			t.Errorf("%+v", f)
		}
	}
	if f := found(r, string(chain.Revoked)); len(f) != 1 || f[0].Level != Wrong {
		t.Errorf("%+v", f)
	}
	for _, file := range r.Files {
		for _, list := range file.CRLs {
			if len(list.Given) != 1 || list.Given[0].Serial != "4d" {
				t.Errorf("%+v", list.Given)
			}
		}
	}
	peertest.Need(t, "openssl")
	if out, _ := exec.Command("openssl", "verify", "-crl_check", "-CAfile", b.in("root.pem"), "-CRLfile", b.in("crl.pem"), b.in("left.pem")).CombinedOutput(); !strings.Contains(string(out), "certificate revoked") {
		t.Errorf("openssl verify: %s", out)
	}
}
