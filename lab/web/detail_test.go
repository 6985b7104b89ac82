package web

import (
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
)

// shownDetail is the data of an exchange, as a browser reads it.
type shownDetail struct {
	ID      int             `json:"id"`
	Title   string          `json:"title"`
	Outcome verdict.Outcome `json:"outcome"`
	Reason  string          `json:"reason"`
	Wire    json.RawMessage `json:"wire"`
	Ladder  struct {
		Rungs []struct {
			Messages []int `json:"messages"`
		} `json:"rungs"`
	} `json:"ladder"`
	Plain        []string          `json:"plain"`
	Streams      map[string]string `json:"streams"`
	Certificates map[string][]struct {
		Subject string `json:"subject"`
	} `json:"certificates"`
}

// The page has what lab explain --json has, and the bytes that this refers to.
func TestDetail(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, name := range []string{"ecdsa-p384", "expired-client"} {
			x := run(t, name, version)
			p := NewPage(Options{Showing: func(*verdict.Verdict, *tlsdecrypt.Connection) string { return name }})
			s := serve(t, p)
			p.Add(x)
			status, body := get(t, s.request(t, "GET", "/exchanges/1"))
			if status != 200 {
				t.Fatalf("%s: %d %s", x.Ladder.Title, status, body)
			}
			var got shownDetail
			must(t, json.Unmarshal([]byte(body), &got))
			want, err := json.Marshal(verdict.Account{Connection: x.Wire, Verdict: &x.Verdict, Scenario: name})
			must(t, err)
			if !sameJSON(t, got.Wire, want) {
				t.Errorf("%s: the page has\n%s\nand lab explain --json\n%s", x.Ladder.Title, got.Wire, want)
			}
			if got.ID != 1 || got.Outcome != x.Outcome || got.Reason != x.Reason || got.Certificates["client"][0].Subject != x.Client.Certificate {
				t.Errorf("%s: %+v", x.Ladder.Title, got)
			}
			checkBytes(t, x, got)
		}
	}
}

// checkBytes compares the bytes on the page with the messages: each field is
// within its message, and each record is where the page looks for it.
func checkBytes(t *testing.T, x *Exchange, got shownDetail) {
	t.Helper()
	for i, m := range x.Wire.Messages {
		plain, err := hex.DecodeString(got.Plain[i])
		must(t, err)
		if m.Handshake != nil {
			for _, f := range m.Handshake.Fields() {
				if f.Offset < 0 || f.Offset+f.Length > len(plain) {
					t.Errorf("%s: %s of %s is not within its %d bytes", x.Ladder.Title, f.Name, m.Handshake.Name(), len(plain))
				}
			}
		}
		stream, err := hex.DecodeString(got.Streams[m.From.String()])
		must(t, err)
		for _, r := range m.Records {
			record := stream[r.Offset:][:r.Length]
			if length := int(record[3])<<8 + int(record[4]); record[1] != 3 || length != r.Length-5 {
				t.Errorf("%s: there is no record of %d bytes at %d of the %v's stream: %x", x.Ladder.Title, r.Length, r.Offset, m.From, record[:5])
			}
		}
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	must(t, json.Unmarshal(a, &x))
	must(t, json.Unmarshal(b, &y))
	return reflect.DeepEqual(x, y)
}

// A connection of a file is an exchange of which only the wire was seen.
func TestOfConnection(t *testing.T) {
	live := run(t, "ecdsa-p384", tls.VersionTLS13)
	x := OfConnection(live.Wire, &live.Verdict)
	if x.TLS != live.TLS {
		t.Errorf("the wire shows %+v, and the two sides have agreed on %+v", x.TLS, live.TLS)
	}
	for _, pair := range [][2]any{
		{x.Client.Certificate, live.Client.Certificate}, {x.Server.Certificate, live.Server.Certificate},
		{x.ClientAddr, live.ClientAddr}, {x.HTTP.Status, live.HTTP.Status}, {x.Client.State, verdict.State("")},
	} {
		if fmt.Sprint(pair[0]) != fmt.Sprint(pair[1]) {
			t.Errorf("the wire shows %v, want %v", pair[0], pair[1])
		}
	}
}
