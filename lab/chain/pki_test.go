package chain

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"
)

// now is when the certificates of these tests are looked at, in no year of
// ours: what is looked up in the clock of the machine shows.
var now = time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)

var serial int64

// issuer is a certificate that issues others, and its key.
type issuer struct {
	*x509.Certificate
	key crypto.Signer
}

// newCert is one that by issues, which is its own issuer if by is nil. change
// may be nil.
func newCert(t *testing.T, name string, by *issuer, change func(*x509.Certificate)) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial++
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(24 * time.Hour)}
	if change != nil {
		change(template)
	}
	made := &issuer{key: key}
	if by == nil {
		by = &issuer{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.Certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	if made.Certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return made
}

// newCA is a CA that by issues, or a root.
func newCA(t *testing.T, name string, by *issuer, changes ...func(*x509.Certificate)) *issuer {
	t.Helper()
	return newCert(t, name, by, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
		for _, change := range changes {
			change(c)
		}
	})
}

// newLeaf is the certificate of a server and client that is called example.org.
func newLeaf(t *testing.T, by *issuer, changes ...func(*x509.Certificate)) *issuer {
	t.Helper()
	return newCert(t, "leaf", by, func(c *x509.Certificate) {
		c.DNSNames = []string{"example.org"}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
		for _, change := range changes {
			change(c)
		}
	})
}

// sent are certificates as they are sent.
func sent(chain ...*issuer) (certs []*x509.Certificate) {
	for _, c := range chain {
		certs = append(certs, c.Certificate)
	}
	return certs
}

func ders(chain ...*issuer) (all [][]byte) {
	for _, c := range chain {
		all = append(all, c.Raw)
	}
	return all
}

// crl is a list that by signs, valid for an hour, of revoked.
func crl(t *testing.T, by *issuer, thisUpdate time.Time, revoked ...*issuer) *x509.RevocationList {
	t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: thisUpdate, NextUpdate: thisUpdate.Add(time.Hour)}
	for _, c := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: thisUpdate})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, by.Certificate, by.key)
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	return list
}
