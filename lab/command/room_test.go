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
	"mtlslab.example/lab/lab/room"
	"mtlslab.example/lab/lab/verdict"
)

// caller is an exchange of a client, which has proven to have the certificate if
// it was accepted.
func caller(address, certificate string, v verdict.Verdict) *lab.Exchange {
	x := &lab.Exchange{Time: time.Now(), ClientAddr: address + ":1000", Verdict: v, Client: lab.Party{Certificate: certificate}}
	if v.Outcome == verdict.Accepted {
		x.Client.Identity = lab.Identity{Authority: strings.Repeat("ab", 32), Subject: certificate}
	}
	return x
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
func openRoom(t testing.TB, height int) (*roomView, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	p := &Program{Stdout: &out, Stderr: &bytes.Buffer{}, Columns: 80}
	_, done := p.open(t.Context())
	t.Cleanup(done)
	v := newRoomView()
	v.showOn(p)
	v.height = func() int { return height }
	return v, &out
}

// Why somebody is not in stands below the row, in words, and all fits in 80
// columns; reports of exercises have columns of their own.
func TestRoomTable(t *testing.T) {
	v, _ := openRoom(t, 24)
	reason := "the client's certificate is not of a CA that the server trusts: it was issued by CN=client-ca, whose key's SHA-256 begins with 01234567, and that of the server with 89abcdef"
	v.See(caller("10.0.0.2", "CN=bad", verdict.Verdict{Outcome: verdict.Rejected, RejectedBy: endpoint.Server, Reason: reason, Code: "look_alike_ca"}), 0)
	v.See(caller("10.0.0.1", "CN=client", verdict.Verdict{Outcome: verdict.Accepted}), 0)
	plain := string(v.table(v.View(), 0))
	if want := regexp.MustCompile(`^1 in, 1 refused
WHO +STATE +CALLS +LAST SEEN
10.0.0.2, as CN=bad +refused +1 +\d\d:\d\d:\d\d
  the client's certificate is not of a CA that the server trusts: it was issued
  by CN=client-ca, .*
  .*
CN=client +in +1 +\d\d:\d\d:\d\d
$`); !want.MatchString(plain) {
		t.Errorf("the table is\n%s", plain)
	}
	if strings.Contains(plain, "EXERCISE") {
		t.Errorf("nobody tells of an exercise:\n%s", plain)
	}
	now := v.View()
	now.Guests[1].Report = &room.Report{Exercise: "what-the-listener-reads", Solved: true, Hints: 2, Total: 13}
	told := string(v.table(now, 0))
	if !regexp.MustCompile(`(?m)^CN=client +in +1 +\S+ +what-the- +2 +13\n +listener-reads\n +solved$`).MatchString(told) {
		t.Errorf("the exercise is not told:\n%s", told)
	}
	for line := range strings.Lines(plain + told) {
		if len(line) > 81 {
			t.Errorf("too wide: %s", line)
		}
	}
}

// On a terminal the table is drawn in place, no higher than the terminal; at
// the end it is there whole.
func TestRoomOnTerminal(t *testing.T) {
	const height, guests = 12, 50
	v, out := openRoom(t, height)
	see := func(i int) {
		v.See(caller(fmt.Sprintf("10.0.0.%d", i), "CN=bad", verdict.Verdict{Outcome: verdict.Rejected, RejectedBy: endpoint.Server, Reason: "no such CA"}), 0)
	}
	see(0)
	if got := screen(t, out.String()); len(got) != 4 || got[0] != "0 in, 1 refused" || got[3] != "  no such CA" {
		t.Errorf("the first is drawn at once: %q", got)
	}
	for i := 1; i < guests; i++ {
		v.drawing.Lock()
		v.drawn = time.Time{} // as if there were time between them
		if v.later != nil {
			t.Fatal("it waits")
		}
		v.drawing.Unlock()
		see(i)
	}
	got := screen(t, out.String())
	if len(got) > height-1 || got[0] != fmt.Sprintf("0 in, %d refused", guests) {
		t.Errorf("%d lines: %q", len(got), got)
	}
	shown := (len(got) - 3) / 2 // without the summary, the heads of columns and this:
	if last := got[len(got)-1]; last != fmt.Sprintf("and %d more", guests-shown) {
		t.Errorf("%d shown, %s", shown, last)
	}
	v.end()
	if got = screen(t, out.String()); len(got) != 2*guests+2 {
		t.Errorf("%d lines in the end", len(got))
	}
}

// What changes soon after a draw is drawn once, a little later.
func TestRoomDrawsLater(t *testing.T) {
	v, out := openRoom(t, 24)
	v.drawn = time.Now().Add(time.Hour) // far from over
	for i := range 3 {
		v.See(caller("10.0.0.1", fmt.Sprintf("CN=client-%d", i), verdict.Verdict{Outcome: verdict.Accepted}), 0)
	}
	if out.Len() > 0 || v.later == nil {
		t.Errorf("drawn: %s", out)
	}
	v.end()
	if got := screen(t, out.String()); len(got) != 5 || got[0] != "3 in, 0 refused" {
		t.Errorf("%q", got)
	}
}

// BenchmarkRoomFull draws a room of as many guests as it can have.
func BenchmarkRoomFull(b *testing.B) {
	v, _ := openRoom(b, 0)
	for i := range 1000 {
		v.See(caller(fmt.Sprintf("10.0.%d.%d", i/250, i%250), "CN=bad", verdict.Verdict{Outcome: verdict.Rejected, RejectedBy: endpoint.Server, Reason: "no such CA"}), 0)
	}
	for b.Loop() {
		v.table(v.View(), 20)
	}
}
