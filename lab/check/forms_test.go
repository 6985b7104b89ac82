package check

import (
	"encoding/base64"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestPairsOfThePKI: every certificate fits its own key, and no other.
func TestPairsOfThePKI(t *testing.T) {
	b := newBench(t, pki)
	names := []string{"root", "mid", "server", "client", "rsa", "expired", "weak", "revoked", "alone"}
	for _, name := range names {
		for _, other := range names {
			r := b.look(nil, name+".pem", other+"-key.pem")
			fits := len(r.Pairs) == 1
			mismatch := false
			for _, f := range r.Findings() {
				mismatch = mismatch || f.Rule == "key_mismatch" && f.Level == Wrong
			}
			if fits != (name == other) || mismatch == fits {
				t.Errorf("%s and the key of %s: %d pairs, %+v", name, other, len(r.Pairs), r.Findings())
			}
		}
	}
}

// TestForms reads a pair and CAs as real programs write them. With a password
// they are opened, without they say that they have one.
func TestForms(t *testing.T) {
	b := newBench(t, pki)
	b.write("p1", []byte("secret\n"))
	b64 := base64.StdEncoding.EncodeToString
	for _, test := range []struct {
		name     string
		make     func() []string
		form     string
		sends    string // what the pair sends; "": there is no pair
		authors  int    // certificates in all files
		isLocked bool   // without a password
	}{
		{"OpenSSL 3", func() []string {
			b.run("openssl", "pkcs12", "-export", "-in", "server.pem", "-inkey", "server-key.pem", "-out", "a.p12", "-passout", "pass:secret")
			return []string{"a.p12"}
		}, "PKCS#12", "CN=server CN=mid", 2, true},
		{"OpenSSL -legacy", func() []string {
			b.run("openssl", "pkcs12", "-export", "-legacy", "-in", "server.pem", "-inkey", "server-key.pem", "-out", "b.p12", "-passout", "pass:secret")
			return []string{"b.p12"}
		}, "PKCS#12", "CN=server CN=mid", 2, true},
		{"OpenSSL, certificates alone", func() []string {
			b.run("openssl", "pkcs12", "-export", "-nokeys", "-in", "root.pem", "-out", "c.p12", "-passout", "pass:secret")
			return []string{"c.p12"}
		}, "PKCS#12", "", 1, true},
		{"NSS", func() []string {
			b.run("openssl", "pkcs12", "-export", "-in", "server.pem", "-inkey", "server-key.pem", "-name", "server", "-out", "d0.p12", "-passout", "pass:secret")
			if err := os.Mkdir(b.in("nss"), 0o700); err != nil {
				t.Fatal(err)
			}
			b.run("certutil", "-N", "-d", "sql:nss", "--empty-password")
			b.run("pk12util", "-i", "d0.p12", "-d", "sql:nss", "-w", "p1")
			b.run("pk12util", "-o", "d.p12", "-n", "server", "-d", "sql:nss", "-w", "p1")
			return []string{"d.p12"}
		}, "PKCS#12", "CN=server CN=mid", 2, true},
		{"keytool, PKCS12", func() []string {
			b.run("openssl", "pkcs12", "-export", "-in", "server.pem", "-inkey", "server-key.pem", "-name", "x", "-out", "e0.p12", "-passout", "pass:secret")
			b.run("keytool", "-importkeystore", "-srckeystore", "e0.p12", "-srcstorepass", "secret", "-destkeystore", "e.p12", "-deststoretype", "PKCS12", "-deststorepass", "secret")
			return []string{"e.p12"}
		}, "PKCS#12", "CN=server CN=mid", 2, true},
		{"keytool, JKS", func() []string {
			b.run("openssl", "pkcs12", "-export", "-in", "server.pem", "-inkey", "server-key.pem", "-name", "x", "-out", "f0.p12", "-passout", "pass:secret")
			b.run("keytool", "-importkeystore", "-srckeystore", "f0.p12", "-srcstorepass", "secret", "-destkeystore", "f.jks", "-deststoretype", "JKS", "-deststorepass", "secret")
			b.run("keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", "root.pem", "-keystore", "f.jks", "-storepass", "secret")
			return []string{"f.jks"}
		}, "JKS", "CN=server CN=mid", 3, true},
		{"keytool, a trust store in PKCS12", func() []string {
			b.run("keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", "root.pem", "-keystore", "g.p12", "-storetype", "PKCS12", "-storepass", "secret")
			return []string{"g.p12"}
		}, "PKCS#12", "", 1, true},
		{"keytool, a trust store in JKS", func() []string {
			b.run("keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", "root.pem", "-keystore", "h.jks", "-storetype", "JKS", "-storepass", "secret")
			return []string{"h.jks"}
		}, "JKS", "", 1, true},
		{"a key in PBES2", func() []string {
			b.run("openssl", "pkcs8", "-topk8", "-in", "server-key.pem", "-out", "i.key", "-passout", "pass:secret")
			return []string{"server.pem", "i.key"}
		}, "PEM", "CN=server CN=mid", 2, true},
		{"a key in PBES2 with SHA-1 and 3DES", func() []string {
			b.run("openssl", "pkcs8", "-topk8", "-v2", "des3", "-v2prf", "hmacWithSHA1", "-in", "server-key.pem", "-out", "j.key", "-passout", "pass:secret")
			return []string{"server.pem", "j.key"}
		}, "PEM", "CN=server CN=mid", 2, true},
		{"a key in PBES2 with scrypt", func() []string {
			b.run("openssl", "pkcs8", "-topk8", "-scrypt", "-in", "server-key.pem", "-out", "m.key", "-passout", "pass:secret")
			return []string{"server.pem", "m.key"}
		}, "PEM", "CN=server CN=mid", 2, true},
		{"a key in DER and PBES2", func() []string {
			b.run("openssl", "pkcs8", "-topk8", "-v2", "aes-128-cbc", "-outform", "DER", "-in", "server-key.pem", "-out", "k.der", "-passout", "pass:secret")
			return []string{"server.pem", "k.der"}
		}, "PEM", "CN=server CN=mid", 2, true},
		{"a key as OpenSSL encrypted it long ago", func() []string {
			b.run("openssl", "rsa", "-traditional", "-aes256", "-in", "rsa-key.pem", "-out", "l.key", "-passout", "pass:secret")
			return []string{"rsa.pem", "l.key"}
		}, "PEM", "CN=rsa", 1, true},
		{"a Secret", func() []string {
			return []string{b.write("s.yaml", []byte("apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\ndata:\n  ca.crt: "+b64(b.read("root.pem"))+
				"\n  tls.crt: "+b64(b.read("server.pem"))+"\n  tls.key: "+b64(b.read("server-key.pem"))+"\n"))}
		}, "Kubernetes Secret", "CN=server CN=mid", 3, false},
		{"a Secret in JSON", func() []string {
			return []string{b.write("s.json", []byte(`{"apiVersion":"v1","kind":"Secret","data": {"tls.key": "`+b64(b.read("server-key.pem"))+`", "tls.crt": "`+b64(b.read("server.pem"))+`"}}`))}
		}, "Kubernetes Secret", "CN=server CN=mid", 2, false},
		{"a Secret with its text as it is", func() []string {
			lines := func(name string) string {
				return strings.ReplaceAll("\n"+strings.TrimSpace(string(b.read(name))), "\n", "\n    ")
			}
			return []string{b.write("t.yaml", []byte("# ours\n---\nkind: Secret\nstringData:\n  tls.crt: |"+lines("server.pem")+"\n  tls.key: |"+lines("server-key.pem")+"\n"))}
		}, "Kubernetes Secret", "CN=server CN=mid", 2, false},
		{"a ConfigMap", func() []string {
			return []string{b.write("c.yaml", []byte("kind: ConfigMap\ndata:\n  other: x\n  ca.crt: |\n    "+strings.ReplaceAll(strings.TrimSpace(string(b.read("root.pem"))), "\n", "\n    ")+"\n"))}
		}, "Kubernetes ConfigMap", "", 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := *b
			b.t = t
			files := test.make()
			r := b.look([]string{"another", "secret"}, files...)
			refused := map[string]string{"OpenSSL -legacy": "old_encryption", "OpenSSL, certificates alone": "not_marked_as_trusted"}[test.name]
			if r.Fails() != (refused != "") || refused != "" && r.Findings()[0].Rule != refused || string(r.Files[0].Form) != test.form {
				t.Errorf("%s: %+v", r.Files[0].Form, r.Findings())
			}
			sends, certificates := "", 0
			if len(r.Pairs) > 0 {
				sends = strings.Join(r.Pairs[0].Sends, " ")
			}
			for _, f := range r.Files {
				certificates += len(f.Certificates)
			}
			if sends != test.sends || certificates != test.authors {
				t.Errorf("sends %q, %d certificates", sends, certificates)
			}
			for password, want := range map[string]string{"": "a password", "wrong": "another password"} {
				var passwords []string
				if password != "" {
					passwords = []string{password}
				}
				r := b.look(passwords, files...)
				said := ""
				for _, f := range r.Findings() {
					said += f.Text + "\n"
				}
				if test.isLocked != strings.Contains(said, want) || (test.isLocked && password != "") != r.Fails() {
					t.Errorf("password %q: %s", password, said)
				}
			}
		})
	}
}

