package capture

import (
	"bytes"
	"encoding/hex"
	"fmt"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
)

// secrets gathers the key log lines of one connection.
type secrets struct {
	lines   *note // all of them
	known   keylog.Labels
	visible []byte // the random of the ClientHello as it can be seen, in hexadecimal; nil until it was
}

const randomLen = 32 // bytes

// master returns the master secret of TLS 1.2, or nil.
func (s *secrets) master() []byte {
	for line := range bytes.Lines(s.lines.bytes()) {
		if entry, err := keylog.ParseLine(line[:len(line)-1]); err == nil && entry.Label == keylog.LabelClientRandom {
			return entry.Secret
		}
	}
	return nil
}

// add adds a line and returns it as it stands among lines, newline included, or
// nil if it is there already.
func (s *secrets) add(line []byte) []byte {
	line = bytes.TrimRight(line, "\r\n")
	if len(line) == 0 || s.has(line) {
		return nil
	}
	start := len(s.lines.bytes())
	s.lines = s.lines.add(line).add([]byte{'\n'})
	label, _, _ := bytes.Cut(line, []byte{' '})
	s.known.Add(string(label))
	return s.lines.bytes()[start:]
}

// has reports whether a line, without its newline, is among lines.
func (s *secrets) has(line []byte) bool {
	for known := range bytes.Lines(s.lines.bytes()) {
		if bytes.Equal(known[:len(known)-1], line) {
			return true
		}
	}
	return false
}

// underVisibleRandom returns a line of TLS 1.3 as it reads under the random of
// the ClientHello that can be seen, or nil if it does already. If the server
// took Encrypted ClientHello (RFC 9849), the line goes by the hidden one, and
// Wireshark looks secrets up by the other.
func (s *secrets) underVisibleRandom(line []byte) []byte {
	label, rest, _ := bytes.Cut(line, []byte{' '})
	random, secret, _ := bytes.Cut(rest, []byte{' '})
	if len(random) != len(s.visible) || bytes.Equal(random, s.visible) || bytes.EqualFold(random, s.visible) || string(label) == keylog.LabelClientRandom {
		return nil
	}
	return fmt.Appendf(nil, "%s %s %s", label, s.visible, secret)
}

// see learns the visible random from the handshake messages that the client has
// sent so far.
func (s *secrets) see(messages []byte) {
	const start = tlswire.HandshakeHeaderLen + 2 // after legacy_version
	if s.visible != nil || len(messages) < start+randomLen || messages[0] != byte(tlswire.TypeClientHello) {
		return
	}
	s.visible = hex.AppendEncode(nil, messages[start:start+randomLen])
}

// seeRecord is see for the first bytes that the client has sent, if they are
// enough of a record.
func (s *secrets) seeRecord(p []byte) {
	if len(p) > tlswire.RecordHeaderLen && p[0] == byte(tlswire.ContentTypeHandshake) {
		s.see(p[tlswire.RecordHeaderLen:])
	}
}
