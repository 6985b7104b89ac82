package command

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/selection"
	"mtlslab.example/lab/lab/summary"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/web"
	"mtlslab.example/lab/lab/wiretap"
)

// connectionPrinter prints the connections of a file: the first of each kind as
// a ladder, later ones in a line. Connections may be added from several
// goroutines and in any order.
type connectionPrinter struct {
	*Program
	list, json, verbose bool
	brief               bool
	stream              int // the only one that is shown; -1: all
	wanted              *selection.Selection
	sum                 *summary.Summary // that connections are added to; nil: they are printed
	origins             *origins
	file                string
	folder              folder
	trusts              trusts
	options             ladder.Options
	page                *web.Page // that connections are put on; nil: they are printed

	mu      sync.Mutex
	out     *bufio.Writer               // to stdout
	waits   bool                        // there is something in out, and flush will be called
	turns   turns                       // of those that have ended
	ready   map[int]*preparedConnection // what was added, by stream
	drawn   kinds
	taken   verdict.Taken // by servers, on the connections that were shown
	relayed verdict.Relayed
	count   struct{ all, tls, failed, unwanted int }       // failed: that were never opened
	found   bool                                           // the stream that is asked for
	headed  bool                                           // the list has its heading
	uses    rsaKeyUses                                     // nil without --rsa-key
	unread  []string                                       // what is in the file besides TCP
	plain   []byte                                         // a connection without TLS, drawn
	first   time.Time                                      // of the file's packets; zero: there are none
	last    time.Time                                      // likewise
	others  string                                         // what shows connections that are not printed
	kept    *keptDrawings                                  // where out goes; nil: somewhere without a bound
	judged  func(*tlsdecrypt.Connection, *verdict.Verdict) // gets each connection; nil: nobody does
	keyless string                                         // the advice where keys are missing; "": the verdict's own

	trusted *chain.Trust
	lessons *scenarioTrusts
}

// preparedConnection is a connection that is ready to be printed.
type preparedConnection struct {
	isTLS    bool            // there was TLS on it, or should have been
	unwanted bool            // it was not chosen
	text     []byte          // as JSON or as a line; nil: it is not shown
	drawn    *drawable       // it may be drawn, or told better from what came before
	chosen   *verdict.Chosen // by its server
	counted  summary.Connection
}

// drawable is what a ladder is drawn from.
type drawable struct {
	*tlsdecrypt.Connection
	verdict verdict.Verdict
}

// flushDelay is how long what is printed waits for more, to be written together
// with it.
const flushDelay = 20 * time.Millisecond

// newConnectionPrinter reads the flags of lab explain. It prints to out.
func (p *Program) newConnectionPrinter(c *cli.Context, file string, out io.Writer) *connectionPrinter {
	options := p.ladderOptions(c)
	options.Stream, options.Brief = true, c.Bool("brief")
	return &connectionPrinter{
		Program: p, list: c.Bool("list"), json: c.Bool("json"), verbose: c.Bool("verbose"), brief: c.Bool("brief"), stream: c.Int("stream"),
		others: "--list shows them", file: file, folder: folderOf(c), options: options,
		wanted: &selection.Selection{}, out: bufio.NewWriterSize(out, 1<<16), ready: make(map[int]*preparedConnection),
	}
}

// watcher passes all events on to a sink, after it has told end of the streams
// that end, in their order.
type watcher struct {
	end  func(stream int)
	sink wiretap.Sink
}

func (w watcher) Open(e wiretap.Event) wiretap.Handler {
	handle := w.sink.Open(e)
	return func(e wiretap.Event) {
		if e.Kind == wiretap.Close || e.Kind == wiretap.CutOff {
			w.end(e.Exchange)
		}
		handle(e)
	}
}

// end is called in the order in which connections end.
func (g *connectionPrinter) end(stream int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turns.end(stream)
}

