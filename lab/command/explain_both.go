package command

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/vantage"
	"mtlslab.example/lab/lab/wiretap"
)

// explainBoth explains two captures of the same connections: the first one was
// recorded at the client, the second one at the server.
func (p *Program) explainBoth(c *cli.Context, o explainOptions) error {
	files := c.Args().Slice()
	// The keys in one file open what is in the other: all are read first.
	var readings []*reading
	for _, name := range files {
		file, err := openRereadable(c, name)
		if err != nil {
			return unlessEnded(c, err)
		}
		defer file.close()
		if _, err := addSummary(c, o, file, nil); err != nil {
			return err
		}
		readings = append(readings, &reading{Program: p, from: file, file: file.name})
	}
	for _, r := range readings {
		if err := r.keys(c, o.secrets); err != nil {
			return err
		}
	}
	var failed error
	for _, r := range readings {
		err := r.connections(c, o)
		if c.Context.Err() != nil {
			return nil
		}
		failed = cmp.Or(failed, err)
	}
	for _, r := range readings {
		if r.capture.First.IsZero() && failed == nil {
			return &nothingError{file: r.file, stream: -1, empty: true}
		}
	}
	if !slices.ContainsFunc(readings, (*reading).hasAny) {
		return cmp.Or(failed, error(&nothingError{file: "either file", stream: -1}))
	}
	if isSameFile(files[0], files[1]) {
		p.say("both captures are the same file: nothing can be found between the two ends of a connection")
	}
	printer := p.newBothPrinter(c, vantage.Join(readings[0].capture, readings[1].capture), files[0])
	printer.asked = o.wanted
	lessons := &scenarioTrusts{folder: folderOf(c), given: o.trusts}
	for _, r := range readings {
		trust := r.trust(c, o.trusts)
		printer.judge(r, func(c *tlsdecrypt.Connection) *chain.Trust { return cmp.Or(lessons.trust(c), trust()) })
	}
	err := printer.print()
	if len(o.rsaKeys) > 0 {
		p.say("%v", printer.uses)
	}
	return cmp.Or(failed, err)
}

// reading is one of several captures as it is read.
type reading struct {
	*Program
	from    *rereadable
	file    string
	capture vantage.Capture
	randoms map[string]bool // whose keys are in the file

	mu sync.Mutex
}

// trust returns the CAs under which the chains of a capture are checked: those
// of its folder, or none.
func (r *reading) trust(c *cli.Context, by trusts) func() *chain.Trust {
	return sync.OnceValue(func() *chain.Trust {
		trust, err := trustOf(folderOf(c).certsOf(r.file), by)
		if err != nil {
			return nil
		}
		return trust
	})
}

// hasAny reports whether there is a connection in the file, or a failed attempt
// at one.
func (r *reading) hasAny() bool {
	return len(r.capture.Connections)+len(r.capture.Attempts) > 0
}

// isSameFile reports whether two paths lead to one file.
func isSameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// read reads the file.
func (r *reading) read(c *cli.Context, o capture.ReadOptions) error {
	in, err := r.from.open()
	if err != nil {
		return err
	}
	defer in.Close()
	size := r.from.size
	bar := newProgress(r.Stderr, "MB of "+filepath.Base(r.file))
	defer bar.stop()
	if say := o.Notice; say != nil {
		o.Notice = func(notice string) { bar.stop(); say(notice) }
	}
	o.Progress = func(n int64) { bar.update(int(n/1e6), int(max(size, n)/1e6)) }
	read := make(chan error, 1)
	go func() { read <- capture.Read(in, o) }()
	select {
	case err = <-read:
	case <-c.Context.Done():
		return nil
	}
	if err != nil {
		return &captureError{r.file, err}
	}
	return nil
}

// keys reads the secrets in the file. What is damaged is said when the
// connections are read.
func (r *reading) keys(c *cli.Context, secrets *keylog.Store) error {
	r.randoms = make(map[string]bool)
	err := r.read(c, capture.ReadOptions{Secrets: func(lines []byte) {
		for line := range bytes.Lines(lines) {
			if entry, err := keylog.ParseLine(bytes.TrimRight(line, "\r\n")); err == nil {
				secrets.Add(entry)
				r.randoms[string(entry.ClientRandom)] = true
			}
		}
	}})
	if _, damaged := err.(*captureError); damaged {
		return nil
	}
	return err
}

// connections reads the connections of the file.
func (r *reading) connections(c *cli.Context, o explainOptions) error {
	r.capture = vantage.Capture{Name: r.file, HasKeys: func(random []byte) bool { return r.randoms[string(random)] }}
	dissector := o.dissector(func(c *tlsdecrypt.Connection) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.capture.Connections = append(r.capture.Connections, c)
		r.capture.Own = r.capture.Own || slices.ContainsFunc(c.Comments, isExchange)
	})
	spread := wiretap.NewParallel(dissector, runtime.GOMAXPROCS(0))
	var unread []string
	err := r.read(c, capture.ReadOptions{
		Sink:    o.wanted.Watch(spread),
		Attempt: func(a capture.Attempt) { r.capture.Attempts = append(r.capture.Attempts, a) },
		Period:  func(first, last time.Time) { r.capture.First, r.capture.Last = first, last },
		Notice:  func(notice string) { r.say("%s: %s", r.file, notice) },
		Unread:  func(u capture.Unread) { unread = append(unread, u.String()) },
	})
	if c.Context.Err() != nil {
		return nil // the file is still being read
	}
	spread.Close()
	dissector.Close()
	if len(unread) > 0 {
		r.say("%s: passed over: %s", r.file, strings.Join(unread, ", "))
	}
	slices.SortFunc(r.capture.Connections, func(a, b *tlsdecrypt.Connection) int { return cmp.Compare(a.Number, b.Number) })
	return err
}

// isExchange reports whether a comment of a packet is the lab's.
func isExchange(comment string) bool {
	_, ok := capture.ParseExchange(comment)
	return ok
}

// ends yields the ends of a pair that there are, the client's first.
func ends(p *vantage.Pair) (sides []endpoint.Side) {
	for side, c := range p.Ends.All() {
		if *c != nil {
			sides = append(sides, side)
		}
	}
	return sides
}
