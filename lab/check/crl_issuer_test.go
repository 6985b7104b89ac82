package check

import (
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
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
