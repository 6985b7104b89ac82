package room

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/verdict"
)

// call is an exchange of a client, which has proven to have the certificate if
// it was accepted.
func call(address, certificate string, v verdict.Verdict) *lab.Exchange {
	x := &lab.Exchange{Time: time.Now(), ClientAddr: address + ":1000", Verdict: v, Client: lab.Party{Certificate: certificate}}
	if v.Outcome == verdict.Accepted && certificate != "" {
		x.Client.Identity = lab.Identity{Authority: strings.Repeat("ab", 32), Subject: certificate}
	}
	return x
}

var (
	accepted = verdict.Verdict{Outcome: verdict.Accepted}
	rejected = verdict.Verdict{Outcome: verdict.Rejected, RejectedBy: endpoint.Server, Reason: "no such CA", Code: "unknown_ca"}
)

// lines are the rows of a room.
func lines(v View) (lines []string) {
	for _, g := range v.Guests {
		lines = append(lines, fmt.Sprintf("%d %s", g.Calls, g.Line()))
	}
	return lines
}

// The state of a guest says which side ended the last exchange, and how; the
// words are those of the verdict.
func TestStates(t *testing.T) {
	var r Room
	for _, x := range []*lab.Exchange{
		call("10.0.0.1", "CN=client", accepted),
		call("10.0.0.2", "CN=bad", rejected),
		call("10.0.0.3", "", verdict.Verdict{Outcome: verdict.Rejected, RejectedBy: endpoint.Client, Reason: "another name"}),
		call("10.0.0.4", "", verdict.Verdict{Outcome: verdict.Rejected, RejectedBy: endpoint.Client, How: verdict.Aborted, Reason: "it closed"}),
		call("10.0.0.5", "CN=late", verdict.Verdict{Outcome: verdict.Broken, Reason: "it closed"}),
		call("10.0.0.6", "CN=blocked", verdict.Verdict{Outcome: verdict.Accepted, How: verdict.InHTTP, Code: verdict.NotAuthorised, Reason: "not allowed"}),
		call("10.0.0.7", "", accepted), call("10.0.0.7", "", accepted),
		call("10.0.0.8", "", rejected),
	} {
		r.See(x, 0)
	}
	want := []string{
		"1 refused 1 connection without a certificate from 10.0.0.8: no such CA",
		"1 refused 10.0.0.2, as CN=bad: no such CA",
		"1 refused CN=blocked: not allowed",
		"1 refuses 10.0.0.3: another name",
		"1 cut off 10.0.0.4: it closed",
		"1 cut off 10.0.0.5, as CN=late: it closed",
		"2 anonymous 2 connections without a certificate from 10.0.0.7: no certificate was asked for",
		"1 in CN=client",
	}
	v := r.View()
	if got := lines(v); !slices.Equal(got, want) {
		t.Errorf("the rows are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if v.Summary != "1 in, 3 refused, 1 refuses the server, 2 cut off, 1 anonymous" {
		t.Errorf("in all %s", v.Summary)
	}
}

// What is said anew is new; the same again is not.
func TestNews(t *testing.T) {
	var news []string
	r := Room{Changed: func(g Guest, isNew bool) {
		if isNew {
			news = append(news, g.Line())
		}
	}}
	for _, v := range []verdict.Verdict{accepted, accepted, {Outcome: verdict.Accepted, How: verdict.InHTTP, Code: verdict.NotAuthorised, Reason: "not allowed"}, accepted} {
		r.See(call("10.0.0.1", "CN=client", v), 0)
	}
	if want := []string{"in CN=client", "refused CN=client: not allowed", "in CN=client"}; !slices.Equal(news, want) {
		t.Errorf("new: %q, want %q", news, want)
	}
}

// Two of one name under two CAs are two guests, and it is seen which is which.
func TestNamesakes(t *testing.T) {
	var r Room
	x := call("10.0.0.1", "CN=client", accepted)
	r.See(x, 0)
	other := call("10.0.0.2", "CN=client", accepted)
	other.Client.Identity.Authority = strings.Repeat("cd", 32)
	r.See(other, 0)
	r.See(call("10.0.0.2", "CN=client", rejected), 0) // that is only claimed
	if got, want := lines(r.View()), []string{"1 refused 10.0.0.2, as CN=client: no such CA", "1 in CN=client (CA's key abababab)", "1 in CN=client (CA's key cdcdcdcd)"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Names that are made up fill neither the memory nor the table: each address
// has some rows, all have a thousand, and who is in stays.
func TestBounds(t *testing.T) {
	var r Room
	r.See(call("10.0.0.1", "CN=client", accepted), 0)
	for i := range 5000 {
		r.See(call("10.0.0.2", fmt.Sprintf("CN=%d %s", i, strings.Repeat("x", 5000)), rejected), 0)
	}
	v := r.View()
	if got := lines(v); len(got) != 1+mostClaimed+1 || !slices.Contains(got, fmt.Sprintf("%d refused 10.0.0.2, under more names: no such CA", 5000-mostClaimed)) {
		t.Errorf("%d rows: %.300q", len(got), got)
	}
	for _, g := range v.Guests {
		if len(g.Name) > mostOfName+30 {
			t.Errorf("a name of %d bytes is kept", len(g.Name))
		}
	}
	for i := range 2000 {
		r.See(call(fmt.Sprintf("10.1.%d.%d", i/250, i%250), "CN=bad", rejected), 0)
	}
	v = r.View()
	if len(v.Guests) != mostGuests || v.Left != 2000+mostClaimed+2-mostGuests {
		t.Errorf("%d rows, %d left out", len(v.Guests), v.Left)
	}
	if last := v.Guests[len(v.Guests)-1]; last.Name != "CN=client" {
		t.Errorf("the last is %s, want who is in", last.Line())
	}
}

// fills is the body of a report that comes when the room is full of others.
type fills struct {
	*Room
	io.Reader
}

func (f fills) Read(p []byte) (int, error) {
	for i := range mostGuests {
		f.See(call("10.0.0.2", fmt.Sprintf("CN=%d", i), accepted), 0)
	}
	return f.Reader.Read(p)
}

// Whoever is left out while a report is on its way is in again by it.
func TestLeftOutWhileReporting(t *testing.T) {
	var r Room
	id := lab.Identity{Authority: strings.Repeat("cd", 32), Subject: "late"}
	if status, err := r.take(id, "CN=late", fills{&r, strings.NewReader(`{"exercise": "a"}`)}); err != nil {
		t.Fatalf("%d %v", status, err)
	}
	if got := lines(r.View()); !slices.Contains(got, "0 in CN=late; a, 0 hints, 0 solved in all") {
		t.Errorf("%d rows, without it: %.300q", len(got), got)
	}
}
