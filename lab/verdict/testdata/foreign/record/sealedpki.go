package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
)

// writeSealedPKI adds certificates of other sizes to those of writePKI.
func writeSealedPKI(dir string) {
	serverCA, clientCA := readCA(dir, "server-ca"), readCA(dir, "client-ca")
	large := func(t *x509.Certificate) {
		for i := range 90 {
			t.DNSNames = append(t.DNSNames, fmt.Sprintf("billing-%d.department.example.test", i))
		}
	}
	newLeaf("client-large", "billing", clientCA, large).write(dir, clientCA)
	newLeaf("client-large-expired", "billing", clientCA, func(t *x509.Certificate) {
		large(t)
		t.NotBefore, t.NotAfter = day("2025-01-01"), day("2025-04-01")
	}).write(dir, clientCA)
	for _, of := range []struct {
		role, cn string
		ca       *entity
		usage    x509.ExtKeyUsage
	}{{"server", serverName, serverCA, x509.ExtKeyUsageServerAuth}, {"client", "billing", clientCA, x509.ExtKeyUsageClientAuth}} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		check(err)
		t := x509.Certificate{SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: of.cn}, NotBefore: day("2026-10-01"), NotAfter: day("2036-10-01"),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{of.usage}, DNSNames: []string{of.cn}}
		der, err := x509.CreateCertificate(rand.Reader, &t, of.ca.certificate, &key.PublicKey, of.ca.key)
		check(err)
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		check(err)
		name := of.role + "-rsa"
		write(dir, name+".pem", "CERTIFICATE", der, of.ca.certificate.Raw)
		write(dir, name+"-alone.pem", "CERTIFICATE", der)
		write(dir, name+"-issuer.pem", "CERTIFICATE", of.ca.certificate.Raw)
		write(dir, name+"-key.pem", "PRIVATE KEY", pkcs8)
	}
}

// readCA returns a CA of writePKI.
func readCA(dir, name string) *entity {
	seed := sha256.Sum256([]byte(name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	check(err)
	text, err := os.ReadFile(filepath.Join(dir, name+".pem"))
	check(err)
	block, _ := pem.Decode(text)
	certificate, err := x509.ParseCertificate(block.Bytes)
	check(err)
	return &entity{name: name, key: key, certificate: certificate}
}
