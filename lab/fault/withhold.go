package fault

import (
	"crypto/tls"
	"net"
)

// Withhold has a client show no certificate if the server does not name the CA
// of any that it has, as most programs do.
func Withhold(conn net.Conn, config *tls.Config) net.Conn {
	config.GetClientCertificate = func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		for i := range config.Certificates {
			if asked.SupportsCertificate(&config.Certificates[i]) == nil {
				return &config.Certificates[i], nil
			}
		}
		return &tls.Certificate{}, nil
	}
	return conn
}
