package lab

import (
	"cmp"
	"crypto/tls"
	"io"
	"time"

	"mtlslab.example/lab/lab/wiretap"
)

// Settings are what a server and a client have in common. All but Journal may
// be left out: the zero value is a side that does everything right.
type Settings struct {
	Credentials
	CRL CRLPolicy // what CRLs say of the peer; "": CRLSoft
	Checks

	Version      uint16        // the only TLS version spoken, such as tls.VersionTLS12; 0: 1.2 and 1.3
	CipherSuites []uint16      // of TLS 1.2 and before; nil: Go's choice
	Groups       []tls.CurveID // for the key exchange; nil: Go's choice
	ALPN         []string      // protocols; nil: as HTTP2 says
	HTTP2        bool          // else HTTP/1.1

	Timeout time.Duration // of a handshake; 0: 10 s
	Instead Instead       // what is spoken in place of TLS; "": TLS

	KeyLog  io.Writer    // gets the secrets of every connection (RFC 9850); nil: nobody
	Journal *Journal     // is told of every exchange; must not be nil
	Tap     *wiretap.Tap // sees the bytes of every exchange; nil: nobody does

	// Of a server alone.
	RefuseInHTTP bool                          // let every handshake succeed, and answer a client without a good certificate with HTTP 400, as nginx does
	Allow        []string                      // subjects or URIs that are let in, others get HTTP 403; nil: everybody with a certificate
	ECHKeys      []tls.EncryptedClientHelloKey // for Encrypted ClientHello (RFC 9849); nil: off

	// Of a client alone.
	Withhold  bool              // show no certificate when the server does not name its issuer, as programs commonly do
	ECHConfig []byte            // ECHConfigList of the server, which turns Encrypted ClientHello on; nil: off
	Header    map[string]string // of the request, besides HTTP's own
	Offer     []uint16          // cipher suites in ClientHello in place of Go's, which Go lacks; nil: Go's
	Rekey     bool              // send KeyUpdate before the request (TLS 1.3)
}

// config is the part of the TLS configuration that both sides share.
func (s Settings) config() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, KeyLogWriter: s.KeyLog, NextProtos: s.ALPN,
		CipherSuites: s.CipherSuites, CurvePreferences: s.Groups}
	if s.Version != 0 {
		c.MinVersion, c.MaxVersion = s.Version, s.Version
	}
	switch {
	case s.ALPN != nil:
	case s.HTTP2:
		c.NextProtos = []string{"h2"}
	default:
		c.NextProtos = []string{"http/1.1"}
	}
	return c
}

// timeout is how long a handshake may take.
func (s Settings) timeout() time.Duration { return cmp.Or(s.Timeout, handshakeTimeout) }
