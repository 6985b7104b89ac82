package command

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/verdict"
)

// caller is an exchange of a client.
func caller(address, certificate string, v verdict.Verdict) *lab.Exchange {
	return &lab.Exchange{Time: time.Now(), ClientAddr: address + ":1000", Verdict: v, Client: lab.Party{Certificate: certificate}}
}

// upwards is what a room writes to draw over what it has drawn.
var upwards = regexp.MustCompile(`\x1b\[(\d+)A\x1b\[J`)

// screen returns the lines of a terminal that was given output.
func screen(t *testing.T, output string) (lines []string) {
	t.Helper()
	for output != "" {
		at := upwards.FindStringSubmatchIndex(output)
		text := output
		if at != nil {
			text = output[:at[0]]
		}
		if text != "" {
			lines = append(lines, strings.Split(strings.TrimSuffix(text, "\n"), "\n")...)
		}
		if at == nil {
			break
		}
		up, _ := strconv.Atoi(output[at[2]:at[3]])
		if up > len(lines) {
			t.Fatalf("%d lines up of %d", up, len(lines))
		}
		lines, output = lines[:len(lines)-up], output[at[1]:]
	}
	return lines
}

// openRoom returns a room on a terminal of that height, and what it writes.
func openRoom(t *testing.T, height int) (*room, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	p := &Program{Stdout: &out, Stderr: &bytes.Buffer{}, Columns: 80}
	_, done := p.open(t.Context())
	t.Cleanup(done)
	r := p.newRoom()
	r.height = func() int { return height }
	return r, &out
}

// The state of a guest says which side ended the exchange, and how.
func TestRoomStates(t *testing.T) {
	r, _ := openRoom(t, 24)
	for _, x := range []*lab.Exchange{
		caller("10.0.0.1", "CN=client", verdict.Verdict{Outcome: verdict.Accepted}),
		caller("10.0.0.2", "CN=bad", verdict.Verdict{Outcome: verdict.Rejected, RejectedBy: endpoint.Server, Reason: "no", Code: "unknown_ca"}),
		caller("10.0.0.3", "", verdict.Verdict{Outcome: verdict.Rejected, RejectedBy: endpoint.Client, Reason: "no", Code: "wrong_name"}),
		caller("10.0.0.4", "", verdict.Verdict{Outcome: verdict.Rejected, RejectedBy: endpoint.Client, How: verdict.Aborted, Code: "closed"}),
		caller("10.0.0.5", "CN=late", verdict.Verdict{Outcome: verdict.Broken, Code: "closed"}),
		caller("10.0.0.6", "CN=blocked", verdict.Verdict{Outcome: verdict.Accepted, How: verdict.InHTTP, Code: "not_authorised"}),
		caller("10.0.0.7", "", verdict.Verdict{Outcome: verdict.Accepted}),
	} {
		r.see(x)
	}
	r.end()
	got := string(r.table(0))
	for _, want := range []string{
		"1 in, 2 refused, 1 refuses the server, 2 cut off, 1 anonymous",
		"10.0.0.2, as CN=bad refused 1 unknown_ca", "10.0.0.6, as CN=blocked refused 1 not_authorised",
		"10.0.0.3 refuses 1 wrong_name", "10.0.0.4 cut off 1 closed", "10.0.0.5, as CN=late cut off 1 closed",
		"10.0.0.7, without a certificate anonymous 1 not asked", "CN=client in 1",
	} {
		flat := regexp.MustCompile(` +`).ReplaceAllString(regexp.MustCompile(`\d\d:\d\d:\d\d`).ReplaceAllString(got, ""), " ")
		if !strings.Contains(flat, want) {
			t.Errorf("not there: %s", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

// On a terminal the table is drawn in place, no higher than the terminal; at
// the end it is there whole.
func TestRoomOnTerminal(t *testing.T) {
	const height, extra = 12, 5
	r, out := openRoom(t, height)
	see := func(i int) {
		r.see(caller(fmt.Sprintf("10.0.%d.%d", i/250, i%250), "CN=bad", verdict.Verdict{Outcome: verdict.Rejected, RejectedBy: endpoint.Server, Code: "unknown_ca"}))
	}
	see(0)
	if got := screen(t, out.String()); len(got) != 3 || got[0] != "0 in, 1 refused" {
		t.Errorf("the first is drawn at once: %q", got)
	}
	for i := 1; i < maxGuests+extra; i++ {
		r.mu.Lock()
		r.drawn = time.Time{} // as if there were time between them
		if r.later != nil {
			t.Fatal("it waits")
		}
		r.mu.Unlock()
		see(i)
	}
	got := screen(t, out.String())
	if len(got) > height-1 || got[0] != fmt.Sprintf("0 in, %d refused", maxGuests) {
		t.Errorf("%d lines: %q", len(got), got)
	}
	shown := len(got) - 3 // without the summary, the heads of columns and this:
	if last := got[len(got)-1]; last != fmt.Sprintf("and %d more", maxGuests+extra-shown) {
		t.Errorf("%d shown, %s", shown, last)
	}
	r.end()
	got = screen(t, out.String())
	if want := maxGuests + 3; len(got) != want || got[len(got)-1] != fmt.Sprintf("and %d more", extra) {
		t.Errorf("%d lines in the end, not %d; the last is %s", len(got), want, got[len(got)-1])
	}
}

// What changes soon after a draw is drawn once, a little later.
func TestRoomDrawsLater(t *testing.T) {
	r, out := openRoom(t, 24)
	r.drawn = time.Now().Add(time.Hour) // far from over
	for i := range 3 {
		r.see(caller("10.0.0.1", fmt.Sprintf("CN=client-%d", i), verdict.Verdict{Outcome: verdict.Accepted}))
	}
	if out.Len() > 0 || r.later == nil {
		t.Errorf("drawn: %s", out)
	}
	r.end()
	if got := screen(t, out.String()); len(got) != 5 || got[0] != "3 in, 0 refused" {
		t.Errorf("%q", got)
	}
}

// BenchmarkRoomFull draws a room of as many guests as it can have.
func BenchmarkRoomFull(b *testing.B) {
	p := &Program{Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}, Columns: 80}
	_, done := p.open(b.Context())
	defer done()
	r := p.newRoom()
	for i := range maxGuests {
		name := fmt.Sprintf("10.0.0.1, as CN=client-%d", i)
		r.guests[name] = &guest{name: name, state: refused, calls: 1}
	}
	for b.Loop() {
		r.table(20)
	}
}
