package handout

import (
	"context"
	"crypto/x509"
	"errors"
	"maps"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/certfile"
)

// Unlock decrypts the key with its password, and checks that it is that of the
// certificate. Errors are those of certfile.LoadPair: errors.Is(err,
// certfile.ErrNoPassword) and ErrPassword for a password.
func (h *Handout) Unlock(password string) error {
	base := h.Name + "-key.pem"
	parts, err := certfile.Parse(base, h.certs[base], password)
	if err != nil {
		return err
	}
	key := parts[0].Keys[0]
	if key.Problem != "" {
		return &certfile.FileError{File: base, Problem: key.Problem, Next: key.Next, Err: key.Err}
	}
	parts, err = certfile.Parse(h.Name+".pem", h.certs[h.Name+".pem"], "")
	if err != nil {
		return err
	}
	if leaf := parts[0].Certificates[0]; !certgen.IsKeyOf(leaf, key.Signer) {
		return &certfile.MismatchError{CertificateFile: h.Name + ".pem", KeyFile: base, Leaf: leaf.Subject.String()}
	}
	plain, err := certfile.EncodeKey(key.Signer)
	if err != nil {
		return err
	}
	h.certs[base], h.Encrypted = plain, false
	return nil
}

// Unpack writes the files of certs into dir, as [certgen.Receive] does. The key
// must be unlocked.
func (h *Handout) Unpack(ctx context.Context, dir string, force bool) (kept string, err error) {
	if h.Encrypted {
		return "", errors.New("the key is encrypted")
	}
	return certgen.Receive(ctx, dir, maps.Clone(h.certs), force)
}

// IsIn reports whether dir has all of its files, as they are.
func (h *Handout) IsIn(dir string) bool { return certgen.Received(dir, h.certs) }

// LoadAuthority returns the certificate of the CA that the other side must have.
func (h *Handout) LoadAuthority() (*x509.Certificate, error) {
	parts, err := certfile.Parse(h.Authority+".pem", h.certs[h.Authority+".pem"], "")
	if err != nil {
		return nil, err
	}
	return parts[0].Certificates[0], nil
}

// HasCertificateOf reports whether the certificate in dir, the folder of a PKI,
// is that of the hand-out, and the CA too.
func (h *Handout) HasCertificateOf(dir string) bool {
	return certgen.Received(dir, map[string][]byte{
		h.Name + ".pem": h.certs[h.Name+".pem"], h.Authority + ".pem": h.certs[h.Authority+".pem"]})
}
