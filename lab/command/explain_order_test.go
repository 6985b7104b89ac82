package command

import (
	"bufio"
	"bytes"
	"fmt"
	"testing"
)

// TestOpenedOrder: connections are printed in the order in which they were
// opened, whichever is ready first; one that does not end holds up few.
func TestOpenedOrder(t *testing.T) {
	for name, test := range map[string]struct {
		ends  []int
		ready []int // empty: like ends
		want  string
	}{
		"as they come":        {[]int{1, 2, 3}, nil, "1 2 3 "},
		"the other way":       {[]int{4, 3, 1, 2}, nil, "1 2 3 4 "},
		"one that lasts":      {[]int{1, 3, 4}, nil, "1 3 4 "},
		"the first lasts":     {[]int{4, 2, 3}, nil, "2 3 4 "},
		"ready in any order":  {[]int{2, 1, 3}, []int{3, 2, 1}, "1 2 3 "},
		"one that has no end": {[]int{1, 3}, []int{2, 3, 1}, "1 2 3 "},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			g := &connectionPrinter{list: true, headed: true, stream: -1, turns: turns{asOpened: true, next: 1}, out: bufio.NewWriter(&out), ready: make(map[int]*preparedConnection)}
			for _, stream := range test.ends {
				g.end(stream)
			}
			if test.ready == nil {
				test.ready = test.ends
			}
			for _, stream := range test.ready {
				g.ready[stream] = &preparedConnection{isTLS: true, text: fmt.Appendf(nil, "%d ", stream)}
				g.showReady()
			}
			if err := g.finish(""); err != nil || out.String() != test.want {
				t.Errorf("%q, not %q, %v", out.String(), test.want, err)
			}
		})
	}
	t.Run("many", func(t *testing.T) {
		g := &connectionPrinter{list: true, headed: true, stream: -1, turns: turns{asOpened: true, next: 1}, out: bufio.NewWriter(new(bytes.Buffer)), ready: make(map[int]*preparedConnection)}
		for stream := 2; stream < 10*mostWaiting; stream++ {
			g.end(stream)
			g.ready[stream] = &preparedConnection{text: []byte("x")}
			g.showReady()
			if len(g.ready) > mostWaiting {
				t.Fatalf("%d wait", len(g.ready))
			}
		}
	})
}
