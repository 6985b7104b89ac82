package lab

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/wiretap"
)

// withSecrets changes config, which is for this connection alone, so that the
// connection's secrets are logged to its tap, too, if it has one.
func withSecrets(config *tls.Config, c net.Conn) {
	if tapped, ok := wiretap.Of(c); ok {
		config.KeyLogWriter = both(config.KeyLogWriter, tapped.Secrets())
	}
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
