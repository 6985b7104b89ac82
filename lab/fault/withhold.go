package fault

import (
	"crypto/tls"
	"crypto/x509"
	"net"

	"mtlslab.example/lab/lab/chain"
)

// Withhold has a client show no certificate if the server does not name the CA
// of any that it has, as most programs do.
func Withhold(conn net.Conn, config *tls.Config) net.Conn {
	return withhold(conn, config, func(asked *tls.CertificateRequestInfo, c *tls.Certificate) bool {
		return asked.SupportsCertificate(c) != nil
	})
}

// WithholdUsage has a client show no certificate whose extended key usage
// leaves out clientAuth, as .NET does.
func WithholdUsage(conn net.Conn, config *tls.Config) net.Conn {
	return withhold(conn, config, func(_ *tls.CertificateRequestInfo, c *tls.Certificate) bool {
		return chain.Forbids(c.Leaf, x509.ExtKeyUsageClientAuth)
	})
}

func withhold(conn net.Conn, config *tls.Config, keeps func(*tls.CertificateRequestInfo, *tls.Certificate) bool) net.Conn {
	config.GetClientCertificate = func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		for i := range config.Certificates {
			if !keeps(asked, &config.Certificates[i]) {
				return &config.Certificates[i], nil
			}
		}
		return &tls.Certificate{}, nil
	}
	return conn
}
