package lab

import (
	"crypto/tls"
	"io"
	"net"

	"mtlslab.example/lab/lab/wiretap"
)

// withSecrets returns config for one connection, whose secrets go to keyLog,
// which may be nil, and to the connection's tap if it has one.
func withSecrets(config *tls.Config, keyLog io.Writer, c net.Conn) *tls.Config {
	config = config.Clone()
	config.KeyLogWriter = keyLog
	if tapped, ok := wiretap.Of(c); ok {
		config.KeyLogWriter = both(keyLog, tapped.Secrets())
	}
	return config
}

// both writes to a, which may be nil, and to b.
func both(a, b io.Writer) io.Writer {
	if a == nil {
		return b
	}
	return io.MultiWriter(a, b)
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
