package ladder

import (
	"io"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
)

// Options say how to draw. The zero value is 80 columns without colour.
type Options struct {
	Width   int  // columns of the terminal; 0 is 80, less than 60 is taken as 60, more than 120 as 120
	Color   bool // with ANSI escape sequences
	ASCII   bool // with ASCII characters alone
	Verbose bool // each message opened into its fields
	Brief   bool // what became of it alone, without the drawing
	Stream  bool // the connection's number is that of a TCP stream in a file
	Below   bool // what to do stands above the drawing
	// Title stands in place of the connection's number; "": that does.
	Title string
	// Note is said under a message; nil, or "": nothing is.
	Note func(*tlsdecrypt.Message) string
	// More is what lists the causes that are less likely; "": --verbose.
	More string
	// Scenario is the scenario that shows the same fault; "": none.
	Scenario string

	believing bool // what each side knows is wanted, too
}

// width is how many columns lines have at most.
func (o Options) width() int { return text.Printer{Columns: o.Width}.Width() }

func (o Options) charset() text.Charset { return text.Charset(o.ASCII) }

// Draw writes the ladder of a connection, with what became of it. No line is
// wider than o.Width, and what the peers sent as text cannot harm a terminal.
// The error is w's.
func Draw(w io.Writer, c *tlsdecrypt.Connection, v *verdict.Verdict, o Options) error {
	o.Width = o.width()
	s := newStory(c, v, o)
	s.below, s.scenario, s.verbose, s.more = o.Below, o.Scenario, o.Verbose, o.More
	p := &page{Options: o, opened: opened(c), noted: map[string]bool{}}
	if o.Brief || len(s.items) == 0 { // there is nothing to draw
		p.text(bold, p.title(c))
		p.text(normal, s.agreed())
		p.end(s)
		_, err := io.WriteString(w, p.out.String())
		return err
	}
	p.head(s)
	for i, it := range s.items {
		if i == 0 || o.Verbose || it.from != s.items[i-1].from || it.from == endpoint.Unknown {
			p.rung()
		}
		p.item(it)
	}
	p.foot(s)
	_, err := io.WriteString(w, p.out.String())
	return err
}
