package command

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/summary"
	"mtlslab.example/lab/lab/wiretap"
)

// explainSet explains several captures of one place as if they were one, or adds
// them to a summary.
func (p *Program) explainSet(c *cli.Context, o explainOptions, files []string, sum *summary.Summary) error {
	in := &input{name: files[0], also: len(files) - 1, sum: sum}
	var set []capture.File
	for _, name := range files {
		file, err := openRereadable(c, name)
		if err != nil {
			return unlessEnded(c, err)
		}
		defer file.close()
		if err := checkCapture(file); err != nil {
			return err
		}
		in.size += file.size
		set = append(set, capture.File{Name: file.name, Open: file.open})
	}
	in.read = func(from func(string), o capture.ReadOptions) error { return capture.ReadSet(set, from, o) }
	return p.explainInput(c, o, in)
}

// checkCapture returns an error if a file is known to be something else than a
// capture.
func checkCapture(file *rereadable) error {
	in, err := file.open()
	if err != nil {
		return err
	}
	defer in.Close()
	if form := formOf(file.name, bufio.NewReader(in)); form != formCapture {
		return &notCaptureError{file.name, form}
	}
	return nil
}

// areRotated reports whether two captures are one after the other of one place,
// and not of two ends: their names differ in numbers alone, as those of a ring
// buffer do, and one begins when the other has ended.
func (p *Program) areRotated(c *cli.Context, files []string) (bool, error) {
	if slices.Contains(files, "-") || files[0] == files[1] || withoutDigits(files[0]) != withoutDigits(files[1]) {
		return false, nil
	}
	return unlessInterrupted(c.Context, func() (bool, error) {
		var begin, end [2]time.Time
		for i, name := range files {
			in, _, err := openCaptured(name)
			if err != nil {
				return false, err
			}
			begin[i], end[i] = capture.Period(in)
			in.Close()
		}
		rotated := !begin[0].IsZero() && !begin[1].IsZero() && (!begin[1].Before(end[0]) || !begin[0].Before(end[1]))
		if rotated {
			p.say("%s and %s are read as one capture: the names differ in numbers alone, and one begins when the other has ended", files[0], files[1])
		}
		return rotated, nil
	})
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
		failed = p.addUp(c, o, files, &sum)
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

// addUp adds several files to a summary: captures, which are read as one, and
// summaries.
func (p *Program) addUp(c *cli.Context, o explainOptions, files []string, sum *summary.Summary) error {
	var captures []string
	for _, name := range files {
		if isSum, err := addFile(c, o, name, sum); err != nil {
			return err
		} else if !isSum {
			captures = append(captures, name)
		}
	}
	if len(captures) == 0 {
		return nil
	}
	return p.explainSet(c, o, captures, sum)
}

// addFile adds a file to a summary if it is one.
func addFile(c *cli.Context, o explainOptions, name string, sum *summary.Summary) (isSum bool, err error) {
	in, _, err := openCaptured(name)
	if err != nil {
		return false, err
	}
	defer in.Close()
	begins := bufio.NewReader(in)
	if name == "-" || formOf(name, begins) != formSummary {
		return false, nil // explainSet says what is wrong with it
	}
	return true, readSummary(c, o, sum, name, begins)
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