// add takes a connection that has ended, and shows what can be shown by now.
func (g *connectionPrinter) add(c *tlsdecrypt.Connection) {
	f := &preparedConnection{}
	if g.stream < 0 || g.stream == c.Number {
		g.prepare(f, c)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ready[c.Number] = f
	if f.drawn == nil {
		defer c.Release()
	}
	if g.uses != nil && (g.stream < 0 || g.stream == c.Number) {
		g.uses[c.RSAKey]++
	}
	g.showReady()
	if g.out.Buffered() > 0 && !g.waits {
		g.waits = true
		time.AfterFunc(flushDelay, g.flush)
	}
}

// showReady shows what it is the turn of. mu is held.
func (g *connectionPrinter) showReady() {
	for len(g.turns.due) > 0 && g.ready[g.turns.due[0]] != nil {
		g.show(g.turns.due[0])
		g.turns.due = g.turns.due[1:]
	}
}

// trust returns the CAs under which chains are checked. They may be made after
// lab explain has begun to wait for a capture.
func (g *connectionPrinter) trust() *chain.Trust {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.trusted == nil || len(g.trusted.CAs) == 0 {
		g.trusted, _ = trustOf(g.folder.certsOf(g.file), g.trusts)
	}
	return g.trusted
}

// prepare does the part of the work for which the order does not matter.
func (g *connectionPrinter) prepare(f *preparedConnection, c *tlsdecrypt.Connection) {
	v := judged(c, func() *chain.Trust { return cmp.Or(g.lessons.trust(c), g.trust()) }, !g.list)
	if g.keyless != "" {
		v.AdviseUnlogged(g.keyless)
	}
	if g.judged != nil {
		g.judged(c, &v)
	}
	f.isTLS = isTLS(c, &v)
	if !g.list {
		f.chosen = verdict.ChosenOn(c)
	}
	if !g.list && !g.json || g.json && g.taken.IsOpen(&v) || g.relayed.IsOpen(&v) {
		f.drawn = &drawable{c, v}
	}
	f.encode(g, c, &v)
}

// encode makes the text of a connection, unless it is not wanted.
func (f *preparedConnection) encode(g *connectionPrinter, c *tlsdecrypt.Connection, v *verdict.Verdict) {
	f.text, f.unwanted = nil, !g.wanted.Has(c, v)
	switch {
	case f.unwanted:
	case g.sum != nil:
		f.counted = summary.Of(c, v)
	default:
		f.text = g.encode(c, v)
	}
}

// judged checks a connection, if only to judge it unless it is shown in full,
// and says what became of it.
func judged(c *tlsdecrypt.Connection, trust func() *chain.Trust, inFull bool) verdict.Verdict {
	if inFull {
		c.Check(trust())
	}
	return verdict.Of(c, trust)
}

// encode returns a connection as JSON or as a line.
func (g *connectionPrinter) encode(c *tlsdecrypt.Connection, v *verdict.Verdict) []byte {
	if g.json {
		return g.encoded(verdict.Account{Connection: c, Verdict: v, Scenario: shown(v, c)})
	}
	return []byte(ladder.Line(c, v, g.options) + "\n")
}

// shown returns the name of the scenario that shows the fault of a verdict.
func shown(v *verdict.Verdict, c *tlsdecrypt.Connection) string {
	return scenario.Showing(v, c)
}

// shownAlike is shown for people, with other scenarios that look the same.
func shownAlike(v *verdict.Verdict, c *tlsdecrypt.Connection) (name string, alike []string) {
	name = shown(v, c)
	return name, scenario.Alike(name, v, c)
}

// hinted is shownAlike in words.
func hinted(v *verdict.Verdict, c *tlsdecrypt.Connection) string {
	name, alike := shownAlike(v, c)
	if len(alike) > 0 {
		return name + ", or " + alike[0] // the page names all
	}
	return name
}

// show writes a connection that is ready. mu is held.
func (g *connectionPrinter) show(stream int) {
	f := g.ready[stream]
	delete(g.ready, stream)
	file := g.origins.of(stream)
	if d := f.drawn; d != nil {
		if g.page == nil {
			defer d.Release()
		}
		if g.taken.Add(&d.verdict, d.Connection) || g.relayed.Add(&d.verdict, d.Connection) {
			f.encode(g, d.Connection, &d.verdict)
		}
	}
	if d := f.drawn; d != nil {
		g.relayed.Learn(&d.verdict, d.Connection)
	}
	g.taken.Learn(f.chosen)
	if f.unwanted {
		g.count.unwanted++
		return
	}
	g.found = g.found || stream == g.stream
	g.count.all++
	if f.isTLS {
		g.count.tls++
	}
	switch {
	case g.sum != nil && (g.stream < 0 || g.stream == stream):
		g.sum.Add(f.counted, file)
	case f.text == nil:
		return
	case g.page != nil:
		g.addToPage(f.drawn)
	case g.list && !g.kept.hasRoomForLine():
	case g.list && !g.json && !g.headed:
		g.headed = true
		_, _ = g.out.WriteString(ladder.Heading(g.options) + "\n")
		fallthrough
	case g.list, g.json:
		_, _ = g.out.Write(f.text)
	case !f.isTLS && g.stream < 0:
		g.keepPlain(f) // finish says how many
	case !g.kept.hasRoom():
	case g.drawn.isNew(ladder.Kind(f.drawn.Connection)) || g.verbose || g.brief || g.stream >= 0:
		options := g.options
		options.Scenario = hinted(&f.drawn.verdict, f.drawn.Connection)
		_ = ladder.Draw(g.out, f.drawn.Connection, &f.drawn.verdict, options)
		_ = g.out.WriteByte('\n')
	case g.kept.hasRoomForLine():
		_, _ = g.out.Write(f.text)
	}
}

// keepPlain draws the first connection that is known not to be TLS, to be shown
// if there is none with TLS. mu is held.
func (g *connectionPrinter) keepPlain(f *preparedConnection) {
	if g.plain != nil || g.count.tls > 0 || f.drawn.verdict.How != verdict.NotTLS {
		return
	}
	var b bytes.Buffer
	_ = ladder.Draw(&b, f.drawn.Connection, &f.drawn.verdict, g.options)
	g.plain = append(b.Bytes(), '\n')
}

// addUnread stores what is in the file besides TCP.
func (g *connectionPrinter) addUnread(u capture.Unread) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unread = append(g.unread, u.String())
}

