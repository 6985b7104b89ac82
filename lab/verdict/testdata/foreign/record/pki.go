package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// The names in the certificates.
const (
	serverName = "api.example.test"
	otherName  = "www.example.test" // no certificate has it
)

// entity is a certificate and its key. Keys come from the entity's name, so
// that every run makes the same PKI.
type entity struct {
	name        string
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

func day(text string) time.Time {
	t, err := time.Parse(time.DateOnly, text)
	check(err)
	return t
}

// newEntity issues a certificate; issuer nil stands for one signed by itself.
func newEntity(name string, template x509.Certificate, issuer *entity) *entity {
	seed := sha256.Sum256([]byte(name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	check(err)
	e := &entity{name: name, key: key}
	template.SerialNumber = new(big.Int).SetBytes(seed[16:24])
	template.Subject.Organization = append(template.Subject.Organization, "Example")
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = day("2026-10-01"), day("2036-10-01")
	}
	if issuer == nil {
		issuer = &entity{key: key, certificate: &template}
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, issuer.certificate, &key.PublicKey, issuer.key)
	check(err)
	e.certificate, err = x509.ParseCertificate(der)
	check(err)
	return e
}

func newCA(name, cn string, issuer *entity) *entity {
	return newEntity(name, x509.Certificate{Subject: pkix.Name{CommonName: cn}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}, issuer)
}

// newLeaf issues a certificate for a server, if it has a DNS name, or a client.
func newLeaf(name, cn string, issuer *entity, change func(*x509.Certificate)) *entity {
	t := x509.Certificate{Subject: pkix.Name{CommonName: cn}, KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if cn == serverName {
		t.ExtKeyUsage, t.DNSNames = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, []string{serverName}
	}
	if change != nil {
		change(&t)
	}
	return newEntity(name, t, issuer)
}

// writePKI writes all certificates, keys and CRLs to dir. For each leaf there
// is NAME.pem, its chain without the root, NAME-alone.pem and NAME-issuer.pem,
// the two parts of it, and NAME-key.pem.
func writePKI(dir string) {
	root := newCA("root", "Example Root CA", nil)
	serverCA := newCA("server-ca", "Example Server CA", root)
	clientCA := newCA("client-ca", "Example Client CA", root)
	partner := newCA("partner-root", "Partner Root CA", nil)
	imitation := newCA("look-alike-root", "Example Root CA", nil)
	expired := func(t *x509.Certificate) { t.NotBefore, t.NotAfter = day("2025-01-01"), day("2025-04-01") }
	old := newEntity("old-ca", x509.Certificate{Subject: pkix.Name{CommonName: "Example Old CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: day("2025-01-01"), NotAfter: day("2026-04-01")}, root)
	early := func(t *x509.Certificate) { t.NotBefore, t.NotAfter = day("2040-01-01"), day("2041-01-01") }
	usage := func(u x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(t *x509.Certificate) { t.ExtKeyUsage = []x509.ExtKeyUsage{u} }
	}
	for _, ca := range []*entity{root, serverCA, clientCA, partner, imitation} {
		write(dir, ca.name+".pem", "CERTIFICATE", ca.certificate.Raw)
	}
	for _, of := range []struct {
		role, cn string
		ca       *entity
		wrong    x509.ExtKeyUsage
	}{{"server", serverName, serverCA, x509.ExtKeyUsageClientAuth}, {"client", "billing", clientCA, x509.ExtKeyUsageServerAuth}} {
		leaf := func(name string, ca *entity, change func(*x509.Certificate)) *entity {
			e := newLeaf(of.role+name, of.cn, ca, change)
			e.write(dir, ca)
			return e
		}
		good := leaf("", of.ca, nil)
		leaf("-expired", of.ca, expired)
		leaf("-early", of.ca, early)
		leaf("-issuer-expired", old, nil)
		leaf("-usage", of.ca, usage(of.wrong))
		leaf("-key-usage", of.ca, func(t *x509.Certificate) { t.KeyUsage = x509.KeyUsageKeyAgreement })
		leaf("-partner", partner, nil)
		leaf("-look-alike", imitation, nil)
		self := newLeaf(of.role+"-self", of.cn, nil, nil)
		self.write(dir, nil)
		if of.role == "client" {
			revoked := leaf("-revoked", of.ca, nil)
			writeCRLs(dir, []*entity{root, serverCA, clientCA}, revoked.certificate)
		}
		// The public key in this file is the certificate's, the private key is
		// not. OpenSSL compares only public keys when it loads a pair.
		mixed := *self.key
		mixed.PublicKey = good.key.PublicKey
		der, err := x509.MarshalPKCS8PrivateKey(&mixed)
		check(err)
		write(dir, of.role+"-mixed-key.pem", "PRIVATE KEY", der)
	}
}

// write puts an entity below ca, nil for none, into files.
func (e *entity) write(dir string, ca *entity) {
	chain := [][]byte{e.certificate.Raw}
	write(dir, e.name+"-alone.pem", "CERTIFICATE", chain...)
	if ca != nil && ca.certificate.Issuer.String() != ca.certificate.Subject.String() {
		chain = append(chain, ca.certificate.Raw)
		write(dir, e.name+"-issuer.pem", "CERTIFICATE", ca.certificate.Raw)
	}
	write(dir, e.name+".pem", "CERTIFICATE", chain...)
	der, err := x509.MarshalPKCS8PrivateKey(e.key)
	check(err)
	write(dir, e.name+"-key.pem", "PRIVATE KEY", der)
}

// writeCRLs writes crls.pem with a CRL of each CA, and client-ca.crl.pem with
// the one in which revoked is.
func writeCRLs(dir string, cas []*entity, revoked *x509.Certificate) {
	var all [][]byte
	for _, ca := range cas {
		list := x509.RevocationList{Number: big.NewInt(1), ThisUpdate: day("2026-11-01"), NextUpdate: day("2036-10-01")}
		if ca.name == "client-ca" {
			list.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: revoked.SerialNumber, RevocationTime: day("2026-10-20"), ReasonCode: 1}}
		}
		der, err := x509.CreateRevocationList(rand.Reader, &list, ca.certificate, ca.key)
		check(err)
		all = append(all, der)
	}
	write(dir, "crls.pem", "X509 CRL", all...)
	write(dir, "client-ca.crl.pem", "X509 CRL", all[len(all)-1])
}

func write(dir, name, kind string, blocks ...[]byte) {
	var text []byte
	for _, b := range blocks {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b})...)
	}
	check(os.WriteFile(filepath.Join(dir, name), text, 0o600))
}
