package scenario

import (
	"cmp"
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
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/fault"
)

// ServerSettings returns the settings of the scenario's server in one version;
// 0 is both, for a server that is kept running. certs is the folder of the PKI.
// The caller adds Journal, and Tap and KeyLog if there are any.
func (s *Scenario) ServerSettings(certs string, version uint16) (lab.Settings, error) {
	return s.ServerSettingsIn(s.Certs(certs), version)
}

// ServerSettingsIn is ServerSettings with the certificates in the folder dir.
func (s *Scenario) ServerSettingsIn(dir string, version uint16) (lab.Settings, error) {
	settings := s.Server.settings(version)
	settings.Credentials = s.Server.credentials(dir, "server", "client-ca")
	return s.serverSettings(settings, dir)
}

// serverSettings adds to settings what the scenario says of its server alone.
func (s *Scenario) serverSettings(settings lab.Settings, dir string) (lab.Settings, error) {
	settings.Allow, settings.RefuseInHTTP = s.Server.Allow, s.Server.RefuseInHTTP
	settings.Unasking, settings.StrictHost, settings.TrustSessions = s.Server.Unasking, s.Server.StrictHost, s.Server.TrustSessions
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
		ech, err := fault.LoadECH(filepath.Join(dir, echFile), s.ECH)
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
	return s.ClientSettingsIn(s.Certs(certs), version)
}

// ClientSettingsIn is ClientSettings with the certificates in the folder dir.
func (s *Scenario) ClientSettingsIn(dir string, version uint16) (lab.Settings, error) {
	settings := s.Client.settings(version)
	settings.Credentials = s.Client.credentials(dir, "client", "server-ca")
	return s.clientSettings(settings, dir)
}

// clientSettings adds to settings what the scenario says of its client alone.
func (s *Scenario) clientSettings(settings lab.Settings, dir string) (lab.Settings, error) {
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
		ech, err := fault.LoadECH(filepath.Join(dir, echFile), s.ECH)
		if err != nil {
			return settings, err
		}
		faults = append(faults, ech.Client)
	}
	settings.Wrap = fault.Join(faults...)
	return settings, nil
}

// echFile has the key and configuration of Encrypted ClientHello.
const echFile = "ech.pem"

// shown returns the name of the certificate that a side shows, "" for none.
func (h *Half) shown(byDefault string) string {
	if h.Certificate == "none" {
		return ""
	}
	return cmp.Or(h.Certificate, byDefault)
}

// credentials returns those of one side in a folder, with defaults filled in.
func (h *Half) credentials(dir, certificate, trust string) lab.Credentials {
	c := lab.Credentials{Dir: dir, Certificate: h.shown(certificate), AlsoShow: h.AlsoShow, Trust: trust,
		Alter: func(c *tls.Certificate) error { return h.alter(c, inFolder(dir)) }}
	if len(h.Trust) > 0 {
		c.Trust, c.AlsoTrust = h.Trust[0], h.Trust[1:]
	}
	return c
}

// settings returns those of one side, but for its credentials.
func (h *Half) settings(version uint16) lab.Settings {
	settings := lab.Settings{
		CRL: h.CRL, Checks: lab.Checks{MinRSABits: h.MinRSABits, KeyUsage: h.KeyUsage},
		Version: version, CipherSuites: h.CipherSuites, Groups: h.Groups, ALPN: h.ALPN, HTTP2: h.HTTP2,
		Timeout: h.Timeout,
	}
	if h.Version == "older" {
		settings.Version = older(version)
	}
	return settings
}

// pairs are the certificates of a scenario with their keys.
type pairs interface {
	load(name string) (tls.Certificate, error)
	names() []string
}

// inFolder are those in the folder of that name.
type inFolder string

func (f inFolder) load(name string) (tls.Certificate, error) { return certgen.Load(string(f), name) }

func (f inFolder) names() []string {
	keys, _ := filepath.Glob(filepath.Join(string(f), "*-key.pem")) // the pattern is good
	for i, file := range keys {
		keys[i] = strings.TrimSuffix(filepath.Base(file), "-key.pem")
	}
	return keys
}

// alter gives a certificate of the side, one of all, the faults that it is
// shown with.
func (h *Half) alter(certificate *tls.Certificate, all pairs) error {
	certificate.SupportedSignatureAlgorithms = h.Signatures
	h.Chain.Apply(certificate)
	if h.Flaw != "" {
		issuer, err := issuerKey(all, certificate.Leaf)
		if err != nil {
			return err
		}
		if err := h.Flaw.Reissue(certificate, issuer); err != nil {
			return err
		}
	}
	if h.Renewed != "" {
		root, err := all.load(h.Renewed)
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
	other, err := all.load(h.Key)
	if err != nil {
		return err
	}
	certificate.PrivateKey = fault.Impostor(certificate.Leaf.PublicKey, other.PrivateKey.(crypto.Signer))
	return nil
}

// issuerKey returns the key of the CA among all that has issued a certificate.
func issuerKey(all pairs, issued *x509.Certificate) (crypto.Signer, error) {
	for _, name := range all.names() {
		ca, err := all.load(name)
		if err != nil {
			return nil, err
		}
		if key, ok := ca.PrivateKey.(crypto.Signer); ok && chain.Issued(ca.Leaf, issued) {
			return key, nil
		}
	}
	return nil, fmt.Errorf("the CA %s is not among the certificates of the scenario, or its key is missing", dn.Issuer(issued))
}

// older returns the version before v, or before the default ones.
func older(v uint16) uint16 {
	if v == 0 {
		return tls.VersionTLS11
	}
	return v - 1
}
