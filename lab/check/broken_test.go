package check

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/peertest"
)

const pki = `subject: CN=root
---
subject: CN=mid
issuer: CN=root
ca: true
---
subject: CN=server
issuer: CN=mid
sans: [DNS:localhost]
ext_key_usages: [ServerAuth]
---
subject: CN=client
issuer: CN=root
ext_key_usages: [ClientAuth]
---
subject: CN=rsa
issuer: CN=root
key_type: RSA
---
subject: CN=expired
issuer: CN=root
not_before: 2020-01-01T00:00:00Z
not_after: 2021-01-01T00:00:00Z
---
subject: CN=future
issuer: CN=root
not_before: 2090-01-01T00:00:00Z
not_after: 2091-01-01T00:00:00Z
---
subject: CN=soon
issuer: CN=root
expires: 72h
---
subject: CN=no-san
issuer: CN=root
ext_key_usages: [ServerAuth]
---
subject: CN=mail
issuer: CN=root
ext_key_usages: [EmailProtection]
---
subject: CN=encipher
issuer: CN=root
key_type: RSA
key_usages: [KeyEncipherment]
---
subject: CN=weak
issuer: CN=root
key_type: RSA
key_size: 1024
---
subject: CN=revoked
issuer: CN=root
revoked: true
---
subject: CN=old-ca
issuer: CN=root
ca: true
not_before: 2020-01-01T00:00:00Z
not_after: 2021-01-01T00:00:00Z
---
subject: CN=under-old-ca
issuer: CN=old-ca
---
subject: CN=alone
`

// bench is a folder with a PKI, in which files are made.
type bench struct {
	t   *testing.T
	dir string
}

