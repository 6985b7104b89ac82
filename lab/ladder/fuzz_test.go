package ladder

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

// FuzzDraw judges and draws changed connections: none makes a panic, each has
// one of the outcomes, and what is drawn cannot harm a terminal. Its input is a
// script of events as in lab/tlsdecrypt/testdata/flows, the milliseconds
// between two of them, and which of the first 64 are left out. To run it:
//
//	go test -run '^$' -fuzz FuzzDraw -fuzztime 1m ./lab/ladder
func FuzzDraw(f *testing.F) {
	files, err := filepath.Glob("../tlsdecrypt/testdata/flows/*")
	if err != nil || len(files) == 0 {
		f.Fatal(err, files)
	}
	for _, file := range files {
		script, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, step := range []uint16{1, 700} {
			for _, gone := range []uint64{0, 0xff << 6, 0xf0f0f0f0f0} {
				f.Add(script, step, gone)
			}
		}
	}
	shared := trust(f)
	f.Fuzz(func(t *testing.T, script []byte, step uint16, gone uint64) {
		c := dissectScript(script, time.Duration(step)*time.Millisecond, gone)
		v := verdict.Of(c, func() *chain.Trust { return shared })
		checkVerdict(t, v)
		checkVerdict(t, verdict.Judge(nil, nil, 200, c))
		if _, err := json.Marshal(verdict.Account{Connection: c, Verdict: &v}); err != nil {
			t.Fatal(err)
		}
		c.Check(shared)
		for _, o := range []Options{{}, {ASCII: true, Verbose: true, Below: true}} {
			var out strings.Builder
			_ = Draw(&out, c, &v, o)
			for line := range strings.Lines(out.String()) {
				if line = strings.TrimSuffix(line, "\n"); !text.IsClean(line) || text.Width(line) > text.Usual {
					t.Fatalf("%q", line)
				}
			}
		}
		if line := Line(c, &v, Options{}); !text.IsClean(strings.TrimSpace(line)) {
			t.Fatalf("%q", line)
		}
	})
}

func checkVerdict(t *testing.T, v verdict.Verdict) {
	t.Helper()
	outcomes := []verdict.Outcome{verdict.Accepted, verdict.Rejected, verdict.Broken, verdict.Open, verdict.Unknown}
	switch {
	case !slices.Contains(outcomes, v.Outcome):
		t.Fatalf("outcome %q", v.Outcome)
	case (v.Outcome == verdict.Rejected) != (v.RejectedBy != endpoint.Unknown):
		t.Fatalf("%s, by %v", v.Outcome, v.RejectedBy)
	case v.Code != "" && (v.Reason == "" || v.Fix == ""), v.Outcome == verdict.Rejected && v.Code == "":
		t.Fatalf("%s, code %q, reason %q, fix %q", v.Outcome, v.Code, v.Reason, v.Fix)
	case v.How == verdict.Probably && v.Alert != nil:
		t.Fatalf("very probably, yet %s was seen", v.Alert.Name)
	}
}

// dissectScript plays the events of a script: for each 1 byte of kind and side,
// 2 of length, then the data.
func dissectScript(script []byte, step time.Duration, gone uint64) (c *tlsdecrypt.Connection) {
	d := tlsdecrypt.New(tlsdecrypt.Options{Done: func(done *tlsdecrypt.Connection) { c = done }})
	at := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	handle := d.Open(wiretap.Event{Kind: wiretap.Open, Exchange: 1, Time: at})
	for i := 0; len(script) >= 3; i++ {
		n := min(int(binary.BigEndian.Uint16(script[1:])), len(script)-3)
		e := wiretap.Event{Kind: wiretap.Kind(script[0] >> 1), Exchange: 1, From: endpoint.Client + endpoint.Side(script[0]&1),
			Data: script[3 : 3+n], Missing: int64(n) - 1}
		script = script[3+n:]
		if i < 64 && gone>>i&1 != 0 {
			continue
		}
		at = at.Add(step)
		e.Time = at
		handle(e)
	}
	d.Close()
	return c
}