// period stores the times of the first and the last packet.
func (g *connectionPrinter) period(first, last time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.first, g.last = first, last
}

// addFailed counts a connection that was never opened.
func (g *connectionPrinter) addFailed(capture.Attempt) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count.failed++
}

// flush writes what was printed to stdout.
func (g *connectionPrinter) flush() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waits = false
	_ = g.out.Flush()
}

// finish prints the connections that were not shown yet, and says what was not
// printed.
func (g *connectionPrinter) finish(file string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, stream := range slices.Sorted(maps.Keys(g.ready)) {
		g.show(stream)
	}
	_ = g.out.Flush()
	if g.uses != nil {
		g.say("%v", g.uses)
	}
	if g.sum != nil && g.stream < 0 && g.count.all == 0 {
		if g.count.unwanted > 0 {
			none := &unselectedError{file, g.count.unwanted, g.first, g.last, g.wanted}
			g.say("%v; %s", none, none.hint())
		}
		return nil
	}
	if g.count.all == 0 && g.count.unwanted > 0 {
		return &unselectedError{file, g.count.unwanted, g.first, g.last, g.wanted}
	}
	if g.count.all == 0 {
		return &nothingError{file: file, stream: -1, unread: g.unread, failed: g.count.failed > 0, empty: g.first.IsZero()}
	}
	if len(g.unread) > 0 {
		g.say("passed over: %s", strings.Join(g.unread, ", "))
	}
	if g.count.tls == 0 {
		_, _ = g.out.Write(g.plain)
		_ = g.out.Flush()
	}
	switch other := g.count.all - g.count.tls; {
	case g.stream >= 0 && !g.found:
		return &nothingError{file: file, stream: g.stream}
	case g.stream < 0 && other > 0 && !g.list && !g.json:
		g.say("%s without a whole TLS message: %s", text.Counted(other, "connection"), g.others)
	}
	return nil
}

// nothingError reports that a capture has no TLS, or not the stream asked for.
type nothingError struct {
	file   string
	stream int      // that was asked for; -1: any
	unread []string // what is there instead, if the stream is -1
	failed bool     // connections were begun, and none was opened
	empty  bool     // there are no packets at all
}

func (e *nothingError) Error() string {
	switch {
	case e.empty:
		return "there are no packets in " + inputName(e.file)
	case e.stream < 0 && e.failed:
		return fmt.Sprintf("no TCP connection was opened in %s", e.file)
	case e.stream < 0 && len(e.unread) == 0:
		return "there is no TCP connection in " + e.file
	case e.stream < 0:
		return fmt.Sprintf("there is no TCP connection in %s: %s", e.file, strings.Join(e.unread, ", "))
	}
	return fmt.Sprintf("there is no stream %d in %s, or it carries nothing", e.stream, e.file)
}

// isTLS reports whether there was any TLS on a connection, or should have been.
func isTLS(c *tlsdecrypt.Connection, v *verdict.Verdict) bool {
	return v.How == verdict.NotTLS && (v.Code != "" || c.Prologue.Asked()) || len(c.Messages) > 0 && v.How != verdict.NotTLS
}

// kinds remembers which kinds of connections were drawn in full.
type kinds struct{ drawn map[string]bool }

// isNew reports whether there was none of a kind before.
func (k *kinds) isNew(kind string) bool {
	if k.drawn[kind] {
		return false
	}
	if k.drawn == nil {
		k.drawn = make(map[string]bool)
	}
	k.drawn[kind] = true
	return true
}
