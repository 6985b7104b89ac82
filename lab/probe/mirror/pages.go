package mirror

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
	"sync"
	"text/tabwriter"

	"mtlslab.example/lab/lab/scenario"
)

// Entry is a fault in the list for programs. Its JSON form is part of the
// command line's contract.
type Entry struct {
	scenario.Duty
	Must    string `json:"must"` // "accept", "refuse", or "may pass"
	URL     string `json:"url"`
	NameURL string `json:"name_url,omitempty"` // the same by server name, on one port for all
}

// Entry describes a listener.
func (l *Listener) Entry() Entry {
	e := Entry{Duty: l.Duty, Must: "refuse", URL: l.URL, NameURL: l.NameURL}
	switch {
	case l.IsControl():
		e.Must = "accept"
	case l.MayPass != "":
		e.Must = "may pass"
	}
	return e
}

// pages serves the index where everything is right, and elsewhere a page that
// says what the client should have refused: in HTML to a browser, as JSON to
// who asks for that, and else in plain text.
func (s *Server) pages(l *Listener) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		at := l
		if named := s.byName(r.TLS.ServerName); named != nil {
			at = named
		}
		switch accept := r.Header.Get("Accept"); {
		case strings.Contains(accept, "text/html"):
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			if at.IsControl() {
				_ = indexPage().Execute(w, s.entries())
			} else {
				_ = wrongPage().Execute(w, at.Entry())
			}
		case strings.Contains(accept, "application/json") && at.IsControl():
			s.writeList(w)
		default:
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			if at.IsControl() {
				s.writeIndex(w)
			} else {
				at.Entry().write(w)
			}
		}
	})
	mux.HandleFunc("GET /faults.json", func(w http.ResponseWriter, _ *http.Request) { s.writeList(w) })
	return mux
}

func (s *Server) writeList(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.entries())
}

// writeIndex writes a line for each listener.
func (s *Server) writeIndex(w io.Writer) {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range s.entries() {
		fmt.Fprintf(columns, "%s\t%s\t%s\t%s\n", e.URL, e.Must, e.Name, e.Title)
	}
	_ = columns.Flush()
}

// write writes what a client should have refused.
func (e Entry) write(w io.Writer) {
	must := "Your client should have refused this server."
	if e.MayPass != "" {
		must = "A client may refuse this server, or take it: " + e.MayPass + "."
	}
	fmt.Fprintf(w, "%s: %s\n%s\n%s\n%s\n", e.Name, e.Title, must, e.Reason, e.RFC)
}

func (s *Server) entries() []Entry {
	entries := make([]Entry, len(s.Listeners))
	for i, l := range s.Listeners {
		entries[i] = l.Entry()
	}
	return entries
}

// page returns a template that is parsed when it is first used.
func page(text string) func() *template.Template {
	return sync.OnceValue(func() *template.Template { return template.Must(template.New("").Parse(text)) })
}

const head = `<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<style>body{font:1rem/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}td,th{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}</style>
`

var indexPage = page(head + `<title>Faults</title>
<h1>Faults</h1>
<p>Each server here does one thing wrong, but for the first. A client must refuse it. For programs: <a href="/faults.json">faults.json</a>.</p>
<table>
<tr><th>Server</th><th>A client must</th><th>What it is</th><th>By name</th></tr>
{{range .}}<tr><td><a href="{{.URL}}">{{.Name}}</a></td><td>{{if eq .Must "may pass"}}refuse, or not{{else}}{{.Must}}{{end}}</td><td>{{.Title}}</td><td>{{with .NameURL}}<a href="{{.}}">{{.}}</a>{{end}}</td></tr>
{{end}}</table>
</html>
`)

var wrongPage = page(head + `<title>{{.Name}}</title>
<h1>{{.Title}}</h1>
{{if .MayPass}}<p>A client may refuse this server, or take it: {{.MayPass}}.</p>{{else}}<p>Your client should have refused this server.</p>{{end}}
<p>{{.Reason}}</p>
<p>{{.RFC}}</p>
</html>
`)
