package scenario

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/fault"
)

// ServerSettings returns the settings of the scenario's server in one version;
// 0 is both, for a server that is kept running. certs is the folder of the PKI.
// The caller adds Journal, and Tap and KeyLog if there are any.
func (s *Scenario) ServerSettings(certs string, version uint16) (lab.Settings, error) {
	settings := s.Server.settings(s.Certs(certs), "server", "client-ca", version)
	settings.Allow, settings.RefuseInHTTP = s.Server.Allow, s.Server.RefuseInHTTP
	settings.Unasking, settings.StrictHost = s.Server.Unasking, s.Server.StrictHost
	var faults []fault.Fault
	if s.Server.StrictNames {
		faults = append(faults, fault.StrictNames)
	}
	if s.Server.NamedCAs > 0 {
		naming, err := fault.NameCAs(s.Server.NamedCAs)
		if err != nil {
			return settings, err
		}
		faults = append(faults, naming)
	}
	if s.Server.NotTLS != "" {
		faults = append(faults, s.Server.NotTLS.Server)
	}
	if s.ECH != "" {
		ech, err := fault.LoadECH(s.echFile(certs), s.ECH)
		if err != nil {
			return settings, err
		}
		faults = append(faults, ech.Server)
	}
	settings.Wrap = fault.Join(faults...)
	return settings, nil
}

// ClientSettings returns those of the scenario's client: see ServerSettings.
func (s *Scenario) ClientSettings(certs string, version uint16) (lab.Settings, error) {
	settings := s.Client.settings(s.Certs(certs), "client", "server-ca", version)
	settings.Header = s.Client.Header
	var faults []fault.Fault
	if s.Client.NotTLS != "" {
		faults = append(faults, s.Client.NotTLS.Client)
	}
	if len(s.Client.Offer) > 0 {
		faults = append(faults, fault.Offer(s.Client.Offer))
	}
	if s.Client.Withhold {
		faults = append(faults, fault.Withhold)
	}
	if s.Client.ByUsage {
		faults = append(faults, fault.WithholdUsage)
	}
	if s.Client.KeyUpdate {
		faults = append(faults, fault.KeyUpdate)
	}
	if s.ECH != "" {
		ech, err := fault.LoadECH(s.echFile(certs), s.ECH)
		if err != nil {
			return settings, err
		}
		faults = append(faults, ech.Client)
	}
	settings.Wrap = fault.Join(faults...)
	return settings, nil
}

// echFile returns the file of the key and configuration of Encrypted
// ClientHello.
func (s *Scenario) echFile(certs string) string { return filepath.Join(s.Certs(certs), "ech.pem") }

// settings returns those of one side, with defaults filled in.
func (h *Half) settings(dir, certificate, trust string, version uint16) lab.Settings {
	switch h.Certificate {
	case "":
	case "none":
		certificate = ""
	default:
		certificate = h.Certificate
	}
	settings := lab.Settings{
		Credentials: lab.Credentials{Dir: dir, Certificate: certificate, AlsoShow: h.AlsoShow, Trust: trust,
			Alter: func(c *tls.Certificate) error { return h.alter(c, dir) }},
		CRL: h.CRL, Checks: lab.Checks{MinRSABits: h.MinRSABits, KeyUsage: h.KeyUsage},
		Version: version, CipherSuites: h.CipherSuites, Groups: h.Groups, ALPN: h.ALPN, HTTP2: h.HTTP2,
		Timeout: h.Timeout,
	}
	if len(h.Trust) > 0 {
		settings.Trust, settings.AlsoTrust = h.Trust[0], h.Trust[1:]
	}
	if h.Version == "older" {
		settings.Version = older(version)
	}
	return settings
}

// alter gives a certificate of the side the faults that it is shown with. dir
// is the folder of the PKI.
func (h *Half) alter(certificate *tls.Certificate, dir string) error {
	certificate.SupportedSignatureAlgorithms = h.Signatures
	h.Chain.Apply(certificate)
	if h.Flaw != "" {
		issuer, err := issuerKey(dir, certificate.Leaf)
		if err != nil {
			return err
		}
		if err := h.Flaw.Reissue(certificate, issuer); err != nil {
			return err
		}
	}
	if h.Renewed != "" {
		root, err := certgen.Load(dir, h.Renewed)
		if err != nil {
			return err
		}
		renewed, err := fault.Renewed(root.Certificate[0], root.PrivateKey.(crypto.Signer), time.Now())
		if err != nil {
			return err
		}
		certificate.Certificate = append(certificate.Certificate, renewed)
	}
	if h.Key == "" {
		return nil
	}
	other, err := certgen.Load(dir, h.Key)
	if err != nil {
		return err
	}
	certificate.PrivateKey = fault.Impostor(certificate.Leaf.PublicKey, other.PrivateKey.(crypto.Signer))
	return nil
}

// issuerKey returns the key of the CA in dir that has issued a certificate.
func issuerKey(dir string, issued *x509.Certificate) (crypto.Signer, error) {
	keys, _ := filepath.Glob(filepath.Join(dir, "*-key.pem")) // the pattern is good
	for _, file := range keys {
		ca, err := certgen.Load(dir, strings.TrimSuffix(filepath.Base(file), "-key.pem"))
		if err != nil {
			return nil, err
		}
		if chain.Issued(ca.Leaf, issued) {
			return ca.PrivateKey.(crypto.Signer), nil
		}
	}
	return nil, fmt.Errorf("the CA %s is not in %s", issued.Issuer, dir)
}

// older returns the version before v, or before the default ones.
func older(v uint16) uint16 {
	if v == 0 {
		return tls.VersionTLS11
	}
	return v - 1
}
