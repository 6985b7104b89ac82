package check

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/peertest"
)

// prints returns what a program prints in the folder, however it ends.
func (b *bench) prints(program string, args ...string) string {
	b.t.Helper()
	peertest.Need(b.t, program)
	command := exec.Command(program, args...)
	command.Dir = b.dir
	out, _ := command.CombinedOutput()
	return string(out)
}

// ruled returns the finding of a rule, or fails.
func ruled(t *testing.T, r *Report, rule string) (f Finding) {
	t.Helper()
	for _, f = range r.Findings() {
		if f.Rule == rule {
			return f
		}
	}
	t.Errorf("no %s in %+v", rule, r.Findings())
	return Finding{}
}

// PKCS#12 that one program writes and another does not take: the finding names
// whom, and they do not take it here.
func TestStoresThatAreRefused(t *testing.T) {
	b := newBench(t, pki)
	t.Run("Java sees no certificate that is not marked as trusted", func(t *testing.T) {
		b := &bench{t, b.dir}
		b.run("openssl", "pkcs12", "-export", "-nokeys", "-in", "root.pem", "-out", "trust.p12", "-passout", "pass:secret")
		if f := ruled(t, b.look([]string{"secret"}, "trust.p12"), "not_marked_as_trusted"); f.Level != Wrong || f.RefusedBy != "Java" {
			t.Errorf("%+v", f)
		}
		if out := b.prints("keytool", "-list", "-keystore", "trust.p12", "-storepass", "secret"); !strings.Contains(out, "contains 0 entries") {
			t.Errorf("keytool: %s", out)
		}
		b.run("keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", "root.pem", "-storetype", "PKCS12", "-keystore", "new.p12", "-storepass", "secret") // the fix
		if r := b.look([]string{"secret"}, "new.p12"); r.Fails() {
			t.Errorf("%+v", r.Findings())
		}
	})
	t.Run("OpenSSL 3 does not read RC2-40", func(t *testing.T) {
		b := &bench{t, b.dir}
		b.run("openssl", "pkcs12", "-export", "-legacy", "-in", "client.pem", "-inkey", "client-key.pem", "-out", "old.p12", "-passout", "pass:secret")
		if f := ruled(t, b.look([]string{"secret"}, "old.p12"), "old_encryption"); f.Level != Wrong || !strings.Contains(f.Text, "RC2-40") {
			t.Errorf("%+v", f)
		}
		if out := b.prints("openssl", "pkcs12", "-in", "old.p12", "-passin", "pass:secret", "-nokeys"); !strings.Contains(out, "unsupported") {
			t.Errorf("openssl: %s", out)
		}
		// 3DES alone is not what OpenSSL 3 refuses.
		b.run("openssl", "pkcs12", "-export", "-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1", "-in", "client.pem", "-inkey", "client-key.pem", "-out", "3des.p12", "-passout", "pass:secret")
		if r := b.look([]string{"secret"}, "3des.p12"); r.Fails() {
			t.Errorf("%+v", r.Findings())
		}
	})
}

// Who is said to refuse a server without alternative names does, and others do
// not: OpenSSL, Python, Node.js, GnuTLS and Java take the common name.
func TestWhoRefusesTheCommonName(t *testing.T) {
	b := newBench(t, pki)
	if f := ruled(t, b.look(nil, "no-san.pem", "no-san-key.pem"), "no_san"); f.RefusedBy != "Go, Chromium, urllib3 2 (Python's requests)" {
		t.Errorf("%+v", f)
	}
	if out := b.prints("openssl", "verify", "-CAfile", "root.pem", "-verify_hostname", "no-san", "no-san.pem"); !strings.Contains(out, "OK") {
		t.Errorf("openssl: %s", out)
	}
}

