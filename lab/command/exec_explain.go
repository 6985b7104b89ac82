package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/private"
	"mtlslab.example/lab/lab/text"
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
	file      *drawings // nil: stderr
	kept      keptDrawings
	silence   silence
}

// keptDrawings are for stderr when the program has ended.
type keptDrawings struct {
	bytes.Buffer
	lines   int // connections that have only a line
	omitted int // connections for which there was no room
}

// A program may run for long: what is kept of it is bounded. One that is drawn
// in full, as the first of its kind, has room where lines have none any more.
const (
	maxKeptBytes = 4 << 20
	maxKeptLines = 1000
)

// hasRoom reports whether there is room for another connection, and counts
// those for which there is none.
func (k *keptDrawings) hasRoom() bool {
	if k == nil || k.Len() < maxKeptBytes {
		return true
	}
	k.omitted++
	return false
}

// hasRoomForLine is hasRoom for one that has only a line.
func (k *keptDrawings) hasRoomForLine() bool {
	if k == nil {
		return true
	}
	if k.lines++; k.lines <= maxKeptLines {
		return true
	}
	k.omitted++
	return false
}

// newLiveExplainer opens the file, if there is to be one. The caller calls
// finish.
func (p *Program) newLiveExplainer(c *cli.Context) (*liveExplainer, error) {
	e, drawing := &liveExplainer{}, *p
	drawing.Stdout = p.Stderr // whose width and colours count
	var out io.Writer = &e.kept
	if name := explainFlag(c).file; name != "" {
		file, err := openDrawings(c, name)
		if err != nil {
			return nil, err
		}
		e.file, out, drawing.Stdout = file, file, file.File
	}
	e.printer = drawing.newConnectionPrinter(c, "", out)
	if e.file == nil {
		e.printer.kept, e.printer.turns = &e.kept, turns{asOpened: true, next: 1}
	}
	e.printer.list = c.Bool("brief")
	e.printer.judged = e.silence.add
	e.printer.keyless = "read what the program itself has printed, which lab explain 'MESSAGE' explains: it logged no keys for this connection, and those that refuse the server (Node, Java) do so before they log any"
	e.printer.options.More = "lab explain FILE --verbose, of what lab exec --capture FILE records,"
	e.printer.stream, e.printer.options.Stream = -1, false
	e.printer.others = "--capture FILE records them, and lab explain FILE --list shows them"
	e.printer.lessons = &scenarioTrusts{folder: folderOf(c)}
	e.dissector = tlsdecrypt.New(tlsdecrypt.Options{Keyless: "the program logged none for this connection", Done: e.printer.add})
	e.Async = wiretap.NewAsync(watcher{e.printer.end, e.dissector})
	return e, nil
}

// finish prints what was not printed yet, after what the exit status of the
// program tells about it. It is called when all connections have ended.
func (e *liveExplainer) finish(stderr io.Writer, program string, status int) {
	e.Close()
	e.dissector.Close()
	if e.printer.count.all > 0 || len(e.printer.ready) > 0 {
		_ = e.printer.finish("") // fails if there is nothing
	}
	if e.file != nil {
		e.printer.flush()
		if err := errors.Join(e.file.err, e.file.Close()); err != nil {
			e.printer.sayUnwritten(fmt.Errorf("not all is in %s: %w", e.file.Name(), bare(err)))
		}
	}
	if e.silence.refused(program, status) {
		e.printer.say("%s refused the server's certificate, as its exit status %d says: after the handshake, without a word to the server, so that the connection does not show it. What it printed says why; if it printed nothing, let it print more", program, status)
	}
	_, _ = stderr.Write(e.kept.Bytes())
	if e.kept.omitted > 0 {
		e.printer.say("%s more, which would be too many here: --explain=FILE has room for all", text.Counted(e.kept.omitted, "connection"))
	}
}

// drawings is a file that drawings are added to. Connections are decrypted in
// it, so that it is the user's alone.
type drawings struct {
	*os.File
	begun bool // it has drawingsTitle
	err   error
}

// drawingsTitle is the first line of a file of drawings, and says that it is
// one: nothing is added to another file.
const drawingsTitle = "Drawn by lab exec --explain"

// openDrawings opens the file of --explain, or makes it. One that is there must
// be empty, or begin with drawingsTitle.
func openDrawings(c *cli.Context, name string) (*drawings, error) {
	wrong := func(problem string) error {
		return &usageError{command: commandName(c), problem: fmt.Sprintf("--explain is %s, which %s", name, problem), hint: "keys and what they decrypt go only into files of lab's own: name another one"}
	}
	flag := os.O_CREATE | os.O_APPEND | os.O_WRONLY
	info, missing := os.Stat(name)
	_, isDescriptor := private.Descriptor(name)
	if missing != nil || info.Mode().IsRegular() && !isDescriptor {
		flag = os.O_CREATE | os.O_APPEND | os.O_RDWR // what is open is looked at
	}
	file, err := private.OpenFile(name, flag)
	var unsafe *private.UnsafeError
	switch {
	case errors.As(err, &unsafe):
		return nil, wrong(unsafe.Problem)
	case err != nil:
		return nil, err
	}
	d := &drawings{File: file}
	if flag&os.O_RDWR != 0 {
		title := make([]byte, len(drawingsTitle))
		n, _ := io.ReadFull(file, title)
		if d.begun = string(title[:n]) == drawingsTitle; !d.begun && n > 0 {
			return nil, errors.Join(wrong("is there already, and holds something else"), file.Close())
		}
	}
	if err := private.Narrow(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return d, nil
}

// Write adds to the file. The first error is kept: a program whose drawings
// cannot be written goes on.
func (d *drawings) Write(data []byte) (int, error) {
	if d.err == nil && !d.begun {
		_, d.err = d.File.WriteString(drawingsTitle + "\n\n")
		d.begun = true
	}
	if d.err == nil {
		_, d.err = d.File.Write(data)
	}
	return len(data), nil
}
