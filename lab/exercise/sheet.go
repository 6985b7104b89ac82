package exercise

import (
	"fmt"
	"html/template"
	"io"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"
)

// Sheet is a hand-out of exercises, for printing.
type Sheet struct {
	Exercises []*Exercise
	Trainer   bool // with hints, solutions and explanations
}

// Markdown returns the hand-out in Markdown.
func (s *Sheet) Markdown() string {
	var b strings.Builder
	b.WriteString("# Mutual TLS: break it, find it, repair it\n\n")
	writeFolded(&b, "", howTo)
	for i, e := range s.Exercises {
		b.WriteString("\n")
		e.writeTask(&b, fmt.Sprintf("## %d.", i+1))
		fmt.Fprintf(&b, "\n`lab exercise start %s` (about %d minutes)\n", e.Name, e.Minutes)
		for _, q := range e.Ask {
			b.WriteString("\n")
			writeFolded(&b, "- ", q.asked())
		}
		if s.Trainer {
			e.writeForTrainer(&b)
		} else {
			b.WriteString("\nWhat was wrong, and how it showed: ______________________________________________\n")
		}
	}
	return b.String()
}

const howTo = "Work in an empty folder. lab exercise start NAME gives you a small broken world; lab exercise verify marks your repair from the wire, whatever way you mend it; lab exercise hint helps; lab exercise explain NAME tells the whole story afterwards."

// asked is a question with the choices that there are.
func (q *Question) asked() string {
	if len(q.Choices) == 0 {
		return q.Ask
	}
	return q.Ask + " (" + strings.Join(q.Choices, ", ") + ")"
}

func (e *Exercise) writeForTrainer(b *strings.Builder) {
	b.WriteString("\nHints:\n\n")
	for i, hint := range e.Hints {
		writeFolded(b, fmt.Sprintf("%d. ", i+1), hint)
	}
	if e.Notes != "" {
		b.WriteString("\n")
		writeFolded(b, "", "**To say.** "+e.Notes)
	}
	for _, part := range e.Parts() {
		b.WriteString("\n")
		writeFolded(b, "", "**"+part.Name+".** "+part.Text)
	}
	if text := e.Solution.Text(); text != "" {
		fmt.Fprintf(b, "\nA solution:\n\n```yaml\n%s```\n", text)
	}
	for i, r := range e.Wrong {
		if r.Why != "" {
			if i == 0 {
				b.WriteString("\n")
			}
			writeFolded(b, "- ", "Does not count: "+r.named("`")+r.Why+".")
		}
	}
}

// Named returns what a repair changes, and a colon, where that is short; else "".
func (r *Repair) Named() string { return r.named("") }

func (r *Repair) named(quote string) string {
	const short = 70
	if r.at.node == nil {
		return ""
	}
	changes := *r.at.node
	changes.Content = nil
	for i := 0; i+1 < len(r.at.node.Content); i += 2 {
		if name := r.at.node.Content[i].Value; name != "why" && name != "unverified" {
			changes.Content = append(changes.Content, r.at.node.Content[i:i+2]...)
		}
	}
	changes.Style |= yaml.FlowStyle
	encoded, err := encode("", &changes)
	text := strings.TrimSpace(string(encoded))
	if err != nil || len(text) > short || strings.Contains(text, "\n") {
		return ""
	}
	return quote + text + quote + ": "
}

// Part is a part of an explanation.
type Part struct{ Name, Text string }

// Parts returns the parts of the explanation that there are, in their order.
// Where one only answers questions, nothing need be wrong.
func (e *Exercise) Parts() (parts []Part) {
	x := &e.Explanation
	first := "What was wrong"
	if len(e.Solved) == 0 {
		first = "What is behind it"
	}
	for _, p := range []Part{{first, x.Wrong}, {"How it shows", x.Shows}, {"To take to work", x.Work}} {
		if p.Text != "" {
			parts = append(parts, p)
		}
	}
	return parts
}

// Text returns a repair as it is written in the document.
func (r *Repair) Text() string {
	if r.at.node == nil {
		return ""
	}
	text, err := encode("", inBlocks(r.at.node))
	if err != nil { // it was read
		return ""
	}
	return string(text)
}

// HTML writes the hand-out as a page of its own, with a style for printing.
func (s *Sheet) HTML(w io.Writer) error { return page().Execute(w, s) }

// HowTo is what stands above the exercises.
func (s *Sheet) HowTo() string { return howTo }

// Asked are the questions of an exercise, with the choices that there are.
func (e *Exercise) Asked() (asked []string) {
	for _, q := range e.Ask {
		asked = append(asked, q.asked())
	}
	return asked
}

var page = sync.OnceValue(func() *template.Template {
	next := func(i int) int { return i + 1 }
	return template.Must(template.New("sheet").Funcs(template.FuncMap{"next": next}).Parse(sheetPage))
})

const sheetPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Mutual TLS: exercises</title>
<style>
body { font: 11pt/1.4 Georgia, serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; color: #111; background: #fff }
h1, h2 { font-family: system-ui, sans-serif; line-height: 1.2 }
article { break-inside: avoid; margin-top: 2rem; border-top: 1px solid #999 }
code, pre { font: 10pt ui-monospace, monospace }
pre { white-space: pre-wrap; background: #f4f4f4; padding: .5rem }
.notes { height: 3.5rem; border: 1px solid #999; padding: .25rem; color: #555 }
@page { margin: 2cm }
@media print { body { margin: 0; max-width: none } }
</style>
<h1>Mutual TLS: break it, find it, repair it</h1>
<p>{{.HowTo}}</p>
{{$trainer := .Trainer}}{{range $i, $e := .Exercises}}
<article>
<h2>{{next $i}}. {{.Title}}</h2>
<p>{{.Story}}</p>
<p>What to reach:</p>
<ul>{{range .Reach}}<li>{{.}}</li>{{end}}</ul>
<p><code>lab exercise start {{.Name}}</code> (about {{.Minutes}} minutes)</p>
{{with .Asked}}<ul>{{range .}}<li>{{.}}</li>{{end}}</ul>{{end}}
{{if $trainer}}<p>Hints:</p>
<ol>{{range .Hints}}<li>{{.}}</li>{{end}}</ol>
{{with .Notes}}<p><strong>To say.</strong> {{.}}</p>
{{end}}{{range .Parts}}<p><strong>{{.Name}}.</strong> {{.Text}}</p>
{{end}}{{with .Solution.Text}}<p>A solution:</p>
<pre>{{.}}</pre>{{end}}
<ul>{{range $r := .Wrong}}{{with .Why}}<li>Does not count: {{$r.Named}}{{.}}.</li>{{end}}{{end}}</ul>
{{else}}<p class="notes">What was wrong, and how it showed:</p>
{{end}}</article>{{end}}
</html>
`
