package scenario

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"software.sslmate.com/src/go-pkcs12"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/certfile"
)

// Derived is a file that is made from a certificate of the scenario and its
// key.
type Derived struct {
	From     string // name of the certificate
	Form     Form
	Password string // of what is encrypted
}

// Form is what a derived file is.
type Form string

// The forms. Those that end in key are of the private key.
const (
	FormDER          Form = "der"
	FormDERKey       Form = "der-key"
	FormBOM          Form = "bom" // PEM behind a byte order mark
	FormCRLF         Form = "crlf"
	FormCRLFKey      Form = "crlf-key"
	FormRequest      Form = "request" // PKCS#10
	FormTrusted      Form = "trusted" // OpenSSL's TRUSTED CERTIFICATE
	FormOpenKey      Form = "open-key"
	FormEncryptedKey Form = "encrypted-key"
	FormModernP12    Form = "modern-p12" // PBES2 with AES-256, a MAC with SHA-256
	FormLegacyP12    Form = "legacy-p12" // RC2-40 and 3DES, a MAC with SHA-1
	FormJavaTrust    Form = "java-truststore"
)

var forms = []Form{FormDER, FormDERKey, FormBOM, FormCRLF, FormCRLFKey, FormRequest, FormTrusted, FormOpenKey, FormEncryptedKey, FormModernP12, FormLegacyP12, FormJavaTrust}

// filesFolder is where they are, below the scenario's folder.
const filesFolder = "files"

// makeFiles writes the derived files of the scenario, in place of those of an
// earlier run.
func (s *Scenario) makeFiles(dir string) error {
	if len(s.Files) == 0 {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(dir, filesFolder), 0o700); err != nil {
		return err
	}
	for name, d := range s.Files {
		if err := d.Write(dir, filepath.Join(dir, filesFolder, name)); err != nil {
			return fmt.Errorf("making %s: %w", name, err)
		}
	}
	return nil
}

// Write makes the file out of the certificates in the folder certs. Its mode is
// 0600, but for a key that is to be open.
func (d Derived) Write(certs, file string) error {
	data, err := d.make(certs)
	if err != nil {
		return err
	}
	mode := os.FileMode(0o600)
	if d.Form == FormOpenKey {
		mode = 0o644
	}
	if err := os.WriteFile(file, data, mode); err != nil {
		return err
	}
	return os.Chmod(file, mode)
}

func (d Derived) make(dir string) ([]byte, error) {
	pair, err := certgen.Load(dir, d.From)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, d.From+map[bool]string{true: "-key.pem", false: ".pem"}[strings.HasSuffix(string(d.Form), "-key")]))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	switch d.Form {
	case FormDER, FormDERKey:
		return block.Bytes, nil
	case FormBOM:
		return append([]byte("\ufeff"), text...), nil
	case FormCRLF, FormCRLFKey:
		return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), nil
	case FormTrusted:
		return pem.EncodeToMemory(&pem.Block{Type: "TRUSTED CERTIFICATE", Bytes: block.Bytes}), nil
	case FormOpenKey:
		return text, nil
	case FormJavaTrust:
		return certgen.TrustStore(dir, d.From, d.Password)
	case FormEncryptedKey:
		for {
			text, err := certfile.EncryptKey(pair.PrivateKey, d.Password, 2048) // as often as OpenSSL by default
			if err != nil || !certfile.SeemsRight(text, "") {
				return text, err
			}
			// What the empty password decrypts has a key's padding by chance:
			// OpenSSL would complain about a format, not about a password.
		}
	}
	return d.convert(pair)
}

// convert makes a file of both parts.
func (d Derived) convert(pair tls.Certificate) ([]byte, error) {
	switch d.Form {
	case FormRequest:
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: d.From}}, pair.PrivateKey.(crypto.Signer))
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), err
	case FormLegacyP12:
		return pkcs12.LegacyRC2.Encode(pair.PrivateKey, pair.Leaf, nil, d.Password)
	}
	return pkcs12.Modern2023.Encode(pair.PrivateKey, pair.Leaf, nil, d.Password)
}
