package certgen

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// referee returns a function that runs a program not written here, to judge
// what was. Where it is missing the test is skipped, but under CI it fails.
func referee(t testing.TB, program string) func(args ...string) string {
	t.Helper()
	peertest.Need(t, program)
	return func(args ...string) string {
		t.Helper()
		out, err := exec.Command(program, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
}

// TestOpenSSL has OpenSSL judge chains, revocation and what is in the files.
func TestOpenSSL(t *testing.T) {
	openssl := referee(t, "openssl")
	m := parse(t, revocation+`---
subject: CN=server,O=Lab
issuer: CN=sub
serial: 4660
sans: [DNS:localhost, IP:127.0.0.1, URI:spiffe://lab/server, email:lab@example.com]
ext_key_usages: [ServerAuth]
---
subject: CN=rsa
key_type: RSA
key_size: 1024
---
subject: CN=ed25519
issuer: CN=rsa
key_type: ED25519
`)
	dir := t.TempDir()
	generate(t, m, dir, Options{})
	path := func(file string) string { return filepath.Join(dir, file) }

	openssl("verify", "-x509_strict", "-CAfile", path("ca.pem"), "-untrusted", path("server.pem"), "-purpose", "sslserver", "-verify_hostname", "localhost", path("server.pem"))
	openssl("verify", "-CAfile", path("ca.pem"), "-crl_check", "-CRLfile", path("ca-crl.pem"), path("b.pem"))
	openssl("verify", "-CAfile", path("rsa.pem"), path("ed25519.pem"))
	out, err := exec.Command("openssl", "verify", "-CAfile", path("ca.pem"), "-crl_check", "-CRLfile", path("ca-crl.pem"), path("a.pem")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "certificate revoked") {
		t.Errorf("OpenSSL takes a revoked certificate: %v\n%s", err, out)
	}
	if crl := openssl("crl", "-in", path("ca-crl.pem"), "-CAfile", path("ca.pem"), "-noout", "-text"); strings.Count(crl, "Serial Number:") != 2 || !strings.Contains(crl, "verify OK") {
		t.Errorf("the CRL is\n%s", crl)
	}
	text := openssl("x509", "-in", path("server.pem"), "-noout", "-text")
	for _, want := range []string{"Serial Number: 4660 (0x1234)", "Issuer: CN = sub", "O = Lab, CN = server", "DNS:localhost", "IP Address:127.0.0.1",
		"URI:spiffe://lab/server", "email:lab@example.com", "TLS Web Server Authentication", "Digital Signature, Key Encipherment"} {
		if !strings.Contains(text, want) {
			t.Errorf("OpenSSL does not see %q in\n%s", want, text)
		}
	}
	for _, name := range []string{"server", "rsa", "ed25519"} {
		certificate := openssl("x509", "-in", path(name+".pem"), "-noout", "-pubkey")
		if key := openssl("pkey", "-in", path(name+"-key.pem"), "-pubout"); key != certificate {
			t.Errorf("%s: the key is another's", name)
		}
	}
}
