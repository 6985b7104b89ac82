package web

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"

	"mtlslab.example/lab/lab/text"
)

// mostInFile is how many exchanges a file has.
const mostInFile = 100

// WriteHTML writes the page with its exchanges, of more than 100 the last ones,
// as one file that needs no server and asks nobody for anything. It returns how
// many exchanges are in it. The error is w's.
func (p *Page) WriteHTML(w io.Writer) (n int, err error) {
	shown, _, _ := p.exchanges.after(0)
	shown = shown[max(len(shown)-mostInFile, 0):]
	return len(shown), p.writeHTML(w, shown)
}

func (p *Page) writeHTML(w io.Writer, shown []*Exchange) error {
	data := struct {
		Rows    []row          `json:"rows"`
		Details map[int]detail `json:"details"`
	}{rows(shown), make(map[int]detail)}
	for _, x := range shown {
		data.Details[x.id] = p.detail(x)
	}
	script, style := joinedScript(), read(static(), "static/style.css")
	return templates().ExecuteTemplate(w, "page.html", pageData{
		Title: p.options.Title, About: p.options.About, Data: template.JS(encode(data)), Script: template.JS(script), Style: template.CSS(style),
		Policy: policyOf(script, style),
	})
}

// download answers with one exchange as a file.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	x := s.find(r)
	if x == nil {
		http.Error(w, gone, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=\"%s.html\"", x.fileName()))
	_ = s.page.writeHTML(w, []*Exchange{x})
}

// policyOf allows a page its own script and style, and nothing else.
func policyOf(script, style string) string {
	return "default-src 'none'; script-src " + hashed(script) + "; style-src " + hashed(style) + "; img-src data:; base-uri 'none'; form-action 'none'"
}

// hashed is a source expression that allows one text within a page (CSP3
// section 2.3.1).
func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// read returns one of the page's files.
func read(files fs.FS, name string) string {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}

// The lines by which the page's modules refer to each other.
var (
	importLine  = text.Pattern(`(?m)^import [^;]*from '\./([a-z]+\.js)';\n`)
	exportWords = text.Pattern(`(?m)^export `)
)

// joinedScript is the page's modules as one, each behind those that it imports.
// That works since no two of them have a name in common at their top level.
var joinedScript = sync.OnceValue(func() string {
	var joined strings.Builder
	seen := make(map[string]bool)
	var add func(name string)
	add = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		module := read(static(), "static/"+name)
		for _, m := range importLine().FindAllStringSubmatch(module, -1) {
			add(m[1])
		}
		joined.WriteString(exportWords().ReplaceAllString(importLine().ReplaceAllString(module, ""), ""))
	}
	add("main.js")
	return joined.String()
})
