package check

import (
	"crypto/x509"
	"os/exec"
	"path/filepath"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// A certificate that names another key of its issuer's is found, and OpenSSL
// refuses it, strict or not.
func TestKeyIdentifiers(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a")
	certs := makeVariant(t, folder, func(root, mid, leaf *template) {
		leaf.withoutKeyID = true
		leaf.extend(oidAuthorityKeyID, false, authority4...)
	})
	f, found := keyIdentifiers(certs[0], certs[1])
	if !found || f.Level != Wrong {
		t.Errorf("%v, %+v", found, f)
	}
	if _, found := keyIdentifiers(certs[1], certs[2]); found {
		t.Error("found where there is none")
	}
	pool := x509.NewCertPool()
	pool.AddCert(certs[1])
	if _, err := certs[0].Verify(x509.VerifyOptions{Roots: pool}); err != nil {
		t.Errorf("Go does not mind: %v", err)
	}
	peertest.Need(t, "openssl")
	verify := exec.Command("openssl", "verify", "-CAfile", "root.pem", "-untrusted", "mid.pem", "leaf.pem")
	verify.Dir = folder
	if out, err := verify.CombinedOutput(); err == nil {
		t.Errorf("openssl takes it: %s", out)
	}
}
