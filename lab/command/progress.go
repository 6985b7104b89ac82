package command

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"mtlslab.example/lab/lab/text"
)

// progressDelay is how long work takes before its progress is shown.
const progressDelay = time.Second

// progress is a bar that appears on a terminal when the work takes a while.
type progress struct {
	mu          sync.Mutex
	w           io.Writer
	what        string
	timer       *time.Timer // nil: there is no bar, or not any more
	due         bool        // the work has taken a while
	columns     int         // that the bar has on the terminal
	done, total int
}

func newProgress(w io.Writer, what string) *progress {
	const most = 24 // columns beside the bar
	p := &progress{w: w, what: text.Unicode.Cut(text.Clean(what), most)}
	if !isTerminal(w) {
		return p
	}
	p.timer = time.AfterFunc(progressDelay, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.due = p.timer != nil // else it was stopped while the timer fired
		p.draw()
	})
	return p
}

// update says how many of how many are done.
func (p *progress) update(done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.percent()
	p.done, p.total = done, total
	if p.percent() != before || p.columns == 0 { // a slow terminal is to hold up nothing
		p.draw()
	}
}

func (p *progress) percent() int { return 100 * min(p.done, p.total) / max(p.total, 1) }

func (p *progress) draw() {
	if !p.due {
		return
	}
	const width = 12
	bar := fmt.Sprintf("%s [%-*s] (%d/%d)", p.what, width, strings.Repeat("#", width*p.percent()/100), p.done, p.total)
	longer := max(p.columns-text.Width(bar), 0) // by what the one before was
	p.columns = text.Width(bar) + longer
	_, _ = io.WriteString(p.w, "\r"+bar+strings.Repeat(" ", longer))
}

// clear leaves an empty line, with the cursor at its start.
func (p *progress) clear() {
	if p.columns > 0 {
		_, _ = io.WriteString(p.w, "\r"+strings.Repeat(" ", p.columns)+"\r")
		p.columns = 0
	}
}

// above returns a writer to w that takes the bar away for each write: w may be
// the same terminal. The next update brings the bar back.
func (p *progress) above(w io.Writer) io.Writer { return aboveBar{p, w} }

type aboveBar struct {
	p *progress
	w io.Writer
}

func (a aboveBar) Write(b []byte) (int, error) {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	a.p.clear()
	return a.w.Write(b)
}

// stop takes the bar away.
func (p *progress) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer == nil {
		return
	}
	p.timer.Stop()
	p.timer, p.due = nil, false
	p.clear()
}
