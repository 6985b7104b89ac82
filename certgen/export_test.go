package certgen

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"software.sslmate.com/src/go-pkcs12"
)

const exported = `subject: CN=root
---
subject: CN=middle
issuer: CN=root
ca: true
---
subject: CN=ec
issuer: CN=middle
---
subject: CN=rsa
issuer: CN=middle
key_type: RSA
---
subject: CN=ed25519
issuer: CN=middle
key_type: ED25519
`

// TestExport: keys of every type, with the intermediate and without the root.
func TestExport(t *testing.T) {
	dir := t.TempDir()
	generate(t, parse(t, exported), dir, Options{})
	for _, name := range []string{"ec", "rsa", "ed25519"} {
		want, err := Load(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		for profile, export := range map[string]func(dir, name, password string) ([]byte, error){"modern": PKCS12, "legacy": LegacyPKCS12} {
			p12, err := export(dir, name, "pass")
			if err != nil {
				t.Fatal(err)
			}
			key, leaf, intermediates, err := pkcs12.DecodeChain(p12, "pass")
			if err != nil {
				t.Fatal(err)
			}
			if signer, ok := key.(crypto.Signer); !ok || !IsKeyOf(want.Leaf, signer) || !leaf.Equal(want.Leaf) || len(intermediates) != 1 {
				t.Errorf("%s: PKCS#12, %s, has %T, %v and %d intermediates", name, profile, key, leaf.Subject, len(intermediates))
			}
			if _, _, _, err := pkcs12.DecodeChain(p12, "other"); err == nil {
				t.Errorf("%s: any password opens it", profile)
			}
		}
		bundle, err := Bundle(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tls.X509KeyPair(bundle, bundle)
		if err != nil || len(got.Certificate) != 2 || !got.Leaf.Equal(want.Leaf) {
			t.Errorf("%s: the bundle has %d certificates, %v", name, len(got.Certificate), err)
		}
	}
}

// TestExportTrustStore: a CA under its name, and nothing else than a CA.
func TestExportTrustStore(t *testing.T) {
	dir := t.TempDir()
	generate(t, parse(t, exported), dir, Options{})
	store, err := TrustStore(dir, "root", "pass")
	if err != nil {
		t.Fatal(err)
	}
	if trusted, err := pkcs12.DecodeTrustStore(store, "pass"); err != nil || len(trusted) != 1 || trusted[0].Subject.CommonName != "root" {
		t.Errorf("the trust store has %v, %v", trusted, err)
	}
	var noAnchor *NoAnchorError
	if _, err := TrustStore(dir, "ec", "pass"); !errors.As(err, &noAnchor) {
		t.Errorf("got %v", err)
	}
}

// TestWriteFile: whole, in place of a regular file only, and nothing is left
// beside it.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "client.p12")
	for _, text := range []string{"old and long", "new"} {
		if err := WriteFile(file, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(file); err != nil || string(data) != text {
			t.Errorf("got %q, %v", data, err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	var way *InTheWayError
	if err := WriteFile(filepath.Join(dir, "folder"), nil); !errors.As(err, &way) {
		t.Errorf("got %v", err)
	}
	if err := WriteFile(filepath.Join(dir, "none", "file"), nil); err == nil {
		t.Error("wrote into a folder that does not exist")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestWriteNew: of several that write one file, one does, and nothing is left
// beside it.
func TestWriteNew(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ech.pem")
	errs := make(chan error)
	for i := range 8 {
		go func() { errs <- WriteNew(file, bytes.Repeat([]byte{'0' + byte(i)}, 1000), 0o644) }()
	}
	written := 0
	for range 8 {
		switch err := <-errs; {
		case err == nil:
			written++
		case !errors.Is(err, fs.ErrExist):
			t.Error(err)
		}
	}
	if data, err := os.ReadFile(file); written != 1 || err != nil || len(data) != 1000 || len(bytes.Trim(data, string(data[:1]))) > 0 {
		t.Errorf("%d have written it: %.20q, %v", written, data, err)
	}
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o644 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
