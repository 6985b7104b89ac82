package web

import (
	"embed"
	"encoding/json"
	"html/template"
	"sync"
	"sync/atomic"

	"mtlslab.example/lab/lab/packed"
	"mtlslab.example/lab/lab/room"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
)

//go:embed page.html gallery.html gallery.js
var files embed.FS

//go:embed static.txtar.gz
var archive []byte

var static = packed.Files(archive)

var templates = sync.OnceValue(func() *template.Template { return template.Must(template.ParseFS(files, "*.html")) })

// pageData is what page.html is made from. The files of the page are beside it,
// or else, with what it shows, within it.
type pageData struct {
	Title   string
	Live    bool
	Lessons bool
	PKI     bool
	Room    bool
	Waits   bool   // for the first exchange
	About   *About // nil: it is no lesson

	Policy string
	Style  template.CSS
	Data   template.JS
	Script template.JS
}

// Options are what a page is about.
type Options struct {
	Title string // "lab up", or the name of a file
	Live  bool   // exchanges come as they happen; else from a file
	// Showing returns the name of the scenario that shows the fault of a verdict,
	// "" for none, and those of others that look the same; nil: none ever does.
	Showing func(*verdict.Verdict, *tlsdecrypt.Connection) (name string, alike []string)
	Lessons Lessons // that can be run from the page; nil: none
	About   *About  // nil: the page is not about a lesson
	// PKI returns the certificates of the manifest, each as lab certs list --json
	// has it; nil: the page does not show them.
	PKI func() ([]json.RawMessage, error)
	// Room says that the page shows who has called: see ShowRoom.
	Room bool
}

// Page has the latest exchanges, for [Serve] or [Page.WriteHTML]. It is safe
// for concurrent use.
type Page struct {
	options   Options
	exchanges exchanges
	exercise  atomic.Pointer[Exercise]  // nil: none is shown
	room      atomic.Pointer[room.View] // nil: nobody has called
}

// NewPage returns a page without exchanges.
func NewPage(o Options) *Page {
	o.Title = text.Clean(o.Title) // the name of a file may be anybody's
	return &Page{options: o}
}

// Add puts an exchange on the page, which owns it, and returns its id there. It
// does not wait for browsers.
func (p *Page) Add(x *Exchange) (id int) { return p.exchanges.add(x) }

// Added is how many exchanges have come, those among them that are kept no more.
func (p *Page) Added() int { return p.exchanges.added() }

// End says on the page that no more exchanges will come.
func (p *Page) End() { p.exchanges.end() }
