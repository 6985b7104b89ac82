package handout

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"maps"
	"strings"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/endpoint"
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
		return &certfile.MismatchError{CertificateFile: h.Name + ".pem", KeyFile: base, Leaf: dn.Subject(leaf)}
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

// LoadAuthority returns the certificate of the CA that the other side must
// have.
func (h *Handout) LoadAuthority() (*x509.Certificate, error) {
	parts, err := certfile.Parse(h.Authority+".pem", h.certs[h.Authority+".pem"], "")
	if err != nil {
		return nil, err
	}
	return parts[0].Certificates[0], nil
}

// Difference returns in what the hand-out differs from the one that [New] would
// make, as a predicate ("has another certificate or CA"), or "". If there is a
// password, the key of the hand-out is unlocked then.
func (h *Handout) Difference(dir, name string, side endpoint.Side, authority string, o Options) string {
	crls, err := readCRLs(dir, o.CRLs)
	if err != nil {
		return "cannot be compared: " + err.Error()
	}
	password, encrypted := o.Password, h.Encrypted
	if err := h.Unlock(password); err != nil && encrypted == (password != "") {
		return "has a key with another password"
	}
	public := map[string][]byte{name + ".pem": h.certs[name+".pem"], authority + ".pem": h.certs[authority+".pem"]}
	p12, hasPKCS12 := h.certs[name+".p12"]
	if hasPKCS12 {
		_, err = certfile.Parse(name+".p12", p12, cmp.Or(password, DefaultPassword))
	}
	switch {
	case h.Name != name || h.Side != side || h.Authority != authority:
		return "is for another side or CA"
	case encrypted && password == "":
		return "has a key with a password"
	case !encrypted && password != "":
		return "has a key without a password"
	case !certgen.Received(dir, public):
		return "has another certificate or CA"
	case h.URL != o.URL:
		return "is for " + h.URL
	case hasPKCS12 && !o.PKCS12:
		return "has a PKCS#12 file"
	case !hasPKCS12 && o.PKCS12:
		return "has no PKCS#12 file"
	case hasPKCS12 && err != nil:
		return "has a PKCS#12 file with another password"
	case !maps.EqualFunc(crls, h.crls(), bytes.Equal):
		return "has other CRLs"
	}
	return ""
}

// crls are the CRLs of the hand-out, by the names of their files.
func (h *Handout) crls() map[string][]byte {
	crls := map[string][]byte{}
	for file, data := range h.certs {
		if strings.HasSuffix(file, "-crl.pem") {
			crls[file] = data
		}
	}
	return crls
}
