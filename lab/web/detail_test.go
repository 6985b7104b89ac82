package web

import (
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/scenario"
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
	p := NewPage(Options{Showing: func(*verdict.Verdict, *tlsdecrypt.Connection) (string, []string) { return "a-lesson", nil }})
	s := serve(t, p)
	all, err := scenario.All()
	must(t, err)
	for _, lesson := range all {
		if testing.Short() && lesson.Name != "mtls" && lesson.Name != "expired-client" {
			continue
		}
		for _, version := range lesson.Versions() {
			x := run(t, lesson.Name, version)
			id := p.Add(x)
			status, body := get(t, s.request(t, "GET", fmt.Sprintf("/exchanges/%d", id)))
			if status != 200 {
				t.Fatalf("%s: %d %s", x.Ladder.Title, status, body)
			}
			var got shownDetail
			must(t, json.Unmarshal([]byte(body), &got))
			want, err := json.Marshal(verdict.Account{Connection: x.Wire, Verdict: &x.Verdict, Scenario: "a-lesson"})
			must(t, err)
			if !sameJSON(t, got.Wire, want) {
				t.Errorf("%s: the page has\n%s\nand lab explain --json\n%s", x.Ladder.Title, got.Wire, want)
			}
			if got.ID != id || got.Outcome != x.Outcome || got.Reason != x.Reason {
				t.Errorf("%s: exchange %d is %q: %q, want %d, %q: %q", x.Ladder.Title, got.ID, got.Outcome, got.Reason, id, x.Outcome, x.Reason)
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
			if r.Offset+int64(r.Length) > KeepBytes {
				continue // the page does not show it
			}
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
	refused := &tlsdecrypt.Message{From: endpoint.Server, HTTP: &httpwire.Message{Status: http.StatusForbidden}}
	live.Wire.Messages = append(live.Wire.Messages, refused)
	if x := OfConnection(live.Wire, &live.Verdict); x.HTTP.Status != live.HTTP.Status {
		t.Errorf("before a refusal: status %d, want that of the first response, %d", x.HTTP.Status, live.HTTP.Status)
	}
}
