package probe

import (
	"crypto/tls"
	"errors"
	"testing"
)

// A session that another host has given without a certificate opens the host
// that wants one, where the two share the keys of their tickets and the client
// is looked at in full handshakes alone.
func TestSessionOfAnotherHost(t *testing.T) {
	p := newPKI(t)
	for name, c := range map[string]struct {
		shared, again bool
		wrong         string
	}{
		"keys of their own":         {false, false, ""},
		"shared keys":               {true, false, "session-of-another-host"},
		"shared keys, looked again": {true, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			open := &tls.Config{Certificates: []tls.Certificate{p.pair("server")}}
			own := &tls.Config{Certificates: open.Certificates, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: p.pool("client-ca")}
			own.VerifyConnection = func(s tls.ConnectionState) error {
				if len(s.PeerCertificates) == 0 && (c.again || !s.DidResume) {
					return errors.New("no certificate")
				}
				return nil
			}
			open.SetSessionTicketKeys([][32]byte{{1}})
			own.SetSessionTicketKeys([][32]byte{{map[bool]byte{true: 1, false: 2}[c.shared]}})
			o := p.options(p.goServer(t, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				if h.ServerName == "localhost" {
					return own, nil
				}
				return open, nil
			}}, nil))
			o.Only = []string{"session-of-another-host"}
			r := probed(t, o)
			want(t, r, c.wrong, "")
			if n := r.Count(Right) + r.Count(Wrong); n != 2 {
				t.Errorf("%d findings", n)
			}
		})
	}
}
