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
	return alsoLog(config, tapped.Secrets())
}

// alsoLog returns a configuration whose secrets w is told as well.
func alsoLog(config *tls.Config, w io.Writer) *tls.Config {
	config = config.Clone()
	if config.KeyLogWriter != nil {
		w = io.MultiWriter(config.KeyLogWriter, w)
	}
	config.KeyLogWriter = w
	return config
}

// annotate tells the tap of a connection, if there is one, why it was rejected.
func annotate(c net.Conn, verdict func() Verdict) {
	tapped, ok := wiretap.Of(c)
	if !ok {
		return
	}
	if v := verdict(); v.Outcome == Rejected {
		tapped.Annotate("rejected by the " + string(v.RejectedBy) + ": " + v.Reason)
	}
}