// Programs built on OpenSSL load a TRUSTED CERTIFICATE.
func TestWhoRefusesTrustedCertificates(t *testing.T) {
	b := newBench(t, pki)
	b.run("openssl", "x509", "-trustout", "-in", "client.pem", "-out", "trusted.pem")
	f := ruled(t, b.look(nil, "trusted.pem", "client-key.pem"), "trusted_certificate")
	out := b.prints("node", "-e", "const f=require('fs').readFileSync;require('tls').createSecureContext({cert:f('trusted.pem'),key:f('client-key.pem')});console.log('loads')")
	if strings.Contains(f.RefusedBy, "Node") == strings.Contains(out, "loads") {
		t.Errorf("refused by %s; node: %s", f.RefusedBy, out)
	}
}

// CRLs that are out of date, of another CA or badly signed say so.
func TestCRLs(t *testing.T) {
	b := newBench(t, pki)
	const settings = "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\ndefault_md=sha256\n"
	b.write("ca.cnf", []byte(settings+"crl_extensions=x\n[x]\nauthorityKeyIdentifier=keyid\n"))
	newCRL := func(name, issuer string, last, next time.Time) {
		b.write("index.txt")
		const form = "20060102150405Z"
		b.run("openssl", "ca", "-config", "ca.cnf", "-gencrl", "-cert", issuer+".pem", "-keyfile", issuer+"-key.pem", "-out", name,
			"-crl_lastupdate", last.UTC().Format(form), "-crl_nextupdate", next.UTC().Format(form))
	}
	now := time.Now()
	const day = 24 * time.Hour
	newCRL("stale.crl", "root", now.Add(-60*day), now.Add(-30*day))
	newCRL("early.crl", "root", now.Add(30*day), now.Add(60*day))
	newCRL("fresh.crl", "root", now.Add(-day), now.Add(day))
	newCRL("mid.crl", "mid", now.Add(-day), now.Add(day))
	b.write("ca.cnf", []byte(settings)) // without extensions it makes version 1
	newCRL("version1.crl", "root", now.Add(-day), now.Add(day))
	newCRL("stale1.crl", "root", now.Add(-60*day), now.Add(-30*day))
	b.write("version1.der", b.der("version1.crl"))
	damaged := b.der("fresh.crl")
	damaged[len(damaged)-1] ^= 1
	b.write("damaged.crl", damaged)
	for _, test := range []struct {
		files []string
		rule  string // "": nothing is found
		level Level
		text  string
	}{
		{[]string{"stale.crl"}, "crl_stale", Wrong, "the CRL of CN=root in " + b.in("stale.crl") + " is out of date since " + now.Add(-30*day).UTC().Format(time.DateOnly)},
		{[]string{"client.pem", "client-key.pem", "root.pem", "stale.crl"}, "crl_stale", Wrong, "certificate_expired"},
		{[]string{"early.crl"}, "crl_not_yet_valid", Wrong, "is not valid yet"},
		{[]string{"fresh.crl"}, "", "", ""},
		{[]string{"root.pem", "fresh.crl"}, "", "", ""},
		{[]string{"root.pem", "version1.crl"}, "", "", ""},
		{[]string{"root.pem", "version1.der"}, "der", Note, "is DER"},
		{[]string{"root.pem", "stale1.crl"}, "crl_stale", Wrong, "is out of date since"},
		{[]string{"root.pem", "damaged.crl"}, "crl_signature", Wrong, "is not signed with the key of CN=root"},
		{[]string{"root.pem", "mid.crl"}, "crl_of_another_ca", Wrong, "is of CN=mid, which is none of the CAs in the files"},
		{[]string{"root.pem", "fresh.crl", "mid.crl"}, "crl_of_another_ca", Note, "CN=mid"},
		{[]string{"root.pem", "mid.pem", "fresh.crl"}, "crl_missing", Note, "there is no CRL of CN=mid"},
		{[]string{"server.pem", "server-key.pem", "mid.crl"}, "", "", ""}, // its CA is the one that is sent
	} {
		r := b.look(nil, test.files...)
		if test.rule == "" {
			if found := r.Findings(); len(found) > 0 {
				t.Errorf("%q: %+v", test.files, found)
			}
			continue
		}
		if f := ruled(t, r, test.rule); f.Level != test.level || !strings.Contains(f.Text, test.text) {
			t.Errorf("%q: %+v", test.files, f)
		}
	}
	if crl := b.look(nil, "fresh.crl").Files[0].CRLs; len(crl) != 1 || crl[0].Issuer != "CN=root" || crl[0].Revoked != 0 || crl[0].NextUpdate.IsZero() {
		t.Errorf("%+v", crl)
	}
	if f := ruled(t, b.look(nil, "version1.der"), "der"); !strings.HasPrefix(f.Fix, "openssl crl ") {
		t.Errorf("%+v", f)
	}
	if out := b.prints("openssl", "verify", "-crl_check", "-CAfile", "root.pem", "-CRLfile", "stale.crl", "client.pem"); !strings.Contains(out, "CRL has expired") {
		t.Errorf("openssl: %s", out)
	}
	if out := b.prints("openssl", "verify", "-crl_check", "-CAfile", "root.pem", "-CRLfile", "mid.crl", "client.pem"); !strings.Contains(out, "unable to get certificate CRL") {
		t.Errorf("openssl: %s", out)
	}
}