// A folder is all its files, without what has nothing to do with certificates.
func TestFolder(t *testing.T) {
	b := newBench(t, pki)
	for _, name := range []string{"expired", "future", "soon", "no-san", "mail", "encipher", "weak", "old-ca", "under-old-ca", "revoked"} {
		_ = os.Remove(b.in(name + ".pem"))
		_ = os.Remove(b.in(name + "-key.pem"))
	}
	b.write("README", []byte("these are ours"))
	b.write("nginx.conf", []byte("server {}"))
	if err := os.MkdirAll(b.in("old/older"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := b.look(nil, ".")
	if len(r.Pairs) != 6 || r.Fails() {
		t.Errorf("%d pairs, %+v", len(r.Pairs), r.Findings())
	}
	for _, f := range r.Files {
		if strings.Contains(f.Name, "README") || strings.Contains(f.Name, "nginx") {
			t.Errorf("%s is among the files", f.Name)
		}
	}
	if _, err := Open([]string{b.in("old")}, nil); err == nil || !strings.Contains(err.Error(), "is a folder without files") {
		t.Errorf("an empty folder: %v", err)
	}
	for i := range maxFiles + 1 {
		b.write("many-"+time.Duration(i).String()+".txt", []byte("x"))
	}
	if _, err := Open([]string{b.dir}, nil); err == nil || !strings.Contains(err.Error(), "more than 500 files") {
		t.Errorf("a full folder: %v", err)
	}
}

// A file without permission says so, and others are still looked at.
func TestNoPermission(t *testing.T) {
	if os.Getuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("root may read everything")
	}
	b := newBench(t, pki)
	if err := os.Chmod(b.in("client-key.pem"), 0); err != nil {
		t.Fatal(err)
	}
	r := b.look(nil, "client.pem", "client-key.pem")
	if f := r.Findings(); len(f) == 0 || !strings.Contains(f[0].Text, "client-key.pem cannot be read by you") {
		t.Errorf("%+v", f)
	}
}
