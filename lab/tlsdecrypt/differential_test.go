package tlsdecrypt_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// TestDifferential has peers talk to each other over a relay that records them, and compares what this package and
// tshark make of the file.
func TestDifferential(t *testing.T) {
	need(t, "tshark", "openssl", "curl", "python3")
	if testing.Short() {
		t.Skip("runs other programs")
	}
	s := newStudio(t)
	s.makeDSA(t)
	t.Run("record", func(t *testing.T) {
		for name, play := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				play(t, stage{s, name})
			})
		}
	})
	s.relays.Wait()
	if err := s.recorder.Close(); err != nil {
		t.Fatal(err)
	}
	keys := s.allKeys(t)
	theirs := tshark(t, s.capture(), keys)
	ours := dissect(t, s.capture(), keys)
	tally := map[string]int{}
	for number, name := range s.cases {
		port := firstPort + number
		c := ours[port]
		if c == nil || theirs[port] == nil {
			t.Errorf("%s: connection %d is missing", name, number)
			continue
		}
		a, b := accountOf(c), theirs[port]
		for _, from := range []tlswire.Side{tlswire.SideClient, tlswire.SideServer} {
			what := fmt.Sprintf("%s, tcp.port==%d, %v", name, port, from)
			if foreign(c) {
				tally["excused: a cipher that is left to others"]++
				compare(t, what, open(a.said[from]), open(b.said[from]), tally)
				continue
			}
			compare(t, what, a.said[from], b.said[from], tally)
			compare(t, what, a.http[from], b.http[from], tally)
		}
	}
	t.Logf("%d connections: %v", len(s.cases), tally)
}

// allKeys puts the key logs of all cases into one.
func (s *studio) allKeys(t *testing.T) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(s.dir, "*.keys"))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, log := range logs {
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	name := filepath.Join(s.dir, "all-keys.log")
	if err := os.WriteFile(name, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// dissect returns what this package says of each connection in a capture, by the port of its client.
func dissect(t *testing.T, name, keys string) map[int]*tlsdecrypt.Connection {
	t.Helper()
	secrets := &keylog.Store{}
	log, err := os.Open(keys)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if err := keylog.Read(log, secrets.Add); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	connections := map[int]*tlsdecrypt.Connection{}
	d := tlsdecrypt.New(tlsdecrypt.Options{Secrets: secrets, Done: func(c *tlsdecrypt.Connection) {
		connections[int(c.Client.Port())] = c
	}})
	if err := capture.Read(file, capture.ReadOptions{Sink: d}); err != nil {
		t.Fatal(err)
	}
	d.Close()
	return connections
}

// compare reports the first message in which two accounts differ, and counts what agrees.
func compare(t *testing.T, what string, ours, theirs []entry, tally map[string]int) {
	t.Helper()
	for i := range max(len(ours), len(theirs)) {
		if i >= len(ours) || i >= len(theirs) {
			t.Errorf("%s: after %d messages of %d and %d\n\tours:\n\t\t%v\n\ttshark's:\n\t\t%v", what, i, len(ours), len(theirs), ours[i:], theirs[i:])
			return
		}
		kind, _, _ := strings.Cut(ours[i].head, " ")
		tally[kind]++
		tally["fields"] += len(ours[i].fields)
		if ours[i].head != theirs[i].head || !slices.Equal(ours[i].fields, theirs[i].fields) {
			if name := excused(ours[i], theirs[i]); name != "" {
				tally["excused: "+name]++
				continue
			}
			t.Errorf("%s: message %d\n\tours:\n\t\t%v\n\ttshark's:\n\t\t%v", what, i, ours[i], theirs[i])
			return
		}
	}
}

// excused names the difference between two readings of a message if it is known to be tshark's (4.0.17) fault.
func excused(ours, theirs entry) string {
	keyExchange := ours.head == "handshake server_key_exchange" || ours.head == "handshake client_key_exchange"
	switch {
	case ours.head != theirs.head:
	case keyExchange && len(theirs.fields) == 1 && theirs.fields[0] == ours.fields[0]:
		return "tshark does not take apart the key exchange of this suite"
	}
	return ""
}

// foreign tells whether a connection is protected with a cipher that this package leaves to others.
func foreign(c *tlsdecrypt.Connection) bool {
	suite := c.CipherSuite.String()
	return strings.Contains(suite, "CAMELLIA") || strings.Contains(suite, "ARIA")
}

// open is what was said before ChangeCipherSpec.
func open(said []entry) []entry {
	if i := slices.IndexFunc(said, func(e entry) bool { return e.head == "change_cipher_spec" }); i >= 0 {
		return said[:i]
	}
	return said
}

var cases = map[string]func(*testing.T, stage){
	"openssl suites TLS 1.2": opensslSuitesTLS12,
	"openssl suites TLS 1.3": opensslSuitesTLS13,
	"openssl legacy":         opensslLegacy,
	"openssl resumption":     opensslResumption,
	"openssl external PSK":   opensslExternalPSK,
	"openssl early data":     opensslEarlyData,
	"openssl key update":     opensslKeyUpdate,
	"openssl renegotiation":  opensslRenegotiation,
	"openssl OCSP":           opensslOCSP,
	"openssl rejections":     opensslRejections,
	"openssl retry":          opensslRetry,
}
