package certgen

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"

	"software.sslmate.com/src/go-pkcs12"

	"mtlslab.example/lab/certgen/atomicfile"
	"mtlslab.example/lab/lab/dn"
)

// encoder writes the profile that NSS, OpenSSL, curl, Java and Node.js all
// read: AES-256-CBC under PBKDF2 and a MAC, both with HMAC-SHA-256.
var encoder = pkcs12.Modern2023

// NoAnchorError reports a certificate that cannot be a trust anchor.
type NoAnchorError struct {
	Name   string
	Issuer string // its issuer's subject
}

func (e *NoAnchorError) Error() string {
	return fmt.Sprintf("%s is not a CA: to trust it, name the CA that issued it, %s", e.Name, e.Issuer)
}

// legacyEncoder writes the profile for the keychains of macOS and iOS, which
// refuse a MAC with SHA-256, and for versions of Java and Windows that are too
// old for the other one: 3DES for key and certificates, and a MAC with SHA-1.
var legacyEncoder = pkcs12.LegacyDES

// PKCS12 returns the certificate called name, its intermediates and its key as
// a PKCS#12 file (RFC 7292), encrypted with password. Errors are those of Load.
func PKCS12(dir, name, password string) ([]byte, error) {
	return encodePKCS12(encoder, dir, name, password)
}

// LegacyPKCS12 is PKCS12 for programs that refuse what that writes. Its
// encryption is weak: choose a long password, or remove the file soon.
func LegacyPKCS12(dir, name, password string) ([]byte, error) {
	return encodePKCS12(legacyEncoder, dir, name, password)
}

// ProtectedPKCS12 is PKCS12 for a password that somebody may try to guess: it
// is hashed 100,000 times, which OpenSSL, NSS and Java all read.
func ProtectedPKCS12(dir, name, password string) ([]byte, error) {
	return encodePKCS12(encoder.WithIterations(100_000), dir, name, password)
}

func encodePKCS12(encoder *pkcs12.Encoder, dir, name, password string) ([]byte, error) {
	c, err := Load(dir, name)
	if err != nil {
		return nil, err
	}
	intermediates, err := x509.ParseCertificates(bytes.Join(c.Certificate[1:], nil))
	if err != nil {
		return nil, &DamagedError{Name: name, File: filepath.Join(dir, certificateFile(name)), Err: err}
	}
	return encoder.Encode(c.PrivateKey, c.Leaf, intermediates, password)
}

// TrustStore returns the certificate called name as a PKCS#12 trust store of
// Java, in which its alias is name. Errors are those of LoadCertificates, and
// *NoAnchorError for one that is neither a CA nor self-signed.
func TrustStore(dir, name, password string) ([]byte, error) {
	certificates, err := LoadCertificates(dir, name)
	if err != nil {
		return nil, err
	}
	anchor := certificates[0]
	if !anchor.IsCA && !isSelfIssued(anchor) {
		return nil, &NoAnchorError{Name: name, Issuer: dn.Issuer(anchor)}
	}
	return encoder.EncodeTrustStoreEntries([]pkcs12.TrustStoreEntry{{Cert: anchor, FriendlyName: name}}, password)
}

// Bundle returns the certificate called name, its intermediates and its key, in
// this order, in one PEM file. Errors are those of Load.
func Bundle(dir, name string) ([]byte, error) {
	c, err := Load(dir, name)
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return nil, err
	}
	var bundle []byte
	for _, der := range c.Certificate {
		bundle = append(bundle, pem.EncodeToMemory(&pem.Block{Type: certificateTypes[0], Bytes: der})...)
	}
	return append(bundle, pem.EncodeToMemory(&pem.Block{Type: keyTypes[0], Bytes: key})...), nil
}

// CheckExport returns the error with which WriteExport would refuse to write a
// file in dir without force, or nil.
func CheckExport(dir, file string) error {
	made, err := readRecord(dir)
	if err != nil {
		return err
	}
	return made.checkReplaceable(filepath.Join(dir, file))
}

// WriteExport writes what was made of a certificate to a file in dir, the
// folder of the PKI, whole or not at all and with mode 0600, in place of an
// earlier export or of nothing. Anything else that is there is a *ForeignError
// or *InTheWayError; with force it is moved first, and kept is the folder that
// it is in now.
func WriteExport(ctx context.Context, dir, file string, data []byte, force bool) (kept string, err error) {
	unlock, err := lock(ctx, dir, nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := recoverInterrupted(dir); err != nil { // it would put an older record in place of this one
		return "", err
	}
	made, err := readRecord(dir)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, file)
	if err := made.checkReplaceable(path); err != nil {
		if !force {
			return "", err
		}
		if kept, err = putAside(dir, []string{path}); err != nil {
			return kept, err
		}
	}
	made.add(file, sha256.Sum256(data))
	if err := atomicfile.Write(filepath.Join(dir, recordFile), made.text(), keyMode); err != nil {
		return kept, err
	}
	return kept, atomicfile.Write(path, data, keyMode)
}
