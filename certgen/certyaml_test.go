package certgen

import (
	"os/exec"
	"testing"
	"time"

	"mtlslab.example/lab/lab/peertest"
)

// TestTakesOverFromCertyaml finds nothing to do in a folder that the certyaml
// command made.
func TestTakesOverFromCertyaml(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the certyaml command")
	}
	program := peertest.Certyaml(t)
	const manifest = family + `---
subject: CN=gone
issuer: CN=mid
serial: 12
revoked: true
---
subject: CN=john,OU=People,O=Company
filename: clientcert
issuer: CN=root
expires: 90m
sans: [URI:spiffe://a/b, DNS:x, IP:::1, 'email:a@b']
key_usages: [DigitalSignature]
ext_key_usages: [ClientAuth]
---
subject: CN=uids,uid=ca
---
subject: uid=admin,CN=foo,CN=admin,OU=system
issuer: CN=uids,uid=ca
---
subject: CN=fixed
not_before: 2020-01-01T09:00:00Z
not_after: 2020-02-01T10:10:10Z
---
subject: CN=until
not_after: 2999-02-01T10:10:10Z
---
subject: CN=rsa
key_type: RSA
key_size: 1024
---
subject: CN=ed
key_type: ED25519
`
	file, dir := writeManifest(t, manifest), t.TempDir()
	if out, err := exec.Command(program, "-d", dir, file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := parse(t, manifest)
	wantSteps(t, generate(t, m, dir, Options{}))
	verifyAll(t, m, dir, time.Now())
	// A certificate that the lab adds has the issuer's name as that has it.
	m = parse(t, manifest+"---\nsubject: CN=new,uid=new\nissuer: CN=uids,uid=ca\n")
	wantSteps(t, generate(t, m, dir, Options{}), "new: certificate: missing")
	wantSteps(t, generate(t, m, dir, Options{}))
	verifyAll(t, m, dir, time.Now())
}
