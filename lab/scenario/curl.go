package scenario

import (
	"cmp"
	"crypto/tls"
	"net"
	"path/filepath"
	"reflect"

	"mtlslab.example/lab/lab/endpoint"
)

// Fault returns the side that is set up wrongly, or Unknown if it is not one
// alone.
func (s *Scenario) Fault() endpoint.Side {
	server, client := !reflect.ValueOf(s.Server).IsZero(), !reflect.ValueOf(s.Client).IsZero()
	switch {
	case s.Side == "works", s.Side == "in, but not allowed":
		return endpoint.Unknown
	case s.Server.NotTLS != "":
		return endpoint.Server
	case s.Client.NotTLS != "":
		return endpoint.Client
	case s.Side == "server rejects client":
		return endpoint.Client
	case s.Side == "client rejects server" || server && !client:
		return endpoint.Server
	case client && !server:
		return endpoint.Client
	}
	return endpoint.Unknown
}

// Curl returns the arguments of a curl that takes the client's part against the
// server on port, with the certificates below certs. ok is false if curl cannot
// do it.
func (s *Scenario) Curl(certs, port string) (args []string, ok bool) {
	simple := Half{Certificate: s.Client.Certificate, URL: s.Client.URL, HTTP2: s.Client.HTTP2, CRL: s.Client.CRL}
	if !reflect.DeepEqual(s.Client, simple) || s.ECH != "" || s.Calls > 1 {
		return nil, false
	}
	file := func(name string) string { return filepath.Join(s.Certs(certs), name) }
	args = []string{"curl", "--cacert", file("server-ca.pem")}
	if name := cmp.Or(s.Client.Certificate, "client"); name != "none" {
		args = append(args, "--cert", file(name+".pem"), "--key", file(name+"-key.pem"))
	}
	if versions := s.Versions(); len(versions) == 1 && versions[0] == tls.VersionTLS12 {
		args = append(args, "--tls-max", "1.2")
	} else if len(versions) == 1 {
		args = append(args, "--tlsv1.3")
	}
	return append(args, "https://"+net.JoinHostPort(cmp.Or(s.Client.URL, "localhost"), port)+"/"), true
}
