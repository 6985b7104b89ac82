//go:build go1.27

package fault

import (
	"bytes"
	"crypto/mldsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
)

// HasMLDSA reports whether this program has ML-DSA.
const HasMLDSA = true

var parameters = map[KeyType]mldsa.Parameters{MLDSA44: mldsa.MLDSA44(), MLDSA65: mldsa.MLDSA65(), MLDSA87: mldsa.MLDSA87()}

// Reissue returns the certificates of a PKI, by their names, each with a new
// key of the type and signed by its issuer's; they are alike in all else. All
// issuers must be among them.
func (t KeyType) Reissue(pairs map[string]tls.Certificate) (map[string]tls.Certificate, error) {
	keys := map[string]*mldsa.PrivateKey{}
	for name := range pairs {
		var err error
		if keys[name], err = mldsa.GenerateKey(parameters[t]); err != nil {
			return nil, err
		}
	}
	made := map[string]tls.Certificate{}
	var issue func(name string) error
	issue = func(name string) error {
		if _, ok := made[name]; ok {
			return nil
		}
		old := pairs[name].Leaf
		issuer := issuerOf(old, pairs)
		if issuer == "" {
			return fmt.Errorf("the issuer of %s is not there", name)
		}
		template := *old
		template.SignatureAlgorithm, template.SubjectKeyId, template.AuthorityKeyId = 0, nil, nil
		template.PublicKey = keys[name].PublicKey()
		parent := &template
		if issuer != name {
			if err := issue(issuer); err != nil {
				return err
			}
			parent = made[issuer].Leaf
		}
		der, err := x509.CreateCertificate(rand.Reader, &template, parent, template.PublicKey, keys[issuer])
		if err != nil {
			return err
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		sent := [][]byte{der}
		if issuer != name && len(pairs[name].Certificate) > 1 { // an intermediate
			sent = append(sent, made[issuer].Certificate...)
		}
		made[name] = tls.Certificate{Certificate: sent, PrivateKey: keys[name], Leaf: leaf}
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		if err := issue(name); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// issuerOf returns the name of the certificate that has issued another; "" if
// it is not there.
func issuerOf(issued *x509.Certificate, pairs map[string]tls.Certificate) string {
	for name, pair := range pairs {
		if bytes.Equal(pair.Leaf.RawSubject, issued.RawIssuer) && issued.CheckSignatureFrom(pair.Leaf) == nil {
			return name
		}
	}
	return ""
}
