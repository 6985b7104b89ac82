package fault

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"
)

// NameCAs has a server name n more CAs in its CertificateRequest: those that it
// trusts, and CAs with the names of no others.
func NameCAs(n int) (Fault, error) {
	more, err := strangers(n)
	if err != nil {
		return nil, err
	}
	return func(conn net.Conn, config *tls.Config) net.Conn {
		trust := config.ClientCAs.Clone()
		for _, ca := range more {
			trust.AddCert(ca)
		}
		config.ClientCAs = trust
		return conn
	}, nil
}

// strangers returns n root certificates that have issued nothing. They have one
// key, which nobody keeps.
func strangers(n int) ([]*x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	all := make([]*x509.Certificate, n)
	for i := range all {
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), NotBefore: time.Now(), NotAfter: time.Now().Add(24 * time.Hour),
			Subject: pkix.Name{Country: []string{"XX"}, Organization: []string{"Example Trust Services"}, CommonName: fmt.Sprintf("Example Root CA %d", i+1)},
			IsCA:    true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			return nil, err
		}
		if all[i], err = x509.ParseCertificate(der); err != nil {
			return nil, err
		}
	}
	return all, nil
}
