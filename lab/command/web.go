package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/web"
)

// This file serves the live view: the same exchanges as on the terminal, in a
// browser.

// webAddr is where the live view is while nobody says otherwise.
const webAddr = "127.0.0.1:8444"

// webMemory is about how much memory a lab with a live view takes, in bytes. Far
// more of the heap is in use than without one, so that main's pace of the
// collector would let five times that much go to waste.
const webMemory = 112 << 20

// mostPorts is how many ports are tried after one that is busy.
const mostPorts = 20

// webFlag is followed by an address, by off, or by nothing: see arrange.
func webFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "web", Usage: usage}
}

// isWebValue reports whether a word behind --web belongs to it.
func isWebValue(word string) bool { return word == "off" || addrProblem(word, webAddr) == "" }

// openWeb serves the live view of a run, if it is asked for: by --web, or by
// nobody on a terminal where somebody looks at results. Call it before record.
func (a *labRun) openWeb(c *cli.Context, title string, byDefault bool) (err error) {
	addr := c.String("web")
	asked := addr != "" && addr != "off"
	switch {
	case asked && a.blind:
		return &usageError{command: commandName(c), problem: "--blind hides what --web shows: leave one of them out"}
	case !asked && (addr == "off" || !byDefault):
		return nil
	case !asked:
		addr = webAddr
	}
	page := web.NewPage(web.Options{Title: title, Live: true, Showing: shownAlike, Lessons: &lessons{a.Program, a.folder}, PKI: a.listedPKI(), Room: a.room != nil})
	a.web, err = a.serveWeb(c.Context, page, addr)
	if err != nil && !asked {
		a.say("there is no live view: %v", errors.Unwrap(err)) // --web was not typed
		return nil
	}
	if err != nil {
		return err
	}
	a.page = page
	if a.room != nil {
		a.room.page = page
	}
	a.settings.Journal.Keep = web.KeepBytes
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(webMemory)
	}
	return nil
}

// listedPKI returns what lists the certificates of certs.yaml; nil: a scenario
// has others.
func (a *labRun) listedPKI() func() ([]json.RawMessage, error) {
	if a.scenario != nil {
		return nil
	}
	return func() (listed []json.RawMessage, err error) {
		infos, _, err := a.listing(a.folder)
		for _, info := range infos {
			listed = append(listed, bytes.TrimSpace(a.encoded(describe(info))))
		}
		return listed, err
	}
}

// watched reports whether lab up shows the live view unasked: somebody looks at
// a terminal, for as long as they like.
func (a *labRun) watched(c *cli.Context) bool {
	return isTerminal(a.Stdout) && !c.IsSet("count") && !c.Bool("json") && c.String("capture") != "-"
}

// serveWeb serves a page, and says where. The caller closes the server.
func (p *Program) serveWeb(ctx context.Context, page *web.Page, addr string) (*web.Server, error) {
	l, err := listenWeb(ctx, addr)
	if err != nil {
		return nil, &webError{addr, err}
	}
	host, port, _ := net.SplitHostPort(addr)
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		host = ""
	}
	s := web.Serve(l, page, host)
	if at := portOf(l.Addr()); port != at && port != "0" {
		p.say("port %s is busy: the live view is on %s", port, at)
	}
	if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
		p.say("warning: %s can be reached from other machines; they need the token, which the network carries in plain text", l.Addr())
	}
	p.say("watch in a browser:\n  %s", s.URL())
	return s, nil
}

// webError is a --web that cannot be listened for.
type webError struct {
	addr string
	err  error
}

func (e *webError) Error() string { return fmt.Sprintf("--web %s: %v", e.addr, e.err) }
func (e *webError) Unwrap() error { return e.err }

// listenWeb listens on an address, or on the next port that is free if its own
// is busy.
func listenWeb(ctx context.Context, addr string) (net.Listener, error) {
	l, err := lab.Bind(ctx, addr)
	host, port, _ := net.SplitHostPort(addr)
	first, _ := strconv.Atoi(port)
	for n := first + 1; errors.Is(err, errAddrInUse) && n <= min(first+mostPorts, 65535); n++ {
		l, err = lab.Bind(ctx, net.JoinHostPort(host, strconv.Itoa(n)))
	}
	return l, err
}

// show puts an exchange on the page, and returns its id there; 0: there is no
// page.
func (a *labRun) show(x *lab.Exchange) (id int) {
	if a.page != nil {
		id = a.page.Add(&web.Exchange{Exchange: x, Trust: a.report.trust()})
	}
	return id
}

// pageView is a capture that lab explain shows as a page.
type pageView struct {
	*Program
	page   *web.Page
	server *web.Server // nil without --web
	html   string      // file of --html; "": none
	c      *cli.Context
}

// openPageView reads --web and --html, and serves the page; nil: neither is
// there. The caller closes it.
func (p *Program) openPageView(c *cli.Context, file string) (*pageView, error) {
	addr, html := strings.TrimSuffix(c.String("web"), "off"), c.String("html")
	if addr == "" && html == "" {
		return nil, nil
	}
	for _, other := range []string{"list", "json", "brief", "verbose"} {
		if c.Bool(other) {
			return nil, &usageError{command: commandName(c), problem: "--" + other + " is for the terminal, and a page shows all: leave one of them out"}
		}
	}
	if err := folderOf(c).checkNew(c, "html", html); err != nil {
		return nil, err
	}
	v := &pageView{Program: p, page: web.NewPage(web.Options{Title: filepath.Base(inputName(file)), Showing: shownAlike}), html: html, c: c}
	if addr == "" {
		return v, nil
	}
	var err error
	v.server, err = p.serveWeb(c.Context, v.page, addr)
	return v, err
}

// finish writes the file, and serves the page until ctx ends.
func (v *pageView) finish(ctx context.Context) error {
	if v == nil {
		return nil
	}
	v.page.End()
	if v.html != "" {
		var b bytes.Buffer
		shown, err := v.page.WriteHTML(&b)
		if err == nil {
			err = writeNew(v.c, v.html, b.Bytes())
		}
		if err != nil {
			return err
		}
		said := text.Counted(shown, "connection")
		if all := v.page.Added(); all > shown {
			said = fmt.Sprintf("the last %d of %s", shown, text.Counted(all, "connection"))
		}
		v.say("%s in %s", said, v.html)
	}
	if v.server != nil {
		<-ctx.Done()
	}
	return nil
}

func (v *pageView) close() {
	if v != nil && v.server != nil {
		_ = v.server.Close() // nothing is lost with it
	}
}

// addToPage puts a connection on the page.
func (g *connectionPrinter) addToPage(d *drawable) {
	g.page.Add(&web.Exchange{Exchange: web.OfConnection(d.Connection, &d.verdict), Trust: g.trusted, Ladder: ladder.Options{Stream: true}})
}
