package lab

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// While another lab writes the folder, its files may not belong together: the
// previous credentials stay in use until it has finished.
func TestCredentialsThatAreBeingWritten(t *testing.T) {
	dir, other := newPKI(t), newPKI(t)
	client := newClient(t, dir, "localhost:1")
	before := client.wallet.identity
	use := func() *identity {
		t.Helper()
		client.wallet.checked = time.Time{} // not fresh any more
		_, now, err := client.wallet.current()
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	lock := flock.New(filepath.Join(dir, ".lock"))
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"server-ca.pem", "client.pem", "client-key.pem"} {
		content, err := os.ReadFile(filepath.Join(other, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if use() != before {
			t.Errorf("%s is used while the folder is locked", file)
		}
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if use() == before {
		t.Error("the new credentials are not used")
	}
}

// What Read has read is used as it is, unless the files have changed since.
func TestCredentialsThatWereRead(t *testing.T) {
	dir, other := newPKI(t), newPKI(t)
	o := Credentials{Dir: dir, Certificate: "client", Trust: "server-ca"}
	if err := o.Read(); err != nil {
		t.Fatal(err)
	}
	shown := func() *x509.Certificate {
		t.Helper()
		u := &url.URL{Scheme: "https", Host: "localhost:1"}
		c, err := NewClient(ClientOptions{URL: u}, Settings{Credentials: o, Journal: &Journal{}})
		if err != nil {
			t.Fatal(err)
		}
		return c.wallet.identity.leaf("")
	}
	if shown() != o.Leaf() {
		t.Error("the certificate is not the one that was read")
	}
	for _, file := range []string{"client.pem", "client-key.pem"} {
		if err := os.Rename(filepath.Join(other, file), filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
	if shown().Equal(o.Leaf()) {
		t.Error("the certificate is the one before the files changed")
	}
}

// The certificate that a server shows is the one for the name that the client
// asks for, or else its first.
func TestSubjectOfIdentity(t *testing.T) {
	named := func(name string) tls.Certificate {
		subject, err := asn1.Marshal(pkix.Name{CommonName: name}.ToRDNSequence())
		if err != nil {
			t.Fatal(err)
		}
		return tls.Certificate{Leaf: &x509.Certificate{RawSubject: subject, DNSNames: []string{name + ".example"}}}
	}
	two := &identity{certificates: []tls.Certificate{named("a"), named("b")}}
	for serverName, want := range map[string]string{"": "CN=a", "a.example": "CN=a", "b.example": "CN=b", "c.example": "CN=a"} {
		if got := two.subject(serverName); got != want {
			t.Errorf("%q: %s, want %s", serverName, got, want)
		}
	}
	if got := (&identity{}).subject("a.example"); got != "" {
		t.Errorf("without a certificate: %s", got)
	}
}
