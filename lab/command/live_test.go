package command

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
)

// What is not shown because results were read too slowly is counted, in text
// and in JSON.
func TestLeftOutIsCounted(t *testing.T) {
	x := lab.Exchange{Number: 7, Verdict: verdict.Verdict{Outcome: verdict.Accepted}, WireLeftOut: true, NotShown: &lab.Counts{Accepted: 2, Rejected: 2, Refused: 1}}
	for _, test := range []struct {
		json, verbose bool
		want          []string
		never         string
	}{
		{false, false, []string{"and 5 more exchanges, not shown: 2 accepted, 2 rejected, 1 refused"}, "not drawn"},
		{false, true, []string{"and 5 more exchanges, not shown: 2 accepted, 2 rejected, 1 refused", "not drawn: results were read too slowly"}, "\x00"},
		{true, false, []string{`"not_shown":{"accepted":2,"rejected":2,"refused":1}`}, "left_out"},
		{true, true, []string{`"not_shown":{"accepted":2,"rejected":2,"refused":1}`, `"wire_left_out":true`}, "\x00"},
	} {
		var out bytes.Buffer
		p := &Program{Stdout: &out, Stderr: &out}
		_, end := p.open(t.Context())
		r := report{Program: p, json: test.json, options: ladder.Options{Verbose: test.verbose}}
		r.exchange(&x)
		end()
		for _, want := range test.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%+v: there is no %s in\n%s", test, want, out.String())
			}
		}
		if strings.Contains(out.String(), test.never) {
			t.Errorf("%+v:\n%s", test, out.String())
		}
		if test.json && !json.Valid(out.Bytes()) {
			t.Errorf("no JSON: %s", out.String())
		}
	}
	var a labRun
	a.count(&x)
	if a.counts.accepted.Load() != 3 || a.counts.rejected.Load() != 2 || a.failed() == nil || a.counts.notShown.Load() != 5 {
		t.Errorf("%d accepted, %d rejected, %d not shown", a.counts.accepted.Load(), a.counts.rejected.Load(), a.counts.notShown.Load())
	}
}

// reported returns what lab prints of an exchange.
func reported(t *testing.T, x *lab.Exchange, json, brief bool) string {
	t.Helper()
	var out bytes.Buffer
	p := &Program{Stdout: &out, Stderr: &out}
	_, end := p.open(t.Context())
	r := report{Program: p, json: json, brief: brief}
	r.exchange(x)
	end()
	return out.String()
}

// An exchange that was accepted and then broken off is neither accepted nor
// rejected, in every form.
func TestBrokenOff(t *testing.T) {
	x := lab.Exchange{Number: 3, Verdict: verdict.Verdict{Outcome: verdict.Broken, Reason: "a record could not be decrypted",
		Alert: &verdict.Alert{Code: 20, Name: "bad_record_mac", SentBy: endpoint.Server}}}
	for _, test := range []struct {
		json, brief bool
		want        string
	}{
		{false, false, "accepted, then broken off by the server: a record could not be decrypted"},
		{false, true, "broken off by the server, bad_record_mac: a record could not be decrypted"},
		{true, false, `"outcome":"broken"`},
	} {
		out := reported(t, &x, test.json, test.brief)
		if said := strings.Join(strings.Fields(out), " "); !strings.Contains(said, test.want) || strings.Contains(said, "rejected") {
			t.Errorf("%+v: %s", test, out)
		}
	}
}

// A health check or a port scan, which connects and closes, is a line: nobody
// has refused anybody.
func TestHealthCheck(t *testing.T) {
	const reason = "the client closed without a byte, as a health check or a port scan does"
	x := lab.Exchange{Number: 3, Wire: &tlsdecrypt.Connection{}, Verdict: verdict.Verdict{Outcome: verdict.Unknown, How: verdict.NotTLS, Code: verdict.Closed, Reason: reason, Fix: "nothing"}}
	for _, test := range []struct {
		json, brief bool
		want        string
	}{
		{false, false, "   3  " + reason + "\n"},
		{false, true, "   3  " + reason + "\n"},
		{true, false, `"outcome":"unknown","how":"not TLS","reason":"` + reason + `","code":"closed","fix":"nothing"`},
	} {
		said := reported(t, &x, test.json, test.brief)
		if said != test.want && !(test.json && strings.Contains(said, test.want)) {
			t.Errorf("%+v: %s", test, said)
		}
	}
	var out bytes.Buffer
	a := labRun{Program: &Program{Stdout: &out, Stderr: &out}}
	_, end := a.open(t.Context())
	defer end()
	a.count(&x)
	a.sayCounts(t.Context())
	if want := "lab: 1 exchange: 0 accepted, 0 rejected, 1 without a ClientHello\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
