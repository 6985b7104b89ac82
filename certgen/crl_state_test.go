package certgen

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

// signCRL returns a CRL of the CA ca in PEM that lists the certificates with
// these names.
func signCRL(t *testing.T, dir, ca string, thisUpdate time.Time, delta bool, names ...string) string {
	t.Helper()
	by, err := Load(dir, ca)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: thisUpdate, NextUpdate: thisUpdate.Add(7 * 24 * time.Hour)}
	if delta {
		template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}}
	}
	for _, name := range names {
		certificates, err := LoadCertificates(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: certificates[0].SerialNumber, RevocationTime: thisUpdate})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, by.Leaf, by.PrivateKey.(crypto.Signer))
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

// TestRevokedState checks that List reports as revoked what a server with the
// same folder refuses, whichever of the CRLs lists it; that Verify finds fault
// with it unless the manifest revokes it; and without a manifest in any case.
func TestRevokedState(t *testing.T) {
	const elsewhere = "revoked: on a CRL, and not in the manifest"
	before, after := morning.Add(-time.Hour), morning.Add(-time.Minute)
	for name, test := range map[string]struct {
		spoil func(t *testing.T, dir string)
		want  map[string]string // states that are not those without spoil
	}{
		"as made": {func(*testing.T, string) {}, nil},
		"delta that lists": {func(t *testing.T, dir string) {
			overwrite(t, dir, "second-crl.pem", signCRL(t, dir, "ca", after, true, "b"))
		}, map[string]string{"b": elsewhere}},
		"delta that does not": {func(t *testing.T, dir string) {
			overwrite(t, dir, "second-crl.pem", signCRL(t, dir, "ca", after, true))
		}, nil},
		"several in one file": {func(t *testing.T, dir string) {
			overwrite(t, dir, "all-crl.pem", signCRL(t, dir, "sub", before, false)+"-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n"+signCRL(t, dir, "ca", after, false, "a", "b", "sub"))
		}, map[string]string{"b": elsewhere}},
		"newer complete one": {func(t *testing.T, dir string) {
			overwrite(t, dir, "second-crl.pem", signCRL(t, dir, "ca", after, false, "sub"))
		}, map[string]string{"a": "revoked: not on the CRL yet"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, m := t.TempDir(), parse(t, revocation)
			generate(t, m, dir, at(morning))
			want := map[string]string{"ca": "ok", "a": "revoked", "b": "ok", "sub": "revoked", "c": "revoked"}
			maps.Copy(want, test.want)
			test.spoil(t, dir)
			infos, err := List(m, dir, morning)
			if err != nil {
				t.Fatal(err)
			}
			for _, info := range infos {
				if info.State != want[info.Name] {
					t.Errorf("%s is %q, not %q", info.Name, info.State, want[info.Name])
				}
			}
			for info, err := range Verify(m, dir, morning) {
				if state := test.want[info.Name]; (err != nil) != (state != "") || err != nil && !strings.HasSuffix(err.Error(), state) {
					t.Errorf("Verify says of %s: %v", info.Name, err)
				}
			}
			surveyed, err := Survey(dir, morning)
			if err != nil {
				t.Fatal(err)
			}
			for info, err := range VerifySurvey(surveyed) {
				state := want[info.Name]
				isRevoked := state == "revoked" || state == elsewhere
				if (err != nil) != isRevoked || isRevoked && info.State != "revoked" {
					t.Errorf("without a manifest %s is %q: %v", info.Name, info.State, err)
				}
			}
		})
	}
}

// TestDeltaInPlace checks that Verify reports a delta CRL in place of a CA's
// CRL.
func TestDeltaInPlace(t *testing.T) {
	dir, m := t.TempDir(), parse(t, revocation)
	generate(t, m, dir, at(morning))
	overwrite(t, dir, "ca-crl.pem", signCRL(t, dir, "ca", morning.Add(-time.Minute), true, "a", "sub"))
	var faults []string
	for _, err := range Verify(m, dir, morning) {
		if err != nil {
			faults = append(faults, err.Error())
		}
	}
	if want := []string{"ca: CRL: not complete: it is a delta CRL"}; !slices.Equal(faults, want) {
		t.Errorf("%q, not %q", faults, want)
	}
}
