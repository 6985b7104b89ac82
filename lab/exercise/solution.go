package exercise

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Edit is what somebody changes in a file.
type Edit struct {
	File  string   // "": what Lines say is typed, or done
	Lines []string // in words, or as they stand in the file
}

// Edits returns the solution as what one edits, without answers.
func (e *Exercise) Edits() (edits []Edit) {
	r := &e.Solution
	var settings []string
	for _, side := range []struct {
		name   string
		own    *Side
		change *yaml.Node
	}{{"server", e.World.Server, r.Server}, {"client", e.World.Client, r.Client}} {
		if side.own != nil && side.change != nil {
			settings = append(append(settings, side.name+":"), editedFields(side.change)...)
		}
	}
	if settings != nil {
		edits = append(edits, Edit{settingsFile, settings})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Certificates)) {
		edits = append(edits, Edit{manifestFile, append([]string{"---"}, e.editedCertificate(name)...)})
	}
	if r.Certificates != nil {
		edits = append(edits, Edit{"", []string{"lab certs generate"}})
	}
	if r.Renew != nil {
		edits = append(edits, Edit{"", []string{"lab certs regenerate " + strings.Join(r.Renew, " ")}})
	}
	for _, f := range r.Files {
		if !e.isOfReplaced(f.Name) {
			edits = append(edits, Edit{f.Name, f.edited()})
		}
	}
	return edits
}

// editedFields returns the fields of a side that are changed, a line each.
func editedFields(change *yaml.Node) (lines []string) {
	for pair := range slices.Chunk(change.Content, 2) {
		if pair[1].ShortTag() == "!!null" {
			lines = append(lines, "  delete "+pair[0].Value)
			continue
		}
		lines = append(lines, indented("  ", encoded(&yaml.Node{Kind: yaml.MappingNode, Content: pair}))...)
	}
	return lines
}

// editedCertificate returns the document of a certificate in certs.yaml as the
// solution has it.
func (e *Exercise) editedCertificate(name string) []string {
	document := &yaml.Node{Kind: yaml.MappingNode}
	at, _ := manifestNodes(e.manifestText()) // it was written from what was read
	for _, d := range at {
		if nameOf(d) == name {
			document = d
		}
	}
	merge(document, e.Solution.Certificates[name])
	return indented("", encoded(document))
}

// edited returns what is changed in a file: with - before a line that goes, and
// + before one that comes.
func (f *NamedFile) edited() (lines []string) {
	switch {
	case f.Remove:
		return []string{"delete the file"}
	case f.Text != nil:
		return indented("", *f.Text)
	case f.Join != nil:
		return []string{"join " + strings.Join(f.Join, ", ")}
	case f.Derived != nil:
		return []string{"made of " + filepath.ToSlash(filepath.Join(certsFolder, f.Derived.From+".pem")) + ", in the form " + string(f.Derived.Form)}
	}
	for _, r := range f.Replaced {
		lines = append(append(lines, indented("- ", r.Replace)...), indented("+ ", r.With)...)
	}
	return lines
}

// encoded returns YAML; what was read can be written.
func encoded(n *yaml.Node) string {
	text, _ := encode("", n)
	return string(text)
}

// indented returns the lines of a text behind a lead.
func indented(lead, text string) (lines []string) {
	for line := range strings.Lines(text) {
		lines = append(lines, lead+strings.TrimRight(line, "\n"))
	}
	return lines
}

// RightAnswer returns the first right answer to a question in this work.
func (w *Work) RightAnswer(q *Question) string { return w.Values.fill(q.Answers[0]) }
