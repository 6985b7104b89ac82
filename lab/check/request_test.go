package check

import (
	"strings"
	"testing"
)

// A certificate signing request is no fault beside the certificate or the key
// that it is for, but is one in the place of a certificate.
func TestRequests(t *testing.T) {
	b := newBench(t, pki)
	request := func(key string, names ...string) {
		for _, name := range names {
			b.run("openssl", "req", "-new", "-key", key, "-subj", "/CN=x", "-out", name)
		}
	}
	request("client-key.pem", "client.csr", "client-req.pem", "client.crt")
	b.run("openssl", "req", "-new", "-key", "client-key.pem", "-subj", "/CN=x", "-outform", "DER", "-out", "der.csr")
	b.run("openssl", "genrsa", "-out", "new-key.pem", "2048")
	request("new-key.pem", "new.csr")
	const toCome = " has a certificate signing request, which a CA has yet to turn into a certificate"
	of := func(name string) string {
		return " has a certificate signing request for the key of CN=client in " + b.in(name)
	}
	for name, c := range map[string]struct {
		files []string // the request first
		want  Level
		text  string
	}{
		"of a certificate":           {[]string{"client.csr", "client.pem", "client-key.pem"}, Note, of("client.pem")},
		"of a certificate alone":     {[]string{"client-req.pem", "client.pem"}, Note, of("client.pem")},
		"in DER":                     {[]string{"der.csr", "client.pem", "client-key.pem"}, Note, of("client.pem")},
		"sent, and not answered yet": {[]string{"new.csr", "new-key.pem", "root.pem"}, Note, toCome},
		"of a key that is elsewhere": {[]string{"new.csr", "client.pem", "client-key.pem"}, Note, toCome},
		"named as a certificate":     {[]string{"client.crt", "client-key.pem"}, Wrong, " is named as a certificate is, and" + toCome},
		"alone":                      {[]string{"client.csr"}, Wrong, toCome},
	} {
		r := b.look(nil, c.files...)
		f := found(r, "request")
		if len(f) != 1 || f[0].Level != c.want || f[0].Text != b.in(c.files[0])+c.text {
			t.Errorf("%s: %+v", name, f)
		}
		if r.Fails() != (c.want == Wrong) {
			t.Errorf("%s: %+v", name, r.Findings())
		}
	}
	f := found(b.look(nil, "new.csr", "new-key.pem", "root.pem"), "without_certificate")
	if len(f) != 1 || f[0].Level != Note || !strings.HasSuffix(f[0].Text, "for which "+b.in("new.csr")+" is the request") {
		t.Errorf("%+v", f)
	}
	// A request for another key does not excuse a key without its certificate.
	if f := found(b.look(nil, "client.csr", "new-key.pem", "root.pem", "root-key.pem"), "key_mismatch"); len(f) != 1 || f[0].Level != Wrong {
		t.Errorf("%+v", f)
	}
}
