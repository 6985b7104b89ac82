package command

import (
	"bufio"
	"cmp"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/summary"
	"mtlslab.example/lab/lab/wiretap"
)

// explainSet explains several captures of one place as if they were one. With a
// summary, which may be nil, it adds them to that, and summaries among them.
func (p *Program) explainSet(c *cli.Context, o explainOptions, files []string, sum *summary.Summary) error {
	in := &input{also: -1, sum: sum}
	var set []capture.File
	for _, name := range files {
		file, err := openRereadable(c, name)
		if err != nil {
			return unlessEnded(c, err)
		}
		defer file.close()
		isSum, err := addSummary(c, o, file, sum)
		if err != nil {
			return err
		}
		if isSum {
			continue
		}
		in.name = cmp.Or(in.name, name)
		in.also++
		in.size += file.size
		set = append(set, capture.File{Name: file.name, Open: file.open})
	}
	if len(set) == 0 {
		return nil
	}
	in.read = func(from func(string), o capture.ReadOptions) error { return capture.ReadSet(set, from, o) }
	return p.explainInput(c, o, in)
}

// addSummary adds a file to sum, unless that is nil, and reports whether it did:
// the file may be a capture. Anything else is an error.
func addSummary(c *cli.Context, o explainOptions, file *rereadable, sum *summary.Summary) (isSum bool, err error) {
	in, err := file.open()
	if err != nil {
		return false, err
	}
	defer in.Close()
	begins := bufio.NewReader(in)
	switch form := formOf(file.name, begins); {
	case form == formSummary && sum != nil:
		return true, readSummary(c, o, sum, file.name, begins)
	case form != formCapture:
		return false, &notCaptureError{file.name, form}
	}
	return false, nil
}

// areRotated reports whether two captures are one after the other of one place,
// and not of two ends: their names differ in numbers alone, as those of a ring
// buffer do, one begins when the other has ended, and most connections are in one
// of them only. Of two ends whose clocks differ, the last does not hold. It does
// not read from pipes, which can be read but once.
func (p *Program) areRotated(c *cli.Context, files []string) (bool, error) {
	if files[0] == files[1] || withoutDigits(files[0]) != withoutDigits(files[1]) || !isRegular(files[0]) || !isRegular(files[1]) {
		return false, nil
	}
	return unlessInterrupted(c.Context, func() (bool, error) {
		var of [2]extent
		for i, name := range files {
			in, _, err := openCaptured(name)
			if err != nil {
				return false, err
			}
			of[i].read(in)
			in.Close()
		}
		rotated := of[0].isApart(&of[1])
		if rotated {
			p.say("%s and %s are read as one capture: the names differ in numbers alone, and one begins when the other has ended", files[0], files[1])
		}
		return rotated, nil
	})
}

// isRegular reports whether a path leads to a regular file.
func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// extent is what a capture is about: a period, and the client randoms of its
// connections.
type extent struct {
	first, last time.Time // zero: there is no packet
	randoms     map[string]bool
}

// read reads a capture as far as it can be read.
func (e *extent) read(r io.Reader) {
	e.randoms = make(map[string]bool)
	_ = capture.Read(r, capture.ReadOptions{Sink: e, Period: func(first, last time.Time) { e.first, e.last = first, last }})
}

// Open implements wiretap.Sink.
func (e *extent) Open(wiretap.Event) wiretap.Handler {
	const random, end = 11, 43 // in a record with a ClientHello (RFC 9846 section 4.2.2)
	return func(event wiretap.Event) {
		if event.Kind == wiretap.Data && event.From == endpoint.Client && len(event.Data) >= end && event.Data[0] == 22 && event.Data[5] == 1 {
			e.randoms[string(event.Data[random:end])] = true
		}
	}
}

// isApart reports whether one capture begins when the other has ended, and has
// other connections. A ClientHello may come again in the next file of a ring.
func (e *extent) isApart(other *extent) bool {
	if e.first.IsZero() || other.first.IsZero() || e.first.Before(other.last) && other.first.Before(e.last) {
		return false
	}
	common := 0
	for random := range e.randoms {
		if other.randoms[random] {
			common++
		}
	}
	return common == 0 || 2*common < min(len(e.randoms), len(other.randoms))
}

// withoutDigits is the name of a file without the numbers that programs put into
// the names of a ring's files.
func withoutDigits(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, name)
}

// origins says in which file of several a connection began.
type origins struct {
	mu      sync.Mutex
	file    string         // that is being read
	streams map[int]string // nil: they are not wanted
	sink    wiretap.Sink
}

// from says that packets of another file follow.
func (o *origins) from(file string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.file = file
}

// watch returns a sink that passes all on to sink.
func (o *origins) watch(sink wiretap.Sink) wiretap.Sink {
	if o.streams == nil {
		return sink
	}
	o.sink = sink
	return o
}

// Open implements wiretap.Sink.
func (o *origins) Open(e wiretap.Event) wiretap.Handler {
	o.mu.Lock()
	o.streams[e.Exchange] = o.file
	o.mu.Unlock()
	return o.sink.Open(e)
}

// of returns the file in which a connection began, and forgets it; "": that is
// not wanted.
func (o *origins) of(stream int) string {
	if o == nil {
		return ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	file := o.streams[stream]
	delete(o.streams, stream)
	return file
}

// summarise has the connections added to a summary, with the verdicts that they
// have with --list --json.
func (g *connectionPrinter) summarise(sum *summary.Summary, o *origins) {
	g.list, g.json, g.sum, g.origins = true, true, sum, o
	o.streams = make(map[int]string)
}

// explainSummary prints a summary of captures and of other summaries.
func (p *Program) explainSummary(c *cli.Context, o explainOptions, files []string) error {
	for _, other := range []string{"list", "brief", "verbose", "web", "html"} {
		if c.IsSet(other) {
			return &usageError{command: commandName(c), problem: "--summary counts connections, and --" + other + " shows them: leave one of them out"}
		}
	}
	var sum summary.Summary
	var failed error
	if len(files) == 1 {
		failed = p.explainOne(c, o, &sum)
	} else {
		failed = p.explainSet(c, o, files, &sum)
	}
	if c.Context.Err() != nil || failed != nil && sum.IsEmpty() {
		return failed
	}
	if c.Bool("json") {
		for _, object := range sum.Objects() {
			p.printJSON(object)
		}
	} else {
		sum.Print(p.stdout(), time.Local)
	}
	return failed
}

// readSummary adds one to another. It has no connections left to choose from.
func readSummary(c *cli.Context, o explainOptions, sum *summary.Summary, name string, r io.Reader) error {
	if !o.wanted.IsAll() {
		return &usageError{command: commandName(c), problem: "--from, --to and --where choose connections, and " + inputName(name) + " has only sums of them", hint: "make the summaries with these flags"}
	}
	if err := sum.Read(r); err != nil {
		return &captureError{name, err}
	}
	return nil
}

// sayFirst says all of several errors but the last, which it returns.
func (p *Program) sayFirst(err error) error {
	several, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	all := several.Unwrap()
	for _, err := range all[:len(all)-1] {
		p.say("%v", err)
	}
	return all[len(all)-1]
}
