package certgen

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"
	"time"
)

// issueAll makes a manifest in memory, changed before.
func issueAll(t *testing.T, text string, change func(*Manifest) error) *Issued {
	t.Helper()
	m, err := Parse("certs.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		if err := change(m); err != nil {
			t.Fatal(err)
		}
	}
	made, err := Issue(t.Context(), m, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// verifyPair checks what is shown with a certificate, under one root.
func verifyPair(t *testing.T, shown tls.Certificate, root *x509.Certificate) {
	t.Helper()
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	o.Roots.AddCert(root)
	for _, der := range shown.Certificate[1:] {
		above, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		o.Intermediates.AddCert(above)
	}
	if _, err := shown.Leaf.Verify(o); err != nil {
		t.Error(err)
	}
}

func TestIssueInMemory(t *testing.T) {
	const manifest = "subject: CN=ca\n---\nsubject: CN=sub\nissuer: CN=ca\nca: true\n---\nsubject: CN=leaf\nissuer: CN=sub\nrevoked: true\nsans: ['DNS:localhost']\n"
	made := issueAll(t, manifest, func(m *Manifest) error {
		m.LimitLifetime(time.Hour)
		return errors.Join(m.AddNames("leaf", &x509.Certificate{DNSNames: []string{"a.example"}}), m.SetSubject("leaf", "CN=probe,OU=lab probe"))
	})
	leaf := made.Pairs["leaf"]
	verifyPair(t, leaf, made.Pairs["ca"].Leaf)
	if err := leaf.Leaf.VerifyHostname("a.example"); err != nil {
		t.Error(err)
	}
	if s := leaf.Leaf.Subject.String(); s != "CN=probe,OU=lab probe" {
		t.Errorf("the subject is %s", s)
	}
	if lives := leaf.Leaf.NotAfter.Sub(leaf.Leaf.NotBefore); lives != time.Hour {
		t.Errorf("it lives for %v", lives)
	}
	crl := made.CRLs["sub"]
	if crl == nil || len(crl.RevokedCertificateEntries) != 1 || crl.RevokedCertificateEntries[0].SerialNumber.Cmp(leaf.Leaf.SerialNumber) != 0 {
		t.Errorf("the CRLs are %v", made.CRLs)
	}
}

// A CA of the user's, root or intermediate, takes the place of one in the
// manifest, or issues it.
func TestIssueUnderAGivenCA(t *testing.T) {
	users := issueAll(t, "subject: CN=root,O=Users\n---\nsubject: CN=issuing,O=Users\nissuer: 'CN=root,O=Users'\nca: true\n", nil)
	const manifest = "subject: CN=ca\n---\nsubject: CN=leaf\nissuer: CN=ca\n---\nsubject: CN=ca\nfilename: look-alike\n"
	root := users.Pairs["root"].Leaf
	for name, given := range users.Pairs {
		for how, give := range map[string]func(*Manifest) error{
			"in its place": func(m *Manifest) error { return m.Give("ca", given) },
			"above it":     func(m *Manifest) error { return m.GiveIssuer("ca", given) },
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				made := issueAll(t, manifest, give)
				verifyPair(t, made.Pairs["leaf"], root)
				alike := made.Pairs["look-alike"].Leaf
				if isGiven := how == "in its place"; bytes.Equal(alike.RawSubject, given.Leaf.RawSubject) != isGiven || bytes.Equal(alike.RawSubjectPublicKeyInfo, given.Leaf.RawSubjectPublicKeyInfo) {
					t.Errorf("the look-alike is %s", alike.Subject)
				}
			})
		}
	}
}

// A CA without its key can be given where it issues nothing.
func TestIssueWithoutAKey(t *testing.T) {
	ca := issueAll(t, "subject: CN=theirs\n", nil).Pairs["theirs"]
	ca.PrivateKey = nil
	give := func(m *Manifest) error { return m.Give("ca", ca) }
	issueAll(t, "subject: CN=ca\n---\nsubject: CN=alone\n", give)
	m, err := Parse("certs.yaml", []byte("subject: CN=ca\n---\nsubject: CN=leaf\nissuer: CN=ca\n"))
	if err := errors.Join(err, give(m)); err != nil {
		t.Fatal(err)
	}
	var failed *IssueError
	if _, err := Issue(t.Context(), m, time.Now()); !errors.As(err, &failed) || failed.Name != "leaf" {
		t.Errorf("%v", err)
	}
}
