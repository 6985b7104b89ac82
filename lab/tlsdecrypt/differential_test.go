package tlsdecrypt_test

import (
	"fmt"
	"iter"
	"maps"
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

// TestDifferential has peers talk to each other over relays that record them into one file, and compares what this
// package makes of it with what tshark does: message for message and field for field.
func TestDifferential(t *testing.T) {
	if testing.Short() {
		t.Skip("runs other programs")
	}
	need(t, "tshark", "openssl")
	s := newStudio(t)
	s.makeDSA(t)
	t.Run("record", func(t *testing.T) {
		for name, part := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				need(t, strings.Fields(part.needs)...)
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
	v := &verdict{shown: map[string]bool{}, tally: map[string]int{}}
	for number, name := range s.cases {
		port := firstPort + number
		what := fmt.Sprintf("%s, tcp.port==%d", name, port)
		if ours[port] == nil || theirs[port] == nil {
			t.Errorf("%s is missing", what)
			continue
		}
		v.judge(t, name, what, ours[port], theirs[port])
	}
	for name, want := range v.missing(s.cases) {
		t.Errorf("no connection of %s shows %q", name, want)
	}
	t.Logf("%d connections agree in %v", len(s.cases), v.tally)
	if *seeds {
		s.writeSeeds(t, ours, keys)
	}
}

// verdict gathers what agrees.
type verdict struct {
	shown map[string]bool // "case side line", of all lines
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
	for _, from := range []tlswire.Side{tlswire.SideClient, tlswire.SideServer} {
		for _, e := range slices.Concat(ours.said[from], ours.http[from]) {
			for _, line := range append(e.fields, e.head) {
				v.shown[name+" "+from.String()+" "+line] = true
			}
		}
		what := what + ", " + from.String()
		if n, why := excusedFrom(c, from, ours.said[from], theirs.said[from]); why != "" {
			v.tally["excused: "+why]++
			v.compare(t, what, firstOf(ours.said[from], n), firstOf(theirs.said[from], n))
			continue
		}
		v.compare(t, what, ours.said[from], theirs.said[from])
		v.compare(t, what, ours.http[from], theirs.http[from])
	}
}

// missing goes over what cases that were played should have shown and did not.
func (v *verdict) missing(played []string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for name, part := range cases {
			for _, want := range part.shows {
				shown := slices.ContainsFunc(slices.Collect(maps.Keys(v.shown)), func(line string) bool {
					return strings.HasPrefix(line, name+" "+want)
				})
				if slices.Contains(played, name) && !shown && !yield(name, want) {
					return
				}
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
func (v *verdict) compare(t *testing.T, what string, ours, theirs []entry) {
	t.Helper()
	for i := range max(len(ours), len(theirs)) {
		if i >= len(ours) || i >= len(theirs) {
			t.Errorf("%s: after %d messages of %d and %d\n\tours:\n\t\t%v\n\ttshark's:\n\t\t%v", what, i, len(ours), len(theirs), ours[i:], theirs[i:])
			return
		}
		kind, _, _ := strings.Cut(ours[i].head, " ")
		v.tally[kind]++
		v.tally["fields"] += len(ours[i].fields)
		if ours[i].head != theirs[i].head || !slices.Equal(ours[i].fields, theirs[i].fields) {
			if name := excused(ours[i], theirs[i]); name != "" {
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

// sound checks what must be true of a connection without asking others. Chains are not its subject.
func (v *verdict) sound(t *testing.T, what string, c *tlsdecrypt.Connection) {
	t.Helper()
	c.Check(nil)
	for _, p := range c.Problems {
		switch {
		case foreign(c) && strings.HasPrefix(p.Text, "the cipher of "):
		case strings.HasPrefix(what, "ECH,") && strings.HasPrefix(p.Text, "no secret for this client random"):
			// crypto/tls logs by the random of the hidden ClientHello, which neither side's key log tells of.
		default:
			t.Errorf("%s: %v", what, p.Text)
		}
	}
	for _, m := range c.Messages {
		if m.Err != nil {
			t.Errorf("%s: %v", what, m.Err)
		}
		for _, check := range m.Checks {
			switch {
			case check.Result == tlsdecrypt.Holds:
				v.tally[check.Subject+" holds"]++
			case check.Result == tlsdecrypt.Unknown && (check.Subject == "chain" || check.Subject == "binder" || strings.Contains(check.Text, "CN=dsa")):
			default:
				t.Errorf("%s: %s %s: %s", what, check.Subject, check.Result, check.Text)
			}
		}
	}
}

// foreign tells whether a connection is protected with a cipher that this package leaves to others.
func foreign(c *tlsdecrypt.Connection) bool {
	suite := c.CipherSuite.String()
	return strings.Contains(suite, "CAMELLIA") || strings.Contains(suite, "ARIA")
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

// excusedFrom tells from which message of a side on the two are known to differ, and why.
func excusedFrom(c *tlsdecrypt.Connection, from tlswire.Side, ours, theirs []entry) (n int, why string) {
	n = readable(theirs)
	switch {
	case foreign(c):
		return readable(ours), "a cipher that this package leaves to others"
	case n == len(theirs):
	case c.Resumption == tlsdecrypt.ByTicket:
		return n, "tshark does not find the secret of a session that crypto/tls resumed"
	case from == tlswire.SideClient && count(ours[:n], "handshake finished protected") == 2:
		return n, "tshark takes the client's Finished after the handshake for the end of the handshake"
	}
	return 0, ""
}

// readable counts the messages before the first that cannot be read.
func readable(said []entry) int {
	if n := slices.IndexFunc(said, func(e entry) bool { return strings.HasPrefix(e.head, "unread") }); n >= 0 {
		return n
	}
	return len(said)
}

func firstOf(said []entry, n int) []entry { return said[:min(n, len(said))] }

func count(said []entry, head string) (n int) {
	for _, e := range said {
		if e.head == head {
			n++
		}
	}
	return n
}
