package exercise

import (
	"fmt"
	"strings"

	"mtlslab.example/lab/lab/text"
)

// Thing is a file of an exercise's folder, and what it is for.
type Thing struct{ Name, Use string }

// Things returns what is in the folder of an exercise.
func (e *Exercise) Things() (things []Thing) {
	if e.hasSettings() {
		use, isChanged := "what the server and the client do", len(e.World.Programs) == 0
		switch {
		case e.World.Server == nil:
			use = "what the client does"
		case e.World.Client == nil:
			use = "what the server does"
		default:
			isChanged = true
		}
		if isChanged {
			use += ": change it"
		}
		things = append(things, Thing{settingsFile, use})
	}
	for _, p := range e.World.Programs {
		if !e.isMarked(p) {
			continue
		}
		things = append(things, Thing{p.File, fmt.Sprintf("of %s, the %s (%s): change it", p.Name, p.Role, p.Run)})
	}
	for _, f := range e.World.Files {
		switch {
		case e.isProgramFile(f.Name):
		case f.Record != nil:
			things = append(things, Thing{f.Name, "recorded traffic"})
			if f.Record.Keys != "" {
				things = append(things, Thing{f.Record.Keys, "a key log"})
			}
		default:
			things = append(things, Thing{f.Name, "given with it"})
		}
	}
	if len(e.Ask) > 0 {
		things = append(things, Thing{answersFile, "questions, for your answers"})
	}
	if e.HasManifest() {
		things = append(things, Thing{manifestFile, "what the certificates are; lab certs generate makes them"}, Thing{certsFolder, "the certificates and their keys"})
	}
	if e.keepsStart() {
		things = append(things, Thing{startFolder, "the certificates as they were, for the marking: leave it alone"})
	}
	return things
}

// HasManifest reports whether the folder has a certs.yaml.
func (e *Exercise) HasManifest() bool { return e.manifestText() != nil }

// isProgramFile reports whether a file is the main one of a program.
func (e *Exercise) isProgramFile(name string) bool {
	for _, p := range e.World.Programs {
		if p.File == name {
			return true
		}
	}
	return false
}

// wide is how many columns the lines of a page have at most.
const wide = 80

// Page returns README.md of an exercise's folder, in Markdown.
func (e *Exercise) Page() []byte {
	var b strings.Builder
	e.writeTask(&b, "#")
	b.WriteString("\n## What is here\n\n| file | what it is |\n|---|---|\n")
	for _, t := range e.Things() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", t.Name, t.Use)
	}
	b.WriteString("\n## How to go on\n\n```\nlab exercise verify     marks it, as often as you like\nlab exercise watch      marks it whenever you save a file\nlab exercise hint       gives a hint; there are three\nlab exercise reset      begins anew, and keeps what you have done aside\nlab exercise explain    says what was wrong, once it is solved\n```\n")
	if len(e.Solved) == 0 {
		return []byte(b.String())
	}
	for _, line := range text.Fold("lab exercise verify starts all that it needs by itself, on other ports. It writes what was said to "+captureFile+": lab explain "+captureFile+" draws it.", wide) {
		b.WriteString("\n" + line)
	}
	b.WriteString("\n")
	return []byte(b.String())
}

// writeTask writes the title, the story, and what to reach, in Markdown.
func (e *Exercise) writeTask(b *strings.Builder, heading string) {
	fmt.Fprintf(b, "%s %s\n\n", heading, e.Title)
	writeFolded(b, "", e.Story)
	b.WriteString("\nWhat to reach:\n\n")
	for _, line := range e.Reach {
		writeFolded(b, "- ", line)
	}
}

// writeFolded writes a paragraph behind lead.
func writeFolded(b *strings.Builder, lead, said string) {
	for i, line := range text.Fold(said, wide-len(lead)) {
		if i > 0 {
			lead = strings.Repeat(" ", len(lead))
		}
		b.WriteString(lead + line + "\n")
	}
}
