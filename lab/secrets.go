package lab

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/wiretap"
)

// withSecrets returns a copy of config for one connection. It also logs the
// connection's secrets to its tap, if it has one.
func withSecrets(config *tls.Config, c net.Conn) *tls.Config {
	config = config.Clone()
	if tapped, ok := wiretap.Of(c); ok {
		config.KeyLogWriter = both(config.KeyLogWriter, tapped.Secrets())
	}
	return config
}

// both returns a writer to a, if that is not nil, and to b.
func both(a, b io.Writer) io.Writer {
	if a == nil {
		return b
	}
	return io.MultiWriter(a, b)
}

// masterSecrets copies the client's TLS 1.2 master secret into the server's
// tap: a server that refuses the client's certificate has not computed it.
type masterSecrets struct {
	journal        *Journal
	client, server string // addresses
}

func (m masterSecrets) Write(line []byte) (int, error) {
	if !bytes.HasPrefix(line, []byte(keylog.LabelClientRandom+" ")) {
		return len(line), nil
	}
	if server := m.journal.serverTap(m.client, m.server); server != nil {
		_, _ = server.Secrets().Write(line)
	}
	return len(line), nil
}
