package fault

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// KeyUpdate has a client of TLS 1.3 change its keys, which crypto/tls does only
// when the other side asks for it: it puts a KeyUpdate (RFC 9846 section 4.7.3)
// before the first record that the client writes after its handshake, and seals
// that record and all after it anew, under the next keys.
func KeyUpdate(conn net.Conn, config *tls.Config) net.Conn {
	u := &keyUpdate{wrapper: wrapper{conn}}
	verify := config.VerifyConnection
	config.VerifyConnection = func(state tls.ConnectionState) error { // comes before the secret is logged
		u.suite = tlswire.CipherSuite(state.CipherSuite)
		if state.Version < tls.VersionTLS13 {
			u.err = errors.New("KeyUpdate needs TLS 1.3")
		}
		if verify == nil {
			return nil
		}
		return verify(state)
	}
	if config.KeyLogWriter == nil {
		config.KeyLogWriter = io.Discard
	}
	config.KeyLogWriter = io.MultiWriter(config.KeyLogWriter, (*updateSecret)(u))
	return u
}

// keyUpdate is a connection whose client changes its keys.
type keyUpdate struct {
	wrapper
	suite   tlswire.CipherSuite
	err     error                   // why it cannot
	secret  []byte                  // client_application_traffic_secret_0
	written *tlsdecrypt.TrafficKeys // under which crypto/tls writes; nil during the handshake
	sent    *tlsdecrypt.TrafficKeys // under which records are sent; nil before KeyUpdate
}

// updateSecret is the key log of a connection.
type updateSecret keyUpdate

// Write takes a line.
func (u *updateSecret) Write(line []byte) (int, error) {
	entry, err := keylog.ParseLine(bytes.TrimSuffix(line, []byte{'\n'}))
	if err == nil && entry.Label == keylog.LabelClientTraffic0 {
		u.secret = entry.Secret
		u.written, err = tlsdecrypt.NewTrafficKeys(u.suite, u.secret)
	}
	if err != nil {
		u.err = err
	}
	return len(line), nil
}

// Write passes on whole records, as crypto/tls writes them.
func (u *keyUpdate) Write(b []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	if u.written == nil {
		return u.Conn.Write(b)
	}
	var out []byte
	for rest := b; len(rest) > 0; {
		record, after, err := tlswire.ReadRecord(rest, 0)
		if err != nil {
			return 0, fmt.Errorf("crypto/tls has not written whole records: %w", err)
		}
		if out, err = u.append(out, record, rest[:len(rest)-len(after)]); err != nil {
			return 0, err
		}
		rest = after
	}
	if _, err := u.Conn.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// append adds what is sent in place of a record, raw, to out: the record itself
// in the handshake, whose records are under other keys.
func (u *keyUpdate) append(out []byte, record tlswire.Record, raw []byte) ([]byte, error) {
	inner, err := u.written.Open(record)
	switch {
	case err != nil && u.sent == nil:
		return append(out, raw...), nil
	case err != nil:
		return nil, err
	case u.sent == nil:
		first, err := tlsdecrypt.NewTrafficKeys(u.suite, u.secret)
		if err != nil {
			return nil, err
		}
		const updateNotRequested = 0
		message := []byte{byte(tlswire.TypeKeyUpdate), 0, 0, 1, updateNotRequested}
		out = first.Seal(out, append(message, byte(tlswire.ContentTypeHandshake)))
		if u.sent, err = first.Next(); err != nil {
			return nil, err
		}
	}
	return u.sent.Seal(out, inner), nil
}
