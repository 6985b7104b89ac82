package scenario

import (
	"crypto/tls"
	"path/filepath"

	"mtlslab.example/lab/lab"
)

// ServerSettings returns the settings of the scenario's server in one version;
// 0 is both, for a server that is kept running. certs is the folder of the PKI.
// The caller adds Journal, and Tap and KeyLog if there are any.
func (s *Scenario) ServerSettings(certs string, version uint16) (lab.Settings, error) {
	settings := s.Server.settings(s.Certs(certs), "server", "client-ca", version)
	settings.Allow, settings.RefuseInHTTP = s.Server.Allow, s.Server.RefuseInHTTP
	if s.ECH != "" {
		var err error
		settings.ECHKeys, _, err = lab.LoadECH(s.echFile(certs), s.ECH)
		return settings, err
	}
	return settings, nil
}

// ClientSettings returns those of the scenario's client: see ServerSettings.
func (s *Scenario) ClientSettings(certs string, version uint16) (lab.Settings, error) {
	settings := s.Client.settings(s.Certs(certs), "client", "server-ca", version)
	settings.Withhold, settings.Header, settings.Rekey = s.Client.Withhold, s.Client.Header, s.Client.Rekey
	settings.Offer = s.Client.Offer
	if s.ECH != "" {
		var err error
		_, settings.ECHConfig, err = lab.LoadECH(s.echFile(certs), s.ECH)
		return settings, err
	}
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
			Chain: h.Chain, Key: h.Key, Signatures: h.Signatures},
		CRL: h.CRL, Checks: lab.Checks{MinRSABits: h.MinRSABits, KeyUsage: h.KeyUsage},
		Version: version, CipherSuites: h.CipherSuites, Groups: h.Groups, ALPN: h.ALPN, HTTP2: h.HTTP2,
		Timeout: h.Timeout, Instead: h.Instead,
	}
	if len(h.Trust) > 0 {
		settings.Trust, settings.AlsoTrust = h.Trust[0], h.Trust[1:]
	}
	if h.Version == "older" {
		settings.Version = older(version)
	}
	return settings
}

// older returns the version before v, or before the default ones.
func older(v uint16) uint16 {
	if v == 0 {
		return tls.VersionTLS11
	}
	return v - 1
}
