package command

import (
	"bytes"
	"cmp"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/vantage"
	"mtlslab.example/lab/lab/wiretap"
)

// explainBoth explains two captures of the same connections: the first one was
// recorded at the client, the second one at the server.
func (p *Program) explainBoth(c *cli.Context, o tlsdecrypt.Options, by trusts) error {
	files := c.Args().Slice()
	if slices.Contains(files, "-") {
		return &usageError{command: commandName(c), problem: "of two captures none can be stdin: they are read twice",
			hint: "cat >server.pcapng, then lab explain client.pcapng server.pcapng"}
	}
	// The keys in one file open what is in the other: all are read first.
	readings := []*reading{{Program: p, file: files[0]}, {Program: p, file: files[1]}}
	for _, r := range readings {
		if err := r.keys(c, o.Secrets); err != nil {
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
	if len(readings[0].capture.Connections)+len(readings[1].capture.Connections) == 0 {
		return cmp.Or(failed, error(&nothingError{file: files[0] + " and " + files[1], stream: -1}))
	}
	report := vantage.Join(readings[0].capture, readings[1].capture)
	trust, err := trustOf(folderOf(c).certsOf(files[0]), by)
	if err != nil {
		trust = nil
	}
	printer := p.newBothPrinter(c, report, trust, files[0])
	return cmp.Or(failed, printer.print())
}

// reading is one of several captures as it is read.
type reading struct {
	*Program
	file    string
	capture vantage.Capture
	randoms map[string]bool // whose keys are in the file

	mu sync.Mutex
}

// read reads the file.
func (r *reading) read(c *cli.Context, o capture.ReadOptions) error {
	in, size, err := openCaptured(r.file)
	if err != nil {
		return err
	}
	defer in.Close()
	bar := newProgress(r.Stderr, "MB of "+filepath.Base(r.file))
	defer bar.stop()
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
	err := r.read(c, capture.ReadOptions{Sink: deaf{}, Secrets: func(lines []byte) {
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

// deaf is a sink that wants no connections.
type deaf struct{}

func (deaf) Open(wiretap.Event) wiretap.Handler { return func(wiretap.Event) {} }

// connections reads the connections of the file.
func (r *reading) connections(c *cli.Context, o tlsdecrypt.Options) error {
	r.capture = vantage.Capture{Name: r.file, HasKeys: func(random []byte) bool { return r.randoms[string(random)] }}
	o.Done = func(c *tlsdecrypt.Connection) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.capture.Connections = append(r.capture.Connections, c)
		r.capture.Own = r.capture.Own || slices.ContainsFunc(c.Comments, isExchange)
	}
	dissector := tlsdecrypt.New(o)
	spread := wiretap.NewParallel(dissector, runtime.GOMAXPROCS(0))
	err := r.read(c, capture.ReadOptions{
		Sink:    spread,
		Attempt: func(a capture.Attempt) { r.capture.Attempts = append(r.capture.Attempts, a) },
		Period:  func(first, last time.Time) { r.capture.First, r.capture.Last = first, last },
		Notice:  func(notice string) { r.say("%s: %s", r.file, notice) },
		Unread:  func(u capture.Unread) { r.say("%s: passed over: %s", r.file, u.String()) },
	})
	if c.Context.Err() != nil {
		return nil // the file is still being read
	}
	spread.Close()
	dissector.Close()
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