func newBench(t *testing.T, manifest string) *bench {
	t.Helper()
	m, err := certgen.Parse("certs.yaml", []byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t, filepath.Join(t.TempDir(), "certs")}
	if _, err := certgen.Generate(context.Background(), m, b.dir, certgen.Options{}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) in(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) read(name string) []byte {
	b.t.Helper()
	data, err := os.ReadFile(b.in(name))
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}

// write writes a file, and returns its name.
func (b *bench) write(name string, data ...[]byte) string {
	b.t.Helper()
	if err := os.WriteFile(b.in(name), bytes.Join(data, nil), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return name
}

func (b *bench) der(name string) []byte {
	block, _ := pem.Decode(b.read(name))
	return block.Bytes
}

// run runs a program in the folder.
func (b *bench) run(program string, args ...string) {
	b.t.Helper()
	peertest.Need(b.t, program)
	command := exec.Command(program, args...)
	command.Dir = b.dir
	if out, err := command.CombinedOutput(); err != nil {
		b.t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
}

// look checks files of the folder.
func (b *bench) look(passwords []string, names ...string) *Report {
	b.t.Helper()
	var paths []string
	for _, name := range names {
		paths = append(paths, b.in(name))
	}
	files, err := Open(paths, passwords)
	if err != nil {
		b.t.Fatal(err)
	}
	return Of(files)
}

// TestBrokenFiles says of each what is wrong with it in a sentence, and never
// prints a key.
func TestBrokenFiles(t *testing.T) {
	b := newBench(t, pki)
	leaf, key := b.read("client.pem"), b.read("client-key.pem")
	indented := []byte("   " + strings.ReplaceAll(string(leaf), "\n", "\n   "))
	utf16 := []byte{0xff, 0xfe}
	for _, c := range leaf {
		utf16 = append(utf16, c, 0)
	}
	secret := func(entries ...string) []byte {
		text := "apiVersion: v1\nkind: Secret\nmetadata:\n  name: tls\ntype: kubernetes.io/tls\ndata:\n"
		for i := 0; i < len(entries); i += 2 {
			text += "  " + entries[i] + ": " + entries[i+1] + "\n"
		}
		return []byte(text)
	}
	b64 := base64.StdEncoding.EncodeToString
	for _, test := range []struct {
		name  string
		files func() []string // what is checked
		rule  string
		text  string // in the finding
		level Level
	}{
		{"empty", func() []string { return []string{b.write("empty.pem")} }, "unreadable", "empty.pem is empty", Wrong},
		{"blank lines", func() []string { return []string{b.write("blank.pem", []byte("\n \n"))} }, "unreadable", "is empty", Wrong},
		{"20 MB", func() []string { return []string{b.write("big.pem", make([]byte, 20<<20))} }, "unreadable", "is larger than 16 MiB", Wrong},
		{"some text", func() []string { return []string{b.write("notes.txt", []byte("hello\n"))} }, "unreadable", "is no certificate and no key", Wrong},
		{"random bytes", func() []string { return []string{b.write("random.bin", []byte("\x00\x30\x82\xff\xff\x01"))} }, "unreadable", "is no certificate and no key", Wrong},
		{"cut short", func() []string { return []string{b.write("cut.pem", leaf[:len(leaf)/2])} }, "unreadable", "is cut short or damaged", Wrong},
		{"second block cut short", func() []string { return []string{b.write("cut2.pem", leaf, leaf[:99])} }, "unreadable", "has a PEM block that is cut short or damaged, after a certificate", Wrong},
		{"indented", func() []string { return []string{b.write("indented.pem", indented)} }, "unreadable", "lines are indented", Wrong},
		{"byte order mark", func() []string { return []string{b.write("bom.pem", []byte("\xef\xbb\xbf"), leaf)} }, "byte_order_mark", "begins with a byte order mark", Wrong},
		{"UTF-16", func() []string { return []string{b.write("utf16.pem", utf16)} }, "unreadable", "UTF-16", Wrong},
		{"Windows line ends", func() []string {
			return []string{b.write("crlf.pem", bytes.ReplaceAll(leaf, []byte("\n"), []byte("\r\n")))}
		}, "windows_line_ends", "line ends of Windows", Note},
		{"damaged base64", func() []string {
			return []string{b.write("b64.pem", bytes.Replace(leaf, []byte("MII"), []byte("M!I"), 1))}
		}, "unreadable", "cut short or damaged", Wrong},
		{"not a certificate", func() []string {
			return []string{b.write("fake.pem", []byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))}
		}, "unreadable", "has a certificate that cannot be read", Wrong},
		{"DER named .pem", func() []string { return []string{b.write("der.pem", b.der("client.pem"))} }, "not_pem", "is DER, and named as PEM is", Wrong},
		{"DER", func() []string { return []string{b.write("client.der", b.der("client.pem"))} }, "der", "load PEM alone", Note},
		{"DER of a key", func() []string { return []string{b.write("der.key", b.der("client-key.pem"))} }, "not_pem", "is DER", Wrong},
		{"PEM in base64", func() []string { return []string{b.write("twice.pem", []byte(b64(leaf)))} }, "unreadable", "is PEM in base64", Wrong},
		{"base64 without lines", func() []string { return []string{b.write("bare.pem", []byte(b64(b.der("client.pem"))))} }, "unreadable", "without the lines -----BEGIN", Wrong},
		{"request", func() []string {
			b.run("openssl", "req", "-new", "-key", "client-key.pem", "-subj", "/CN=x", "-out", "a.csr")
			return []string{"a.csr"}
		}, "request", "a certificate signing request, which a CA has yet to turn into a certificate", Wrong},
		{"request in DER", func() []string {
			b.run("openssl", "req", "-new", "-key", "client-key.pem", "-subj", "/CN=x", "-outform", "DER", "-out", "b.csr")
			return []string{"b.csr"}
		}, "request", "certificate signing request", Wrong},
		{"PKCS#7", func() []string {
			b.run("openssl", "crl2pkcs7", "-nocrl", "-certfile", "client.pem", "-out", "a.p7b")
			return []string{"a.p7b"}
		}, "nothing_of_use", "PKCS#7", Wrong},
		{"PKCS#7 in DER", func() []string {
			b.run("openssl", "crl2pkcs7", "-nocrl", "-certfile", "client.pem", "-outform", "DER", "-out", "b.p7b")
			return []string{"b.p7b"}
		}, "unreadable", "is PKCS#7", Wrong},
		{"TRUSTED CERTIFICATE", func() []string {
			b.run("openssl", "x509", "-trustout", "-addtrust", "clientAuth", "-in", "client.pem", "-out", "trusted.pem")
			return []string{"trusted.pem", "client-key.pem"}
		}, "trusted_certificate", "has a TRUSTED CERTIFICATE", Wrong},
		{"certificate in place of the key", func() []string { return []string{"client.pem", b.write("wrong.key", leaf)} }, "no_key", "is named as a key is, and has a certificate", Wrong},
		{"public key in place of the key", func() []string {
			b.run("openssl", "pkey", "-in", "client-key.pem", "-pubout", "-out", "public.key")
			return []string{"client.pem", "public.key"}
		}, "no_key", "has a public key", Wrong},
		{"encrypted key", func() []string {
			b.run("openssl", "pkcs8", "-topk8", "-in", "client-key.pem", "-out", "enc.key", "-passout", "pass:secret")
			return []string{"client.pem", "enc.key"}
		}, "encrypted_key", "is encrypted with a password", Unknown},
		{"encrypted key in DER", func() []string {
			b.run("openssl", "pkcs8", "-topk8", "-in", "client-key.pem", "-outform", "DER", "-out", "enc.der", "-passout", "pass:secret")
			return []string{"client.pem", "enc.der"}
		}, "encrypted_key", "is encrypted with a password", Unknown},
		{"key encrypted with scrypt", func() []string {
			b.run("openssl", "pkcs8", "-topk8", "-scrypt", "-in", "client-key.pem", "-out", "scrypt.key", "-passout", "pass:secret")
			return []string{"client.pem", "scrypt.key"}
		}, "encrypted_key", "is encrypted with a password", Unknown},
		{"old encrypted key", func() []string {
			b.run("openssl", "rsa", "-traditional", "-aes128", "-in", "rsa-key.pem", "-out", "old.key", "-passout", "pass:secret")
			return []string{"rsa.pem", "old.key"}
		}, "encrypted_key", "is encrypted with a password", Unknown},
		{"key encrypted as long ago", func() []string {
			b.run("openssl", "pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-in", "client-key.pem", "-out", "v1.key", "-passout", "pass:secret")
			return []string{"client.pem", "v1.key"}
		}, "key_unreadable", "is encrypted with PBE-SHA1-3DES, which is not read here", Unknown},
		{"key under Camellia", func() []string {
			b.run("openssl", "pkcs8", "-topk8", "-v2", "camellia-128-cbc", "-in", "client-key.pem", "-out", "camellia.key", "-passout", "pass:secret")
			return []string{"client.pem", "camellia.key"}
		}, "key_unreadable", "which is not read here", Unknown},
		{"old key under Camellia", func() []string {
			b.run("openssl", "rsa", "-traditional", "-camellia128", "-in", "rsa-key.pem", "-out", "old-camellia.key", "-passout", "pass:secret")
			return []string{"rsa.pem", "old-camellia.key"}
		}, "key_unreadable", "is encrypted with CAMELLIA-128-CBC, which is not read here", Unknown},
		{"DSA", func() []string {
			b.run("openssl", "dsaparam", "-genkey", "-out", "dsa-key.pem", "1024")
			return []string{"dsa-key.pem"}
		}, "key_unreadable", "DSA key", Wrong},
		{"DSA in PKCS#8", func() []string {
			b.run("openssl", "genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024", "-out", "dsaparam")
			b.run("openssl", "genpkey", "-paramfile", "dsaparam", "-out", "dsa8-key.pem")
			return []string{"dsa8-key.pem"}
		}, "key_unreadable", "DSA key", Wrong},
		{"key of OpenSSH", func() []string {
			return []string{b.write("id.key", []byte("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n"))}
		}, "key_unreadable", "form of OpenSSH", Wrong},
		{"Ed448", func() []string {
			b.run("openssl", "genpkey", "-algorithm", "ED448", "-out", "ed448-key.pem")
			return []string{"ed448-key.pem"}
		}, "key_unreadable", "private key that cannot be read", Wrong},
		{"key of another certificate", func() []string { return []string{"client.pem", "rsa-key.pem"} }, "key_mismatch", "is not that of the certificate in", Wrong},
		{"CA first", func() []string {
			return []string{b.write("reversed.pem", b.read("mid.pem"), b.read("server.pem")), "server-key.pem"}
		}, "wrong_order", "belongs to number 2, CN=server", Wrong},
		{"certificate without its key", func() []string { return []string{"client.pem"} }, "without_key", "is not among the files", Note},
		{"key without its certificate", func() []string { return []string{"client-key.pem"} }, "without_certificate", "no certificate beside the key", Note},
		{"intermediate not sent", func() []string {
			return []string{b.write("short.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.der("server.pem")})), "server-key.pem", "mid.pem", "root.pem"}
		}, "unknown_ca", "CN=mid, an intermediate CA that is not sent along", Wrong},
		{"root sent", func() []string {
			return []string{b.write("long.pem", b.read("server.pem"), b.read("root.pem")), "server-key.pem"}
		}, "chain_as_sent", "The root CN=root did not need to be sent along", Note},
		{"superfluous certificate", func() []string {
			return []string{b.write("more.pem", b.read("server.pem"), b.read("alone.pem")), "server-key.pem"}
		}, "chain_as_sent", "CN=alone did not need to be sent along", Note},
		{"chain upside down", func() []string {
			b.run("openssl", "x509", "-in", "server.pem", "-out", "one.pem")
			return []string{b.write("upside.pem", b.read("one.pem"), b.read("root.pem"), b.read("mid.pem")), "server-key.pem"}
		}, "chain_as_sent", "should come after it", Note},
		{"expired", func() []string { return []string{"expired.pem", "expired-key.pem"} }, "expired", "has expired", Wrong},
		{"expired, without its key", func() []string { return []string{"expired.pem", "root.pem"} }, "expired", "CN=expired has expired", Wrong},
		{"not yet valid", func() []string { return []string{"future.pem", "future-key.pem"} }, "not_yet_valid", "is not valid yet", Wrong},
		{"expires soon", func() []string { return []string{"soon.pem", "soon-key.pem"} }, "expires_soon", "CN=soon expires in 2 days", Note},
		{"expired CA", func() []string {
			return []string{b.write("u.pem", b.read("under-old-ca.pem"), b.read("old-ca.pem")), "under-old-ca-key.pem"}
		}, "expired", "CN=old-ca, which has expired", Wrong},
		{"expired CA alone", func() []string { return []string{"old-ca.pem"} }, "expired", "CN=old-ca has expired", Wrong},
		{"issued by no CA", func() []string {
			b.run("openssl", "req", "-new", "-key", "rsa-key.pem", "-subj", "/CN=below", "-out", "below.csr")
			b.run("openssl", "x509", "-req", "-in", "below.csr", "-CA", "client.pem", "-CAkey", "client-key.pem", "-out", "below.pem", "-days", "90")
			return []string{b.write("n.pem", b.read("below.pem"), leaf), "rsa-key.pem"}
		}, "not_a_ca", "CN=client, which may not sign certificates", Wrong},
		{"no name of a server", func() []string { return []string{"no-san.pem", "no-san-key.pem"} }, "no_san", "has no DNS name and no IP address", Wrong},
		{"for e-mail", func() []string { return []string{"mail.pem", "mail-key.pem"} }, "wrong_usage", "neither for clients nor for servers", Wrong},
		{"not for signatures", func() []string { return []string{"encipher.pem", "encipher-key.pem"} }, "wrong_key_usage", "is not for signatures", Wrong},
		{"weak key", func() []string { return []string{"weak.pem", "weak-key.pem"} }, "weak_key", "RSA key of 1,024 bits", Wrong},
		{"revoked", func() []string { return []string{"revoked.pem", "revoked-key.pem", "root.pem", "root-crl.pem"} }, "revoked", "was revoked by CN=root", Wrong},
		{"signed with SHA-1", func() []string {
			b.run("openssl", "req", "-new", "-key", "rsa-key.pem", "-subj", "/CN=sha1", "-out", "sha1.csr")
			b.run("openssl", "x509", "-req", "-sha1", "-in", "sha1.csr", "-CA", "root.pem", "-CAkey", "root-key.pem", "-out", "sha1.pem", "-days", "9")
			return []string{"sha1.pem", "rsa-key.pem"}
		}, "weak_signature", "is signed with", Wrong},
		{"password of PKCS#12 missing", func() []string {
			b.run("openssl", "pkcs12", "-export", "-in", "client.pem", "-inkey", "client-key.pem", "-out", "a.p12", "-passout", "pass:secret")
			return []string{"a.p12"}
		}, "unreadable", "a.p12 has a password", Unknown},
		{"PKCS#12 cut short", func() []string {
			b.run("openssl", "pkcs12", "-export", "-in", "client.pem", "-inkey", "client-key.pem", "-out", "c.p12", "-passout", "pass:secret")
			data := b.read("c.p12")
			return []string{b.write("cut.p12", data[:len(data)/2])}
		}, "unreadable", "cannot be read", Wrong},
		{"JKS cut short", func() []string {
			return []string{b.write("cut.jks", []byte("\xfe\xed\xfe\xed\x00\x00\x00\x02\xff\xff\xff\xff\x00\x00\x00\x01\xff\xff\xff\xff01234567890123456789"))}
		}, "unreadable", "cut short or damaged", Wrong},
		{"JCEKS", func() []string { return []string{b.write("a.jceks", []byte("\xce\xce\xce\xce\x00\x00\x00\x02"))} }, "unreadable", "JCEKS", Wrong},
		{"Secret without certificates", func() []string { return []string{b.write("s1.yaml", secret("password", b64([]byte("hunter2"))))} }, "unreadable", "with no certificate and no key in it: it has password", Wrong},
		{"Secret that is not base64", func() []string { return []string{b.write("s2.yaml", secret("tls.crt", "'%%%'"))} }, "unreadable", "has tls.crt, which is not base64", Wrong},
		{"Secret with another key", func() []string {
			return []string{b.write("s3.yaml", secret("tls.crt", b64(leaf), "tls.key", b64(b.read("rsa-key.pem"))))}
		}, "key_mismatch", "is not that of the certificate", Wrong},
		{"Secret with two certificates", func() []string {
			return []string{b.write("s4.yaml", secret("tls.crt", b64(leaf), "tls.key", b64(leaf)))}
		}, "no_key", "is named as a key is", Wrong},
		{"Secret encoded twice", func() []string {
			return []string{b.write("s5.yaml", secret("tls.crt", b64([]byte(b64(leaf))), "tls.key", b64(key)))}
		}, "unreadable", "has tls.crt, which is PEM in base64 once more", Wrong},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := *b
			b.t = t
			r := b.look(nil, test.files()...)
			found := false
			var said []string
			for _, f := range r.Findings() {
				found = found || f.Rule == test.rule && strings.Contains(f.Text, test.text) && f.Level == test.level
				said = append(said, string(f.Level)+" "+f.Rule+": "+f.Text+" / "+f.Fix)
			}
			all := strings.Join(said, "\n")
			if !found {
				t.Errorf("want %s: %s; got\n%s", test.rule, test.text, all)
			}
			if r.Fails() != (test.level == Wrong) {
				t.Errorf("fails: %v; got\n%s", r.Fails(), all)
			}
			if strings.Contains(all, "-----BEGIN") && !strings.Contains(test.text+all, "lines -----BEGIN") && test.name != "indented" || strings.Contains(all, "hunter2") {
				t.Error("a file's content is in the message:\n" + all)
			}
		})
	}
}
