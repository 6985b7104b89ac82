package tlsdecrypt

import (
	"testing"

	"mtlslab.example/lab/lab/wiretap"
)

// TestCutOff: a connection that its reader lets go is done with at once, as far
// as it was seen.
func TestCutOff(t *testing.T) {
	r := flows(t)["TLS 1.3"].change(func(e wiretap.Event) []wiretap.Event {
		if e.Kind == wiretap.Close {
			e.Kind = wiretap.CutOff
		}
		return []wiretap.Event{e}
	})
	var done []*Connection
	d := New(Options{Done: func(c *Connection) { done = append(done, c) }})
	r.replay(d)
	if len(done) != 1 || len(d.flows) != 0 {
		t.Fatalf("%d connections are done, and %d are still followed", len(done), len(d.flows))
	}
	if done[0].End != CutOff && done[0].End != Closed || len(done[0].Messages) < 10 {
		t.Errorf("it ends as %v, with %d messages", done[0].End, len(done[0].Messages))
	}
	d.Close()
	if len(done) != 1 {
		t.Errorf("it is done %d times", len(done))
	}
}
