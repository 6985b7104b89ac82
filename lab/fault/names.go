package fault

import (
	"crypto/tls"
	"net"
)

// StrictNames has a server refuse a client that asks for a host of which it has
// no certificate, with unrecognized_name (RFC 6066 section 3), where crypto/tls
// shows its first certificate.
func StrictNames(conn net.Conn, config *tls.Config) net.Conn {
	certificates := config.Certificates
	config.Certificates = nil
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		for i := range certificates {
			if hello.ServerName == "" || certificates[i].Leaf.VerifyHostname(hello.ServerName) == nil {
				return &certificates[i], nil
			}
		}
		return nil, nil // crypto/tls sends unrecognized_name
	}
	return conn
}
