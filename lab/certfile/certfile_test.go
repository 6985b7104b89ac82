package certfile

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/peertest"
)

const manifest = `subject: CN=root
---
subject: CN=mid
issuer: CN=root
ca: true
---
subject: CN=leaf
issuer: CN=mid
---
subject: CN=rsa
issuer: CN=root
key_type: RSA
`

// folder makes a PKI and returns its folder.
func folder(t *testing.T) string {
	t.Helper()
	m, err := certgen.Parse("certs.yaml", []byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "certs")
	if _, err := certgen.Generate(context.Background(), m, dir, certgen.Options{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// join writes the contents of files, one after the other, into a new one.
func join(t *testing.T, to string, files ...string) string {
	t.Helper()
	var all []byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
	if err := os.WriteFile(to, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// der writes the first PEM block of a file without its armour.
func der(t *testing.T, to, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if err := os.WriteFile(to, block.Bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// marked writes a file behind a byte order mark.
func marked(t *testing.T, to, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, append([]byte("\ufeff"), data...), 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// openssl runs the peer.
func openssl(t *testing.T, args ...string) {
	t.Helper()
	peertest.Need(t, "openssl")
	if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
		t.Fatalf("openssl %q: %v\n%s", args, err, out)
	}
}

func TestIsFile(t *testing.T) {
	for value, want := range map[string]bool{
		"server": false, "client-ca": false, "none": false, "": false,
		"server.pem": true, "./server": true, "/etc/ssl/ca": true, "ca.crt": true, "dir/": true,
	} {
		if got := IsFile(value); got != want {
			t.Errorf("IsFile(%q) is %v", value, got)
		}
	}
}

// TestPairs reads a certificate and its key in every form that people have.
func TestPairs(t *testing.T) {
	dir := folder(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	leaf, key := in("leaf.pem"), in("leaf-key.pem")
	for name, test := range map[string]struct {
		cert, key func(t *testing.T) string
		password  string
		chain     int
	}{
		"two files":           {chain: 2},
		"key beside it":       {key: func(t *testing.T) string { return "" }, chain: 2},
		"key beside it, .key": {cert: func(t *testing.T) string { join(t, in("a.key"), key); return join(t, in("a.crt"), leaf) }, key: func(t *testing.T) string { return "" }, chain: 2},
		"one file":            {cert: func(t *testing.T) string { return join(t, in("b.pem"), leaf, key) }, key: func(t *testing.T) string { return "" }, chain: 2},
		"one file, key first": {cert: func(t *testing.T) string { return join(t, in("c.pem"), key, leaf) }, key: func(t *testing.T) string { return "" }, chain: 2},
		"DER":                 {cert: func(t *testing.T) string { return der(t, in("d.der"), leaf) }, key: func(t *testing.T) string { return der(t, in("d-key.der"), key) }, chain: 1},
		"SEC 1": {key: func(t *testing.T) string {
			openssl(t, "ec", "-in", key, "-out", in("e.key"))
			return in("e.key")
		}, chain: 2},
		"text above the blocks": {cert: func(t *testing.T) string {
			openssl(t, "x509", "-text", "-in", leaf, "-out", in("f.pem"))
			return in("f.pem")
		}, chain: 1},
		"TRUSTED CERTIFICATE": {cert: func(t *testing.T) string {
			openssl(t, "x509", "-trustout", "-addtrust", "clientAuth", "-in", leaf, "-out", in("g.pem"))
			return in("g.pem")
		}, chain: 1},
		"byte order marks": {cert: func(t *testing.T) string { return marked(t, in("bom.pem"), leaf) },
			key: func(t *testing.T) string { return marked(t, in("bom-key.pem"), key) }, chain: 2},
		"PKCS#12": {cert: func(t *testing.T) string {
			openssl(t, "pkcs12", "-export", "-in", leaf, "-inkey", key, "-out", in("h.p12"), "-passout", "pass:secret")
			return in("h.p12")
		}, key: func(t *testing.T) string { return "" }, password: "secret", chain: 2},
		"old PKCS#12 by another name": {cert: func(t *testing.T) string {
			openssl(t, "pkcs12", "-export", "-legacy", "-in", leaf, "-inkey", key, "-out", in("i.bin"), "-passout", "pass:")
			return in("i.bin")
		}, key: func(t *testing.T) string { return "" }, chain: 2},
	} {
		t.Run(name, func(t *testing.T) {
			cert, keyFile := leaf, key
			if test.cert != nil {
				cert = test.cert(t)
			}
			if test.key != nil {
				keyFile = test.key(t)
			}
			if keyFile == "" {
				var err error
				if keyFile, err = KeyFile(cert, test.password); err != nil {
					t.Fatal(err)
				}
			}
			pair, err := LoadPair(cert, keyFile, test.password)
			if err != nil {
				t.Fatal(err)
			}
			if pair.Leaf.Subject.CommonName != "leaf" || len(pair.Certificate) != test.chain || !certgen.IsKeyOf(pair.Leaf, pair.PrivateKey.(crypto.Signer)) {
				t.Errorf("%s with %d certificates", pair.Leaf.Subject, len(pair.Certificate))
			}
		})
	}
}

// TestWrongFiles says of each what is wrong with it, by the name it was given.
func TestWrongFiles(t *testing.T) {
	dir := folder(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) string {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return in(name)
	}
	half, err := os.ReadFile(in("leaf.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		cert, key string
		want      string
	}{
		"missing":           {in("nobody.pem"), in("leaf-key.pem"), "nobody.pem does not exist"},
		"missing key":       {in("leaf.pem"), in("nobody.key"), "nobody.key does not exist"},
		"a folder":          {dir, in("leaf-key.pem"), "is a folder"},
		"empty":             {write("empty.pem", "\n"), in("leaf-key.pem"), "is empty"},
		"notes":             {write("notes.txt", "hello\n"), in("leaf-key.pem"), "is no certificate and no key"},
		"cut short":         {write("cut.pem", string(half[:100])), in("leaf-key.pem"), "is cut short or damaged"},
		"damaged":           {write("damaged.pem", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"), in("leaf-key.pem"), "has a certificate that cannot be read"},
		"swapped":           {in("leaf-key.pem"), in("leaf.pem"), "has no certificate: it has only a private key"},
		"no key":            {in("leaf.pem"), in("root.pem"), "has no private key: it has only a certificate"},
		"a request":         {write("a.csr", "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n"), in("leaf-key.pem"), "only a certificate signing request"},
		"encrypted key":     {in("leaf.pem"), write("enc.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"), "is encrypted with a password"},
		"old encrypted key": {in("leaf.pem"), write("old.key", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMAA=\n-----END RSA PRIVATE KEY-----\n"), "is encrypted with a password"},
		"damaged key":       {in("leaf.pem"), write("bad.key", "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"), "has a private key that cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := LoadPair(test.cert, test.key, "")
			var wrong *FileError
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "PRIVATE KEY-----") {
				t.Error("the key is in the message")
			}
		})
	}
}

// TestMismatch distinguishes a foreign key from a chain in the wrong order.
func TestMismatch(t *testing.T) {
	dir := folder(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	var mismatch *MismatchError
	if _, err := LoadPair(in("leaf.pem"), in("rsa-key.pem"), ""); !errors.As(err, &mismatch) || mismatch.Position != 0 || mismatch.Leaf != "CN=leaf" {
		t.Errorf("got %v", err)
	}
	reversed := join(t, in("reversed.pem"), in("mid.pem"), in("leaf.pem"))
	if _, err := LoadPair(reversed, in("leaf-key.pem"), ""); !errors.As(err, &mismatch) || mismatch.Position != 2 || mismatch.Owner != "CN=leaf" {
		t.Errorf("got %v", err)
	}
}

// TestPKCS12Password asks for it where it is missing or wrong.
func TestPKCS12Password(t *testing.T) {
	dir := folder(t)
	file := filepath.Join(dir, "leaf.p12")
	openssl(t, "pkcs12", "-export", "-in", filepath.Join(dir, "leaf.pem"), "-inkey", filepath.Join(dir, "leaf-key.pem"), "-out", file, "-passout", "pass:secret")
	for password, want := range map[string]string{"": "has a password", "wrong": "has another password"} {
		_, err := KeyFile(file, password)
		var wrong *FileError
		if !errors.As(err, &wrong) || wrong.Problem != want || !strings.Contains(wrong.Next, "--password-file") {
			t.Errorf("%q: got %v", password, err)
		}
	}
}

// TestCAs reads one, several, DER, and refuses what is no CA.
func TestCAs(t *testing.T) {
	dir := folder(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, test := range map[string]struct {
		file string
		want int
	}{
		"one":     {in("root.pem"), 1},
		"several": {join(t, in("all.pem"), in("root.pem"), in("mid.pem")), 2},
		"DER":     {der(t, in("root.der"), in("root.pem")), 1},
		"of openssl's text": {func() string {
			openssl(t, "x509", "-text", "-in", in("root.pem"), "-out", in("text.pem"))
			return in("text.pem")
		}(), 1},
	} {
		if all, err := LoadCAs(test.file, ""); err != nil || len(all) != test.want {
			t.Errorf("%s: %d certificates, %v", name, len(all), err)
		}
	}
	store, err := certgen.TrustStore(dir, "root", "secret")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("store.p12"), store, 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := LoadCAs(in("store.p12"), "secret"); err != nil || len(all) != 1 {
		t.Errorf("trust store: %d certificates, %v", len(all), err)
	}
	var wrong *FileError
	if _, err := LoadCAs(in("rsa.pem"), ""); !errors.As(err, &wrong) || !strings.Contains(wrong.Problem, "has no certificate of a CA, but CN=rsa, issued by CN=root") {
		t.Errorf("a leaf: got %v", err)
	}
	if _, err := LoadCAs(in("rsa-key.pem"), ""); !errors.As(err, &wrong) {
		t.Errorf("a key: got %v", err)
	}
}

// FuzzRead reads anything without a panic, and what it takes is usable.
func FuzzRead(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"))
	f.Add([]byte{0x30, 0x03, 0x02, 0x01, 0x03})
	f.Add([]byte("-----BEGIN TRUSTED CERTIFICATE-----\n-----END TRUSTED CERTIFICATE-----"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		pair, err := LoadPair(file, file, "")
		if err == nil {
			if leaf, e := x509.ParseCertificate(pair.Certificate[0]); e != nil || !bytes.Equal(leaf.Raw, pair.Leaf.Raw) {
				t.Error("the leaf is not the first certificate")
			}
		}
		if _, err := LoadCAs(file, ""); err == nil && len(data) == 0 {
			t.Error("CAs out of nothing")
		}
	})
}

// A key that is encrypted here is read here and by OpenSSL, with its password
// alone.
func TestEncryptKey(t *testing.T) {
	peertest.Need(t, "openssl")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := EncryptKey(key, "a passwörd", 600_000)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, encrypted, 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := LoadKeys(file, "a passwörd")
	if err != nil || len(keys) != 1 || !key.Equal(keys[0]) {
		t.Errorf("%v, %v", keys, err)
	}
	if _, err := LoadKeys(file, "another"); !errors.Is(err, ErrPassword) {
		t.Errorf("with another password: %v", err)
	}
	openssl(t, "pkey", "-noout", "-in", file, "-passin", "pass:a passwörd")
}
