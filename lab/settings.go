package lab

import (
	"cmp"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"

	"mtlslab.example/lab/lab/starttls"
	"mtlslab.example/lab/lab/wiretap"
)

// Settings are those of a server or a client. All but Journal may be left out:
// the zero value is a side that does everything right.
type Settings struct {
	Credentials
	CRL CRLPolicy // how CRLs are used; "": CRLSoft
	Checks

	Version      uint16        // the only TLS version spoken, such as tls.VersionTLS12; 0: 1.2 and 1.3
	CipherSuites []uint16      // of TLS 1.2 and before; nil: Go's choice
	Groups       []tls.CurveID // for the key exchange; nil: Go's choice
	ALPN         []string      // protocols; nil: as HTTP2 says
	HTTP2        bool          // else HTTP/1.1

	Timeout time.Duration // of a handshake; 0: 10 s

	// Wrap is called for every connection before its handshake. It may change
	// config, which is that connection's own, and returns what TLS is spoken on:
	// c, or a connection whose NetConn method returns c. nil: nothing is changed.
	Wrap func(c net.Conn, config *tls.Config) net.Conn

	KeyLog  io.Writer    // gets the secrets of every connection (RFC 9850); may be nil
	Journal *Journal     // reports every exchange; must not be nil
	Tap     *wiretap.Tap // gets the bytes of every exchange; may be nil

	// Of a server alone.
	RefuseInHTTP  bool         // let every handshake succeed, and answer a client without a good certificate with HTTP 400, as nginx does
	Unasking      bool         // ask clients for no certificate
	TrustSessions bool         // take the client of a resumed session as it was found when the session began
	StrictHost    bool         // answer a request for a host that the certificate is not for with HTTP 421
	Handler       http.Handler // of requests; nil: the lab's pages
	Allow         []string     // who is let in, others get HTTP 403: see CheckAllow; nil: everybody with a certificate

	// StartTLS has the server speak that protocol, which begins in plain text, in
	// place of HTTP; nil: HTTP. It must be one that is served.
	StartTLS *starttls.Protocol

	// Of a client alone.
	Header map[string]string // of the request, besides HTTP's own
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
