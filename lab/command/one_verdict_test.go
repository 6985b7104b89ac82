package command_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mtlslab.example/lab/lab/command"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/verdict"
)

// TestOneVerdict: what the sides of a scenario say, what the wire of the same
// exchange shows, and what lab explain makes of the capture are one verdict:
// outcome, rejecter, alert and code. Where the wire alone cannot know the code,
// it is among the causes.
func TestOneVerdict(t *testing.T) {
	all, err := scenario.All()
	check(t, err)
	manifest, err := os.ReadFile(filepath.Join("..", "..", "certs.yaml"))
	check(t, err)
	o := scenario.Options{Manifest: manifest, Dir: t.TempDir()}
	runs := make([][]*scenario.Result, len(all))
	t.Run("run", func(t *testing.T) {
		for i, s := range all {
			t.Run(s.Name, func(t *testing.T) {
				t.Parallel()
				for _, version := range s.Versions() {
					r, err := s.Run(t.Context(), version, o)
					check(t, err)
					runs[i] = append(runs[i], r)
				}
			})
		}
	})
	for _, r := range slices.Concat(runs...) { // one after the other: the command line's flags are shared
		where := r.Scenario.Name + ", " + tls.VersionName(r.Version)
		for _, wrong := range r.Wrong {
			t.Errorf("%s: %s", where, wrong)
		}
		live := r.Exchange.Verdict
		if r.Exchange.Wire == nil {
			t.Errorf("%s: nothing was dissected", where)
			continue
		}
		compareVerdicts(t, where+", wire", live, verdict.Judge(nil, nil, 0, r.Exchange.Wire))
		explained := explained1(t, r.Capture, o.Dir)
		compareVerdicts(t, where+", lab explain", live, explained)
		compareCodes(t, where+", lab explain", live, explained)
	}
}

// explained1 is the verdict of lab explain on the last connection of a capture.
func explained1(t *testing.T, capture, dir string) verdict.Verdict {
	t.Helper()
	var v struct {
		verdict.Verdict
		Offers json.RawMessage `json:"offers"` // by names
	}
	var out, errs bytes.Buffer
	p := command.Program{Stdout: &out, Stderr: &errs}
	if status := p.Run(t.Context(), []string{"lab", "explain", "--json", "--dir", dir, capture}); status != 0 {
		t.Fatalf("%s: exit status %d: %s", capture, status, &errs)
	}
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	check(t, json.Unmarshal(lines[len(lines)-1], &v))
	return v.Verdict
}

func compareVerdicts(t *testing.T, where string, live, wire verdict.Verdict) {
	t.Helper()
	if live.Outcome != wire.Outcome || live.RejectedBy != wire.RejectedBy || live.How != wire.How {
		t.Errorf("%s: %s by %v, %q; the sides say %s by %v, %q (%s; %s)", where, wire.Outcome, wire.RejectedBy, wire.How, live.Outcome, live.RejectedBy, live.How, wire.Reason, live.Reason)
	}
	switch {
	case (live.Alert == nil) != (wire.Alert == nil):
		t.Errorf("%s: alert %+v, the sides say %+v", where, wire.Alert, live.Alert)
	case live.Alert != nil && (live.Alert.Code != wire.Alert.Code || live.Alert.SentBy != wire.Alert.SentBy):
		t.Errorf("%s: alert %+v, the sides say %+v", where, wire.Alert, live.Alert)
	}
}

func compareCodes(t *testing.T, where string, live, wire verdict.Verdict) {
	t.Helper()
	if live.Code == wire.Code || slices.ContainsFunc(wire.Causes, func(c verdict.Cause) bool { return c.Code == live.Code }) {
		return
	}
	t.Errorf("%s: code %q (%s), the sides say %q", where, wire.Code, wire.Reason, live.Code)
}
