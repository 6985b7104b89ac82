package check

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
)

// meeting is what lab check makes of the files of two sides.
type meeting struct {
	met      []Handshake
	sides    endpoint.Pair[*lab.Loaded]
	findings []Finding
}

// meet lets two sides shake hands that have files of the folder.
func (b *bench) meet(server, client string) meeting {
	b.t.Helper()
	var m meeting
	var given Given
	var opened endpoint.Pair[[]*File]
	var all []*File
	for side, names := range (&endpoint.Pair[string]{Server: server, Client: client}).All() {
		var paths []string
		for _, name := range strings.Fields(*names) {
			paths = append(paths, b.in(name))
		}
		files, err := Open(paths, []string{"secret"})
		if err != nil {
			b.t.Fatal(err)
		}
		*opened.Of(side) = files
		all = append(all, files...)
	}
	for side, files := range opened.All() {
		r := Of(*files, all...)
		loaded, err := r.Side(side, nil)
		if err != nil {
			b.t.Fatal(err)
		}
		*m.sides.Of(side) = loaded
		given, m.findings = append(given, r), append(m.findings, r.Findings()...)
	}
	var err error
	if m.met, err = Meet(context.Background(), m.sides.Server, m.sides.Client, "localhost"); err != nil {
		b.t.Fatal(err)
	}
	given.Explain(m.met, m.sides, func(file string) string { return "'" + file + "'" })
	return m
}

// says returns the reason and the fix of both versions, which are the same,
// without the folder.
func (m meeting) says(b *bench) (reason, fix string) {
	b.t.Helper()
	x, y := m.met[0].Exchange, m.met[1].Exchange
	if x.Reason != y.Reason || x.Fix != y.Fix {
		b.t.Errorf("%q, %q", x.Reason, y.Reason)
	}
	short := strings.NewReplacer(b.dir+string(os.PathSeparator), "")
	keyID := regexp.MustCompile(`key [0-9a-f]{8}`)
	dated := regexp.MustCompile(`\d{4}-\d\d-\d\d`)
	without := func(s string) string {
		return keyID.ReplaceAllString(dated.ReplaceAllString(short.Replace(s), "DATE"), "key ID")
	}
	return without(x.Reason), without(x.Fix)
}

// first returns the first certificate of a file.
func (b *bench) first(name string) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.der(name)})
}

