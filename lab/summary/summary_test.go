package summary_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/summary"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
)

var start = time.Date(2026, 11, 28, 22, 0, 0, 0, time.UTC)

// made is a connection of a client to a server.
func made(number int, at time.Time, client, server, name string) *tlsdecrypt.Connection {
	return &tlsdecrypt.Connection{Number: number, Opened: at, Client: netip.MustParseAddrPort(client), Server: netip.MustParseAddrPort(server),
		Negotiated: tlsdecrypt.Negotiated{ServerName: name}}
}

func refusal(by endpoint.Side, code verdict.Code) *verdict.Verdict {
	return &verdict.Verdict{Outcome: verdict.Rejected, RejectedBy: by, Code: code}
}

// night is what each of many connections is to a summary: a few servers and
// causes, and, if wild, more clients, names and servers than it keeps apart.
func night(r *rand.Rand, connections int, wild bool) (all []summary.Connection) {
	some := 3
	if wild {
		some = 20_000
	}
	verdicts := []*verdict.Verdict{
		{Outcome: verdict.Accepted}, {Outcome: verdict.Unknown, How: verdict.CutOff}, {Outcome: verdict.Broken, Alert: &verdict.Alert{Name: "internal_error", SentBy: endpoint.Client}},
		refusal(endpoint.Server, "expired"), refusal(endpoint.Server, "unknown_ca"), refusal(endpoint.Client, "wrong_host"),
		{Outcome: verdict.Accepted, How: verdict.InHTTP, Code: verdict.RefusedInHTTP},
	}
	for i := range connections {
		n := r.IntN(some)
		c := made(i, start.Add(time.Duration(r.IntN(8*3600))*time.Second), fmt.Sprintf("10.0.%d.%d:1024", n/256%256, n%256),
			fmt.Sprintf("192.0.2.9:%d", 1000+r.IntN(some)), fmt.Sprintf("api%d.example", r.IntN(some)))
		all = append(all, summary.Of(c, verdicts[r.IntN(len(verdicts))]))
	}
	return all
}

func sum(connections []summary.Connection) *summary.Summary {
	s := &summary.Summary{}
	for _, c := range connections {
		s.Add(c, "night.pcapng")
	}
	return s
}

func encoded(t *testing.T, s *summary.Summary) string {
	t.Helper()
	var b bytes.Buffer
	for _, object := range s.Objects() {
		line, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.String()
}

// TestMerge: the summary of a capture is that of its parts, in whatever order
// they are added and whatever sums are made in between: of JSON, too, and where
// there is more than a summary keeps.
func TestMerge(t *testing.T) {
	for _, wild := range []bool{false, true} {
		r := rand.New(rand.NewPCG(1, 2))
		all := night(r, 12_000, wild)
		want := encoded(t, sum(all))
		if !summary.IsJSON([]byte(want)) || wild != strings.Contains(want, `"more_causes":true`) {
			t.Fatalf("%.200s", want)
		}
		for round := range 2 {
			var parts []*summary.Summary
			for len(all) > 0 && len(parts) < 5 {
				n := 1 + r.IntN(len(all))
				parts = append(parts, sum(all[:n]))
				all = all[n:]
			}
			parts = append(parts, sum(all), &summary.Summary{})
			for len(parts) > 1 { // any two
				r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
				if round%2 == 0 {
					parts[0].Merge(parts[1])
				} else if err := parts[0].Read(strings.NewReader(encoded(t, parts[1]))); err != nil {
					t.Fatal(err)
				}
				parts = append(parts[:1], parts[2:]...)
			}
			if got := encoded(t, parts[0]); got != want {
				t.Errorf("wild %t: the sum of parts differs:\n%.600s\nwant\n%.600s", wild, got, want)
			}
			all = night(rand.New(rand.NewPCG(1, 2)), 12_000, wild)
		}
	}
}

// TestMemory: the JSON, which is all that there is, does not grow with the
// connections.
func TestMemory(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	few, many := len(encoded(t, sum(night(r, 2_000, false)))), len(encoded(t, sum(night(r, 20_000, false))))
	if many > few+few/10 {
		t.Errorf("2,000 connections take %d bytes, and 20,000 take %d", few, many)
	}
}

// TestReadWrong: what is no summary, or is cut off, adds nothing.
func TestReadWrong(t *testing.T) {
	whole := encoded(t, sum(night(rand.New(rand.NewPCG(1, 2)), 100, false)))
	lines := strings.SplitAfter(whole, "\n")
	for given, want := range map[string]string{
		"":                                     "", // of no file
		strings.Join(lines[:len(lines)-2], ""): "cut short",
		whole[:len(whole)-9]:                   "cut short",
		whole[:len(whole)/2]:                   "cut short",
		`{"connection":0}`:                     "no summary",
		`{"cause":1,"server_addr":"api"}`:      "no summary",
		`{"cause":1,"count":-1}`:               "no summary",
		whole + "text":                         "no summary",
		`{"summary":{"connections":1,"outcomes":{"accepted":-1},"first":"2026-11-28T22:00:00Z","last":"2026-11-28T22:00:00Z","causes":0}}`: "no summary",
	} {
		var s summary.Summary
		err := s.Read(strings.NewReader(given))
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40q…: %v, want %q", given, err, want)
		}
		if !s.IsEmpty() {
			t.Errorf("%.40q… was counted", given)
		}
	}
	var pretty bytes.Buffer
	for _, line := range lines[:len(lines)-1] {
		if err := json.Indent(&pretty, []byte(line), "", "  "); err != nil {
			t.Fatal(err)
		}
	}
	var s summary.Summary
	if err := s.Read(&pretty); err != nil || encoded(t, &s) != whole {
		t.Errorf("in several lines it is another one: %v", err)
	}
}

