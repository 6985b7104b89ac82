package tlsdecrypt_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// TestDifferential has peers talk to each other over relays that record them
// into one file, and compares what this package makes of it with what tshark
// does: message for message and field for field.
func TestDifferential(t *testing.T) {
	if testing.Short() {
		t.Skip("runs other programs")
	}
	peertest.Need(t, "tshark", "openssl")
	t.Parallel()
	s := newStudio(t)
	s.makeDSA(t)
	t.Run("record", func(t *testing.T) {
		for name, part := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				peertest.Need(t, strings.Fields(part.needs)...)
				part.play(t, stage{s, name})
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
	v := &verdict{trust: s.trust(t), shown: map[string]bool{}, tally: map[string]int{}}
	for number, name := range s.cases {
		port := firstPort + number
		what := fmt.Sprintf("%s, tcp.port==%d", name, port)
		if ours[port] == nil || theirs[port] == nil {
			t.Errorf("%s is missing", what)
			continue
		}
		v.judge(t, name, what, ours[port], theirs[port])
	}
	v.missing(t, s.cases)
	t.Logf("%d connections agree in %v", len(s.cases), v.tally)
	if *seeds {
		s.writeSeeds(t, ours, keys)
	}
}

// verdict gathers what agrees.
type verdict struct {
	trust *chain.Trust
	shown map[string]bool // "case side line" of all lines, and "case resumed by way"
	tally map[string]int
}

// judge compares the two accounts of a connection.
func (v *verdict) judge(t *testing.T, name, what string, c *tlsdecrypt.Connection, theirs *account) {
	t.Helper()
	ours := accountOf(c)
	if got, want := c.Negotiated, negotiated(c, ours); got != want {
		t.Errorf("%s: negotiated\n%+v\nwant\n%+v", what, got, want)
	}
	v.sound(t, what, c)
	v.shown[name+" resumed by "+string(c.Resumption)] = true
	for _, from := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		for _, e := range slices.Concat(ours.said[from], ours.http[from]) {
			for _, line := range append(e.fields, e.head) {
				v.shown[name+" "+from.String()+" "+line] = true
			}
		}
		what := what + ", " + from.String()
		if n, why := excusedFrom(c, from, ours.said[from], theirs.said[from]); why != "" {
			v.tally["excused: "+why]++
			v.compare(t, what, c.CipherSuite, firstOf(ours.said[from], n), firstOf(theirs.said[from], n))
			continue
		}
		v.compare(t, what, c.CipherSuite, ours.said[from], theirs.said[from])
		v.compare(t, what, c.CipherSuite, ours.http[from], theirs.http[from])
	}
}

// missing reports what cases that were played should have shown and did not.
func (v *verdict) missing(t *testing.T, played []string) {
	t.Helper()
	lines := slices.Collect(maps.Keys(v.shown))
	for name, part := range cases {
		for _, want := range part.shows {
			shown := slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, name+" "+want) })
			if !shown && slices.Contains(played, name) {
				t.Errorf("no connection of %s shows %q", name, want)
			}
		}
	}
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

// dissect returns what this package says of each connection in a capture, by
// the port of its client.
func dissect(t *testing.T, name, keys string) map[int]*tlsdecrypt.Connection {
	t.Helper()
	secrets := &keylog.Store{}
	log, err := os.Open(keys)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for entry, err := range keylog.NewTail(log).Entries() {
		if err != nil {
			t.Fatal(err)
		}
		secrets.Add(entry)
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

// compare reports the first message in which two accounts differ, and counts
// what agrees.
func (v *verdict) compare(t *testing.T, what string, suite tlswire.CipherSuite, ours, theirs []entry) {
	t.Helper()
	for i := range max(len(ours), len(theirs)) {
		if i >= len(ours) || i >= len(theirs) {
			t.Errorf("%s: after %d messages of %d and %d\n\tours:\n\t\t%v\n\ttshark's:\n\t\t%v", what, i, len(ours), len(theirs), ours[i:], theirs[i:])
			return
		}
		kind, _, _ := strings.Cut(ours[i].head, " ")
		v.tally[kind]++
		v.tally["field"] += len(ours[i].fields)
		for _, f := range ours[i].fields {
			if strings.HasPrefix(f, "tls.handshake.extension.type ") {
				v.tally["extension"]++
			}
		}
		if ours[i].head != theirs[i].head || !slices.Equal(ours[i].fields, theirs[i].fields) {
			if name := excused(suite, ours[i], theirs[i]); name != "" {
				v.tally["excused: "+name]++
				continue
			}
			at := 0
			for at < min(len(ours[i].fields), len(theirs[i].fields)) && ours[i].fields[at] == theirs[i].fields[at] {
				at++
			}
			t.Errorf("%s: message %d, field %d\n\tours:\n\t\t%v\n\ttshark's:\n\t\t%v", what, i, at, ours[i].from(at), theirs[i].from(at))
			return
		}
	}
}

// sound checks what must be true of a connection without asking others.
func (v *verdict) sound(t *testing.T, what string, c *tlsdecrypt.Connection) {
	t.Helper()
	c.Check(v.trust)
	for _, p := range c.Problems {
		switch {
		case c.CipherSuite.Info().Cipher == "NULL" && strings.HasPrefix(p.Text, "nothing is encrypted: "):
		case foreign(c) && strings.HasPrefix(p.Text, "the cipher of "):
		case strings.HasPrefix(what, "ECH,") && strings.HasPrefix(p.Text, "no keys of this connection: "):
			// crypto/tls logs by the random of the hidden ClientHello, which
			// is in neither side's key log.
		default:
			t.Errorf("%s: %v", what, p.Text)
		}
	}
	for _, m := range c.Messages {
		if m.Err != nil {
			t.Errorf("%s: %v", what, m.Err)
		}
		for _, e := range extensionsOf(m) {
			if _, err := e.Parse(); err != nil {
				t.Errorf("%s: %v: %v", what, e.Type, err)
			}
		}
		for _, check := range m.Checks {
			switch {
			case check.Result == tlsdecrypt.Holds:
				v.tally[check.Subject+" holds"]++
			case check.Subject == "binder" && check.Result == tlsdecrypt.Unknown:
			case check.Subject == "signature" && check.Result == tlsdecrypt.Unknown && strings.Contains(check.Text, "CN=dsa"):
			case check.Subject == "chain" && untrusted(check.Text):
			default:
				t.Errorf("%s: %s %s: %s", what, check.Subject, check.Result, check.Text)
			}
		}
	}
}

// untrusted reports whether the text is of a certificate that is not to be
// trusted.
func untrusted(text string) bool {
	return strings.Contains(text, "CN=expired") || strings.Contains(text, "CN=stranger") || strings.Contains(text, "CN=dsa") ||
		strings.Contains(text, "it sends unknown_ca")
}

func extensionsOf(m *tlsdecrypt.Message) (all []tlswire.Extension) {
	if m.Handshake == nil {
		return nil
	}
	switch body := m.Handshake.Body.(type) {
	case *tlswire.ClientHello:
		return body.Extensions
	case *tlswire.ServerHello:
		return body.Extensions
	case *tlswire.EncryptedExtensions:
		return body.Extensions
	case *tlswire.CertificateRequest:
		return body.Extensions
	case *tlswire.NewSessionTicket:
		return body.Extensions
	case *tlswire.Certificate:
		for _, entry := range body.Entries {
			all = append(all, entry.Extensions...)
		}
	}
	return all
}
