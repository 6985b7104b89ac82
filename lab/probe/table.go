package probe

import (
	"slices"
	"strings"

	"mtlslab.example/lab/lab/text"
)

// Table prints findings while they come: a line for each case, or several where
// versions of TLS differ.
type Table struct {
	text.Printer
	Names int  // columns for the names of cases
	Peers bool // Finding.Peer and Certificate are told

	left []*Finding // that are not tried, until Rest prints them
}

// marks are what each judgement begins its line with.
var marks = map[Judgement]string{Right: "ok", Wrong: "ALARM", Warning: "note", Unknown: "?", Left: "-"}

const (
	markColumns     = 6
	versionsColumns = 8
)

// Head prints the head of the table.
func (t *Table) Head() { t.line("", "CASE", "TLS", "WHAT HAPPENED (late: after handshake)") }

// Row prints the findings of one case.
func (t *Table) Row(findings ...*Finding) {
	name := ""
	for i, f := range findings {
		if f.Judgement == Left {
			t.left = append(t.left, f)
			continue
		}
		if i > 0 && f.sameWords(findings[i-1]) {
			continue
		}
		var versions []string
		for _, o := range findings[i:] {
			if !f.sameWords(o) {
				break
			}
			if number, ok := strings.CutPrefix(o.TLS, "TLS "); ok {
				versions = append(versions, number)
			}
		}
		if i == 0 {
			name = f.Case
		}
		t.line(f.mark(), name, strings.Join(versions, " "), f.told(t.Peers))
		name = ""
	}
}

// Rest prints what was not tried, a paragraph for each reason.
func (t *Table) Rest() {
	for len(t.left) > 0 {
		reason := t.left[0].Reason
		var names []string
		t.left = slices.DeleteFunc(t.left, func(f *Finding) bool {
			if f.Reason == reason {
				names = append(names, f.Case+strings.TrimSuffix(" in "+f.TLS, " in "))
			}
			return f.Reason == reason
		})
		lead := text.Pad(marks[Left], markColumns)
		t.Paragraph(lead, len(lead)+2, strings.SplitAfter(text.Joined(names, "and")+": not tried, "+reason, " ")...)
	}
}

func (f *Finding) mark() string {
	if f.Accepted {
		return "known"
	}
	return marks[f.Judgement]
}

// told is what a line says of a finding.
func (f *Finding) told(peer bool) string {
	said := f.Words()
	if f.Judgement == Unknown && f.Reason != "" {
		said += ": " + f.Reason
	}
	if peer && f.Peer != "" {
		said += ", by " + f.Peer
	}
	if peer && f.Certificate != "" {
		said += ", with " + f.Certificate
	}
	return said
}

func (f *Finding) sameWords(o *Finding) bool {
	return f.mark() == o.mark() && f.told(true) == o.told(true)
}

func (t *Table) line(mark, name, versions, said string) {
	lead := text.Pad(mark, markColumns) + text.Pad(name, t.Names+2) + text.Pad(versions, versionsColumns)
	t.Paragraph(lead, len(lead), strings.SplitAfter(said, " ")...)
}
