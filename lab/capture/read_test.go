package capture_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/wiretap"
)

// eventLog is a sink that writes down the events of each connection, those of Data joined.
type eventLog struct{ lines []string }

func (l *eventLog) Open(e wiretap.Event) wiretap.Handler {
	l.add(e, fmt.Sprintf("open %v %v", e.Client, e.Server))
	return func(e wiretap.Event) {
		switch e.Kind {
		case wiretap.Gap:
			l.add(e, fmt.Sprintf("%v gap %d", e.From, e.Missing))
		case wiretap.Verdict:
			l.add(e, fmt.Sprintf("says %s", e.Data))
		case wiretap.Data:
			l.add(e, fmt.Sprintf("%v %s", e.From, e.Data))
		default:
			l.add(e, fmt.Sprintf("%v %v", e.From, e.Kind))
		}
	}
}

func (l *eventLog) add(e wiretap.Event, text string) {
	l.lines = append(l.lines, fmt.Sprintf("%d: %s", e.Exchange, text))
}

// readBack reads a file and returns its events.
func readBack(t testing.TB, file []byte) []string {
	t.Helper()
	var l eventLog
	if err := capture.Read(bytes.NewReader(file), capture.ReadOptions{Sink: &l}); err != nil {
		t.Fatal(err)
	}
	return l.lines
}

// equal compares events.
func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("events are\n%s\nwant\n%s", g, w)
	}
}

func TestReadBack(t *testing.T) {
	w, m := newWriter(t, capture.Options{})
	s := play(w)
	s.client("question")
	s.server("answer")
	s.client("more")
	s.event(wiretap.Verdict, wiretap.Server, "accepted")
	s.event(wiretap.HalfClose, wiretap.Client, "")
	s.close()
	s = play(w)
	s.secret("CLIENT_RANDOM")
	s.client("question")
	s.event(wiretap.Reset, wiretap.Client, "")
	s.close()
	w.Close()
	open := fmt.Sprintf("open %v %v", clientAddr, serverAddr)
	equal(t, readBack(t, m.Bytes()),
		"0: "+open, "0: says exchange 3", "0: client question", "0: server answer", "0: client more",
		"0: client half-close", "0: says accepted", "0: server close",
		"1: "+open, "1: says exchange 3", "1: client question", "1: client reset", "1: server close")
}
