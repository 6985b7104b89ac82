package command

import (
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"mtlslab.example/lab/lab/text"
)

// progressDelay is how long work takes before its progress is shown.
const progressDelay = time.Second

// progress is a bar that appears on a terminal when the work takes a while.
type progress struct {
	mu          sync.Mutex
	timer       *time.Timer
	bar         *progressbar.ProgressBar
	done, total int
}

func newProgress(w io.Writer, what string) *progress {
	const most = 24 // columns beside the bar
	what = text.Unicode.Cut(text.Clean(what), most)
	p := &progress{}
	if !isTerminal(w) {
		return p
	}
	p.timer = time.AfterFunc(progressDelay, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.timer == nil {
			return // stopped while the timer fired
		}
		p.bar = progressbar.NewOptions(max(p.total, 1),
			progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(12),
			progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false)) // of which it has not seen the first part
		_ = p.bar.Set(p.done)
	})
	return p
}

// update says how many of how many are done.
func (p *progress) update(done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := done != p.done || total != p.total
	p.done, p.total = done, total
	if p.bar != nil && changed {
		p.bar.ChangeMax(total)
		_ = p.bar.Set(done)
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
	if a.p.bar != nil {
		_ = a.p.bar.Clear()
	}
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
	p.timer = nil
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}