// A key that others can read is noted, as libpq refuses it.
func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing there")
	}
	b := newBench(t, pki)
	for mode, noted := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o666: true, 0o644: true, 0o640: true, 0o604: true} {
		for _, name := range []string{"client-key.pem", b.write("both.pem", b.read("client.pem"), b.read("client-key.pem"))} {
			if err := os.Chmod(b.in(name), mode); err != nil {
				t.Fatal(err)
			}
			r := b.look(nil, "client.pem", name)
			found := ""
			for _, f := range r.Findings() {
				found += f.Rule + ": " + f.Text + "\n"
			}
			if noted != strings.Contains(found, fmt.Sprintf("mode %04o", mode)) || r.Fails() {
				t.Errorf("%s, %o: %s", name, mode, found)
			}
			_ = os.Chmod(b.in(name), 0o600)
		}
	}
}

// What is to be done about an entry of a Secret is not done to its YAML.
func TestFixOfAnEntry(t *testing.T) {
	b := newBench(t, pki)
	b64 := func(data []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(data)) }
	b.run("openssl", "pkcs8", "-topk8", "-in", "client-key.pem", "-out", "enc.key", "-passout", "pass:secret")
	for name, data := range map[string][]byte{"twice.yaml": b64(b.read("client.pem")), "cut.yaml": b.read("client.pem")[:99], "locked.yaml": b.read("enc.key")} {
		b.write(name, []byte("kind: Secret\ndata:\n  tls.crt: "), b64(data), []byte("\n"))
		found := b.look(nil, name).Findings()
		if len(found) == 0 || strings.Contains(found[0].Fix, "$FILE") || found[0].Fix == "" {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// What Go takes and OpenSSL does not is wrong, and OpenSSL is named.
func TestWhatOpenSSLAloneRefuses(t *testing.T) {
	b := newBench(t, "subject: CN=root\n---\nsubject: CN=any\nissuer: CN=root\nsans: [DNS:localhost]\next_key_usages: [Any]\n---\nsubject: CN=both\nissuer: CN=root\nsans: [DNS:localhost]\next_key_usages: [ServerAuth, ClientAuth]\n")
	f := ruled(t, b.look(nil, "any.pem", "any-key.pem", "root.pem"), "wrong_usage")
	if f.Level != Wrong || f.RefusedBy != "OpenSSL" || !strings.Contains(f.Text, "for any use") {
		t.Errorf("%+v", f)
	}
	if r := b.look(nil, "both.pem", "both-key.pem", "root.pem"); r.Fails() {
		t.Errorf("%+v", r.Findings())
	}
	for name, want := range map[string]string{"any.pem": "certificate purpose", "both.pem": "OK"} {
		if out := b.prints("openssl", "verify", "-purpose", "sslserver", "-CAfile", "root.pem", name); !strings.Contains(out, want) {
			t.Errorf("openssl: %s", out)
		}
	}
}