// TestPrint: the most frequent cause comes first, with who, why, since when, and
// where to look, in 80 columns.
func TestPrint(t *testing.T) {
	s := &summary.Summary{}
	add := func(file string, number int, minute int, client, server, name string, v *verdict.Verdict) {
		s.Add(summary.Of(made(number, start.Add(time.Duration(minute)*time.Minute), client, server, name), v), file)
	}
	for i := range 1200 {
		add("night/a.pcapng", i, i/10, fmt.Sprintf("10.0.0.%d:1024", 5+i%100/98), "192.0.2.9:8443", "API.example", &verdict.Verdict{Outcome: verdict.Accepted})
	}
	for i := range 100 {
		add("night/b.pcapng", 5000+i, 254+i, fmt.Sprintf("10.0.0.%d:1024", 5+i/98), "192.0.2.9:8443", "API.example", refusal(endpoint.Server, "expired"))
	}
	add("night/a.pcapng", 12, 1, "10.0.0.7:4", "192.0.2.9:8443", "api.example", refusal(endpoint.Client, "unknown_ca"))
	add("night/a.pcapng", 13, 2, "10.0.0.7:4", "192.0.2.10:5432", "", &verdict.Verdict{Outcome: verdict.Accepted, How: verdict.Inside, Code: verdict.RefusedInside})
	add("night/a.pcapng", 14, 2, "10.0.0.7:4", "192.0.2.10:5432", "", &verdict.Verdict{Outcome: verdict.Unknown, How: verdict.CutOff})
	add("night/a.pcapng", 15, 3, "10.0.0.7:4", "192.0.2.9:8443", "api.example", &verdict.Verdict{Outcome: verdict.Accepted, How: verdict.InHTTP, Code: verdict.NotAuthorised})
	add("night/a.pcapng", 16, 4, "10.0.0.7:4", "192.0.2.11:443", "", &verdict.Verdict{Outcome: verdict.Accepted, Code: "wrong_host", Doubt: &verdict.Doubt{By: endpoint.Client, Code: "wrong_host"}})
	var b strings.Builder
	s.Print(text.Printer{W: &b, Columns: 80}, time.UTC)
	const want = `1,305 connections, 28 November 2026, 22:00:00 to 29 November, 03:53:00 UTC:
  1,201 accepted, 101 rejected, 2 refused, 1 cut off

count  since     last      who refuses whom: why
100    02:14:00  03:53:00  server api.example (192.0.2.9:8443) refuses 2
                           clients, 10.0.0.5 most: expired (first stream 5000,
                           last 5099 of b.pcapng)
1      22:01:00  22:01:00  client 10.0.0.7 refuses server api.example
                           (192.0.2.9:8443): unknown_ca (stream 12 of a.pcapng)
1      22:03:00  22:03:00  server api.example (192.0.2.9:8443) refuses client
                           10.0.0.7 in HTTP: not_authorised (stream 15 of
                           a.pcapng)
1      22:02:00  22:02:00  server 192.0.2.10:5432 refuses client 10.0.0.7 inside
                           TLS: refused_inside_tls (stream 13 of a.pcapng)
1      22:04:00  22:04:00  client 10.0.0.7 with server 192.0.2.11:443:
                           wrong_host (stream 16 of a.pcapng)
`
	if b.String() != want {
		t.Errorf("printed is\n%s\nwant\n%s", b.String(), want)
	}
}
