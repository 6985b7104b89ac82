package lab

import (
	"crypto/tls"
	"io"
	"net"

	"mtlslab.example/lab/lab/wiretap"
)

// withSecrets has the secrets of a tapped connection told to its tap as well.
func withSecrets(config *tls.Config, c net.Conn) *tls.Config {
	tapped, ok := wiretap.Of(c)
	if !ok {
		return config
	}
	config = config.Clone()
	if config.KeyLogWriter == nil {
		config.KeyLogWriter = tapped.Secrets()
	} else {
		config.KeyLogWriter = io.MultiWriter(config.KeyLogWriter, tapped.Secrets())
	}
	return config
}

// annotate tells the tap of a connection why it was rejected.
func annotate(c net.Conn, v Verdict) {
	if tapped, ok := wiretap.Of(c); ok && v.Outcome == Rejected {
		tapped.Annotate("rejected by the " + string(v.RejectedBy) + ": " + v.Reason)
	}
}
