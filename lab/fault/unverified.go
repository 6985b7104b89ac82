package fault

import (
	"crypto/tls"
	"net"
)

// Unverified has a side take any certificate of its peer: a server also a
// client without one.
func Unverified(conn net.Conn, config *tls.Config) net.Conn {
	config.InsecureSkipVerify, config.VerifyConnection, config.VerifyPeerCertificate = true, nil, nil
	if config.ClientAuth != tls.NoClientCert {
		config.ClientAuth = tls.RequestClientCert
	}
	return conn
}
