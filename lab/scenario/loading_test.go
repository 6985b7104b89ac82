package scenario

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/certfile"
)

// Every scenario whose files are loaded comes to what it says: with the lab's
// loader, with crypto/tls, and with the programs that are installed, of the
// OpenSSL that their words were taken from.
func TestLoads(t *testing.T) {
	version, _ := exec.Command("openssl", "version").Output()
	programs := strings.HasPrefix(string(version), "OpenSSL 3.0.")
	o := Options{Manifest: baseManifest(t), Dir: t.TempDir()}
	for _, s := range builtIn() {
		if len(s.Loads) == 0 {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" && s.Name == "key-readable-by-others" {
				t.Skip("files have no such modes")
			}
			all, err := s.Load(t.Context(), o, programs)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range all {
				if !agrees(l.Lab, l.LabSays()) {
					t.Errorf("%s and %s: the lab says %q, not %q", l.Certificate, l.Key, l.LabSays(), l.Lab)
				}
				for program, says := range l.Says {
					if !agrees(l.Prints[program], says) {
						t.Errorf("%s and %s: %s prints %q, not %q", l.Certificate, l.Key, program, says, l.Prints[program])
					}
				}
			}
		})
	}
}

// A key that is encrypted never looks as if the empty password were right: one
// in 256 would, and OpenSSL would complain about a format.
func TestEncryptedKeyIsLocked(t *testing.T) {
	s, err := Find("encrypted-key")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Manifest: baseManifest(t), Dir: t.TempDir()}
	if _, err := s.Load(t.Context(), o, false); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		text, err := Derived{From: "client", Form: FormEncryptedKey, Password: "secret"}.make(s.Certs(o.certs()))
		if err != nil {
			t.Fatal(err)
		}
		if certfile.SeemsRight(text, "") || !certfile.SeemsRight(text, "secret") {
			t.Fatalf("the empty password seems right, or the password does not:\n%s", text)
		}
	}
}

// An encrypted key is one that OpenSSL opens with the password.
func TestEncryptedKeyOpens(t *testing.T) {
	s, err := Find("encrypted-key")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	o := Options{Manifest: baseManifest(t), Dir: t.TempDir()}
	if _, err := s.Load(t.Context(), o, false); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("openssl", "pkey", "-in", "files/encrypted-key.pem", "-passin", "pass:secret", "-noout")
	cmd.Dir = s.Certs(o.certs())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
