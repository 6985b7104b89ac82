package keylog

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// Labels of RFC 9850, and the NSS labels that came before it. A label that is
// not among them is kept as it is: later protocols add their own.
const (
	LabelClientRandom           = "CLIENT_RANDOM" // the master secret of TLS 1.2
	LabelClientEarlyTraffic     = "CLIENT_EARLY_TRAFFIC_SECRET"
	LabelClientHandshakeTraffic = "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
	LabelServerHandshakeTraffic = "SERVER_HANDSHAKE_TRAFFIC_SECRET"
	LabelClientTraffic0         = "CLIENT_TRAFFIC_SECRET_0"
	LabelServerTraffic0         = "SERVER_TRAFFIC_SECRET_0"
	LabelEarlyExporter          = "EARLY_EXPORTER_SECRET"
	LabelExporter               = "EXPORTER_SECRET"
	LabelRSA                    = "RSA" // NSS: encrypted premaster secret, then the premaster secret
)

// MaxLine is the longest line that is read, in bytes without its line end.
// The longest of today is about 300.
const MaxLine = 4096

// Entry is one secret of one connection.
type Entry struct {
	Label string
	// ClientRandom is the random of the ClientHello, 32 bytes. Under LabelRSA it
	// is the first 8 bytes of the encrypted premaster secret instead.
	ClientRandom []byte
	Secret       []byte
}

// AppendText appends the entry as a line of the key log, line feed included.
func (e Entry) AppendText(b []byte) ([]byte, error) {
	b = append(b, e.Label...)
	b = append(b, ' ')
	b = hex.AppendEncode(b, e.ClientRandom)
	b = append(b, ' ')
	b = hex.AppendEncode(b, e.Secret)
	return append(b, '\n'), nil
}

// SyntaxError says which line of a key log cannot be read, and why. The line
// itself is left out: it may hold a secret.
type SyntaxError struct {
	Line    int // counted from 1
	Problem string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("key log line %d: %s", e.Line, e.Problem)
}

var errNotThreeFields = errors.New("want LABEL CLIENT_RANDOM SECRET")

// labelOf returns a label, without memory of its own if it is a usual one; "":
// it is none.
func labelOf(b []byte) string {
	for _, label := range storedLabels {
		if string(b) == label {
			return label
		}
	}
	for _, c := range b {
		if c != '_' && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return ""
		}
	}
	return string(b)
}

// ParseLine reads one line, without its line end. The entry owns its bytes.
func ParseLine(line []byte) (Entry, error) { return parseLine(line, nil) }

// parseLine reads a line. The entry's bytes are appended to the memory of to.
func parseLine(line, to []byte) (Entry, error) {
	if len(line) > MaxLine {
		return Entry{}, fmt.Errorf("longer than %d bytes", MaxLine)
	}
	label, rest, _ := bytes.Cut(line, []byte{' '})
	random, secret, found := bytes.Cut(rest, []byte{' '})
	if !found || len(label) == 0 || bytes.IndexByte(secret, ' ') >= 0 {
		return Entry{}, errNotThreeFields
	}
	entry := Entry{Label: labelOf(label)}
	if entry.Label == "" {
		return Entry{}, errors.New("a label has only capital letters, digits and underscores")
	}
	owned, err := hex.AppendDecode(slices.Grow(to[:0], (len(random)+len(secret))/2), random)
	if err != nil {
		return Entry{}, errors.New("the client random is not hexadecimal")
	}
	n := len(owned)
	if owned, err = hex.AppendDecode(owned, secret); err != nil || len(owned) == n {
		return Entry{}, errors.New("the secret is not hexadecimal")
	}
	entry.ClientRandom, entry.Secret = owned[:n:n], owned[n:]
	want := 32
	if entry.Label == LabelRSA {
		want = 8
	}
	if len(entry.ClientRandom) != want {
		return Entry{}, fmt.Errorf("the client random has %d bytes, not %d", len(entry.ClientRandom), want)
	}
	return entry, nil
}
