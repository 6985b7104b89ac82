package capture

import (
	"bytes"

	"mtlslab.example/lab/lab/keylog"
)

// secrets gathers the key log lines of one connection.
type secrets struct {
	lines []byte // all of them
	known secretSet
}

// master returns the master secret of TLS 1.2 in hexadecimal, or "".
func (s *secrets) master() string {
	for line := range bytes.Lines(s.lines) {
		if fields := bytes.Fields(line); len(fields) == 3 && string(fields[0]) == keylog.LabelClientRandom {
			return string(fields[2])
		}
	}
	return ""
}

// secretSet is a set of secrets that packets are decrypted with.
type secretSet uint8

const (
	clientHandshakeTraffic secretSet = 1 << iota
	serverHandshakeTraffic
	clientTraffic0
	serverTraffic0
	masterSecret

	tls13 = clientHandshakeTraffic | serverHandshakeTraffic | clientTraffic0 | serverTraffic0
)

// labels are those of RFC 9850, section 3. The others of that section decrypt nothing that is recorded before them.
var labels = map[string]secretSet{
	keylog.LabelClientHandshakeTraffic: clientHandshakeTraffic,
	keylog.LabelServerHandshakeTraffic: serverHandshakeTraffic,
	keylog.LabelClientTraffic0:         clientTraffic0,
	keylog.LabelServerTraffic0:         serverTraffic0,
	keylog.LabelClientRandom:           masterSecret,
}

// add adds a line and returns it as it stands among lines, newline included, or nil if it is there already.
func (s *secrets) add(line []byte) []byte {
	line = bytes.TrimRight(line, "\r\n")
	if len(line) == 0 || bytes.Contains(s.lines, append(line[:len(line):len(line)], '\n')) {
		return nil
	}
	start := len(s.lines)
	s.lines = append(append(s.lines, line...), '\n')
	label, _, _ := bytes.Cut(line, []byte{' '})
	s.known |= labels[string(label)]
	return s.lines[start:]
}

// complete reports whether all packets can be decrypted: with the master secret of TLS 1.2, or with the handshake and
// traffic secrets of TLS 1.3, from which those after a KeyUpdate are derived (RFC 8446, section 7.2).
func (s *secrets) complete() bool {
	return s.known&masterSecret != 0 || s.known&tls13 == tls13
}
