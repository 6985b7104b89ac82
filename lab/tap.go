package lab

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

// withSecrets returns config for one connection, whose secrets go to the
// connection's tap too, if it has one.
func withSecrets(config *tls.Config, c net.Conn) *tls.Config {
	config = config.Clone()
	if tapped, ok := wiretap.Of(c); ok {
		config.KeyLogWriter = both(config.KeyLogWriter, tapped.Secrets())
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

// tapped takes note of the server's end of an exchange.
func (j *Journal) tapped(clientAddr, serverAddr string, server *wiretap.Conn) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.open[key(clientAddr, serverAddr)]; e != nil {
		e.server = server
	}
}

// serverTap is the server's end of an exchange, nil while there is none.
func (j *Journal) serverTap(clientAddr, serverAddr string) *wiretap.Conn {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.open[key(clientAddr, serverAddr)]; e != nil {
		return e.server
	}
	return nil
}

// masterSecrets gives the secret of TLS 1.2 that a client logs to the tap of
// the server that it talks to: a server that refuses a certificate has none yet.
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

// annotate tells the tap of a connection, if there is one, why it was rejected.
func annotate(c net.Conn, judge func() verdict.Verdict) {
	tapped, ok := wiretap.Of(c)
	if !ok {
		return
	}
	switch v := judge(); {
	case v.Outcome == verdict.Rejected:
		tapped.Annotate("rejected by the " + v.RejectedBy.String() + ": " + v.Reason)
	case v.How == verdict.InHTTP:
		tapped.Annotate(v.Reason)
	}
}

// noteUnread tells the tap of a connection, if there is one, that drain has read
// n bytes, and no more of what came.
func noteUnread(c net.Conn, n int64) {
	if tapped, ok := wiretap.Of(c); ok {
		tapped.Annotate(fmt.Sprintf("not all is recorded: after its end was closed here, %d bytes more were read, and what came then was not", n))
	}
}