// The verdict names the file in which what is missing is, says how the file
// that lacks it gets it, and does not advise to trust an intermediate CA.
func TestGivenFiles(t *testing.T) {
	b := newBench(t, pki)
	b.write("leaf.pem", b.first("server.pem"))
	b.write("instead.pem", b.first("server.pem"), b.read("root.pem"))
	b.write("both.pem", b.first("server.pem"), b.read("server-key.pem"))
	b.write("leaf.der", b.der("server.pem"))
	b.write("other-root.pem", b.read("alone.pem"))
	b.write("twin-of-root.pem", newBench(t, "subject: CN=root\n").read("root.pem"))
	b.issue("sub-client", "mid", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	old := b.issue("old", "root", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	b.issueTo(old.PublicKey, "renewed", "root", func(*x509.Certificate) {})
	b.write("old-first.pem", b.first("old.pem"), b.first("renewed.pem"))
	if err := os.Mkdir(b.in("old"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.write("old/client.pem", b.first("old.pem"))
	const through = "the server's certificate leads to CN=root, which the client trusts, but through CN=mid, an intermediate CA that is not sent along: it is in mid.pem"
	for name, test := range map[string]struct{ server, client, reason, fix string }{
		"an intermediate is missing": {"leaf.pem server-key.pem root.pem", "client.pem client-key.pem mid.pem root.pem", "", ""}, // to a client in Go that is a CA like others
		"it is in the server's other file": {"leaf.pem server-key.pem mid.pem root.pem", "client.pem client-key.pem root.pem",
			through, "append the certificate of CN=mid (it is in mid.pem) to leaf.pem"},
		"the root in its place": {"instead.pem server-key.pem mid.pem", "client.pem client-key.pem root.pem",
			through + "; CN=root was sent in its place", "put the certificate of CN=mid (it is in mid.pem) into instead.pem, behind the first certificate and in place of CN=root"},
		"in DER": {"leaf.der server-key.pem mid.pem", "client.pem client-key.pem root.pem",
			through, "make a PEM file of it, since DER has room for one certificate, and append the certificate of CN=mid (it is in mid.pem): openssl x509 -inform DER -out chain.pem -in 'leaf.der'"},
		"behind the client's certificate": {"leaf.pem server-key.pem root.pem", "sub-client-chain.pem sub-client-key.pem root.pem",
			strings.ReplaceAll(through, "in mid.pem", "in sub-client-chain.pem"), "append the certificate of CN=mid (it is in sub-client-chain.pem) to leaf.pem"},
		"the client's": {"server.pem server-key.pem root.pem", "sub-client.pem sub-client-key.pem root.pem",
			"the client's certificate leads to CN=root, which the server trusts, but through CN=mid, an intermediate CA that is not sent along: it is in server.pem", "append the certificate of CN=mid (it is in server.pem) to sub-client.pem"},
		"of another root": {"server.pem server-key.pem root.pem", "client.pem client-key.pem other-root.pem",
			"the server's certificate leads to CN=root, which is in root.pem and which the client does not trust", "have the client trust CN=root, out of root.pem; or use a certificate of a CA that it trusts"},
		"of nothing that is known": {"server.pem server-key.pem other-root.pem", "alone.pem alone-key.pem root.pem", "", ""},
		"of a CA of the same name": {"server.pem server-key.pem root.pem", "client.pem client-key.pem twin-of-root.pem",
			"the server's certificate is signed by CN=root, the CA in root.pem (SHA-256 of its key ID, valid from DATE to DATE); the client trusts another one of that name, with another key: the one in twin-of-root.pem (SHA-256 of its key ID, valid from DATE to DATE)",
			"have the client trust the CA in root.pem beside the one in twin-of-root.pem, until all certificates are of the newer one; or have the certificate issued again by the one in twin-of-root.pem"},
		"of one that is nowhere": {"server.pem server-key.pem twin-of-root.pem", "client.pem client-key.pem twin-of-root.pem",
			"the server's certificate names CN=root as its issuer, but the key of the one that the client trusts, in twin-of-root.pem (SHA-256 of its key ID, valid from DATE to DATE), has not signed it; the CA that has is in none of the files", ""},
		"renewed behind the old one": {"server.pem server-key.pem root.pem", "old-first.pem old-key.pem root.pem",
			"", "put certificate number 2 first in the file of the client's certificate, and remove the one that is there now: no new one is needed"},
		"renewed in another file": {"server.pem server-key.pem root.pem", "old/client.pem old-key.pem renewed.pem root.pem", "", "use the certificate in renewed.pem, with its key: no new one is needed"},
	} {
		b.write("sub-client-chain.pem", b.first("sub-client.pem"), b.first("mid.pem"))
		m := b.meet(test.server, test.client)
		reason, fix := m.says(b)
		if test.reason != "" && reason != test.reason || test.fix != "" && fix != test.fix {
			t.Errorf("%s:\n%s\n%s", name, reason, fix)
		}
		if strings.Contains(fix, "trust CN=mid") {
			t.Errorf("%s: %s", name, fix)
		}
	}
	// A client that has no way to what the server names may show nothing.
	isNoted := func(m meeting) bool {
		f, ok := Withheld(m.met, m.sides)
		return ok && f.Level == Note && strings.Contains(f.Text, "names its CAs, CN=") && strings.Contains(f.Text, "peer did not return a certificate")
	}
	if !isNoted(b.meet("server.pem server-key.pem root.pem", "sub-client.pem sub-client-key.pem root.pem")) {
		t.Error("not noted of a client whose intermediate is missing")
	}
	if isNoted(b.meet("server.pem server-key.pem twin-of-root.pem root.pem", "client.pem client-key.pem root.pem")) {
		t.Error("noted of a client that is accepted")
	}
	if isNoted(b.meet("server.pem server-key.pem twin-of-root.pem", "client.pem client-key.pem root.pem")) {
		t.Error("noted of a client of a CA that the server names")
	}
}

// The way in which a key store gets the CA that it lacks is right.
func TestCompletion(t *testing.T) {
	b := newBench(t, pki)
	b.write("leaf.pem", b.first("server.pem"))
	b.write("CA.pem", b.first("mid.pem"))
	b.run("openssl", "pkcs12", "-export", "-in", "leaf.pem", "-inkey", "server-key.pem", "-name", "server", "-out", "leaf.p12", "-passout", "pass:secret")
	b.run("keytool", "-importkeystore", "-srckeystore", "leaf.p12", "-srcstorepass", "secret", "-destkeystore", "leaf.jks", "-deststoretype", "JKS", "-deststorepass", "secret")
	f := ruled(t, b.look([]string{"secret"}, "leaf.p12", "mid.pem", "root.pem"), "unknown_ca")
	if !strings.Contains(f.Fix, "openssl pkcs12 -nodes -out all.pem -in $FILE, then openssl pkcs12 -export -in all.pem -certfile CA.pem -out new.p12") {
		t.Error(f.Fix)
	}
	b.run("openssl", "pkcs12", "-nodes", "-out", "all.pem", "-in", "leaf.p12", "-passin", "pass:secret")
	b.run("openssl", "pkcs12", "-export", "-in", "all.pem", "-certfile", "CA.pem", "-out", "new.p12", "-passout", "pass:secret")
	f = ruled(t, b.look([]string{"secret"}, "leaf.jks", "mid.pem", "root.pem"), "unknown_ca")
	if !strings.Contains(f.Fix, "keytool -importcert -alias server -file chain.pem -keystore $FILE") {
		t.Error(f.Fix)
	}
	b.write("chain.pem", b.first("server.pem"), b.first("mid.pem"))
	b.run("keytool", "-importcert", "-noprompt", "-alias", "server", "-file", "chain.pem", "-keystore", "leaf.jks", "-storepass", "secret")
	for _, store := range []string{"new.p12", "leaf.jks"} {
		if r := b.look([]string{"secret"}, store, "root.pem"); r.Fails() || len(r.Pairs) != 1 || len(r.Pairs[0].Sends) != 2 {
			t.Errorf("%s: %+v, %+v", store, r.Findings(), r.Pairs)
		}
	}
}
