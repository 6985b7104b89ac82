package command

import (
	"bytes"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/private"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/wiretap"
)

// optionalFile is the value of a flag that may have one: --explain, and
// --explain=FILE.
type optionalFile struct {
	set  bool
	file string
}

func (o *optionalFile) Set(value string) error {
	switch *o = (optionalFile{set: true, file: value}); value {
	case "true": // there is none
		o.file = ""
	case "false":
		*o = optionalFile{}
	}
	return nil
}

func (o *optionalFile) String() string { return o.file }

// IsBoolFlag says that the flag may have no value (package flag).
func (o *optionalFile) IsBoolFlag() bool { return true }

// explainFlag returns the value of --explain.
func explainFlag(c *cli.Context) optionalFile {
	if o, ok := c.Generic("explain").(*optionalFile); ok {
		return *o
	}
	return optionalFile{}
}

// liveExplainer draws the connections of a program: to a file while it runs, or
// to stderr when it has ended. It is a sink for their events.
type liveExplainer struct {
	*wiretap.Async
	dissector *tlsdecrypt.Dissector
	printer   *connectionPrinter
	file      *os.File     // nil: stderr
	late      bytes.Buffer // what goes to stderr
}

// newLiveExplainer opens the file, which it appends to and makes for the user
// alone: what was decrypted is drawn there. The caller calls finish.
func (p *Program) newLiveExplainer(c *cli.Context) (*liveExplainer, error) {
	e, drawing := &liveExplainer{}, *p
	drawing.Stdout = p.Stderr // whose width and colours count
	var out io.Writer = &e.late
	if name := explainFlag(c).file; name != "" {
		file, err := private.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY)
		if err != nil {
			return nil, err
		}
		e.file, out, drawing.Stdout = file, file, file
	}
	e.printer = drawing.newConnectionPrinter(c, "", out)
	e.printer.stream, e.printer.options.Stream = -1, false
	e.printer.others = "--capture FILE records them, and lab explain FILE --list shows them"
	e.printer.lessons = &scenarioTrusts{folder: folderOf(c)}
	e.dissector = tlsdecrypt.New(tlsdecrypt.Options{Done: e.printer.add})
	e.Async = wiretap.NewAsync(watcher{e.printer.end, e.dissector})
	return e, nil
}

// finish prints what was not printed yet. It is called when all connections
// have ended.
func (e *liveExplainer) finish(stderr io.Writer) {
	e.Close()
	e.dissector.Close()
	if e.printer.count.all > 0 || len(e.printer.ready) > 0 {
		_ = e.printer.finish("") // fails if there is nothing
	}
	if e.file != nil {
		e.file.Close()
	}
	_, _ = stderr.Write(e.late.Bytes())
}
