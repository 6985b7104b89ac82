package chain

import (
	"crypto/x509"
	"fmt"
	"time"

	"mtlslab.example/lab/lab/dn"
)

// RevokedError is a certificate that its issuer's CRL lists
// (RFC 5280 section 5).
type RevokedError struct {
	Subject string // of the certificate
	Serial  string // hexadecimal
	Issuer  string // of the CA that revoked it
	Date    time.Time
	CA      bool // it is not the peer's own, but one of the CAs above it
}

// NewRevokedError returns the error of a certificate that issuer has revoked.
// ca says that it is not the peer's own.
func NewRevokedError(cert, issuer *x509.Certificate, at time.Time, ca bool) *RevokedError {
	return &RevokedError{Subject: Name(cert), Serial: dn.Serial(cert), Issuer: Name(issuer), Date: at, CA: ca}
}

func (e *RevokedError) Error() string {
	return fmt.Sprintf("certificate %s, serial %s, was revoked by %s on %s", e.Subject, e.Serial, e.Issuer, e.Date.Format(time.DateOnly))
}

// how describes the revocation: serial, CA and date.
func (e *RevokedError) how() string {
	return fmt.Sprintf("with serial %s was revoked by %s on %s", e.Serial, e.Issuer, e.Date.UTC().Format(time.DateOnly))
}

// CRLError is a CA without a CRL that can be relied on, where one is required.
type CRLError struct {
	Issuer     string    // the CA
	NextUpdate time.Time // when its CRL went out of date; zero: there is none, or it does not say
	Unfit      string    // why the CRL that is there does not count, as in "is a delta CRL"; "": there is none, or NextUpdate says it
}

func (e *CRLError) Error() string {
	switch {
	case !e.NextUpdate.IsZero():
		return fmt.Sprintf("the CRL of %s is out of date since %s", e.Issuer, e.NextUpdate.UTC().Format(time.RFC3339))
	case e.Unfit != "":
		return "there is no complete CRL of " + e.Issuer + ": the one that there is " + e.Unfit
	}
	return "there is no CRL of " + e.Issuer
}

// KeyUsageError is a certificate whose key may not be used to sign a handshake.
type KeyUsageError struct {
	Subject string
	CA      bool // it is one for issuing certificates
}

func (e *KeyUsageError) Error() string {
	return "keyUsage of " + e.Subject + " does not allow digitalSignature"
}

// WeakKeyError is a certificate with too short a key.
type WeakKeyError struct {
	Subject   string
	Bits, Min int
}

func (e *WeakKeyError) Error() string {
	return fmt.Sprintf("RSA key of %s has %d bits, less than %d", e.Subject, e.Bits, e.Min)
}
