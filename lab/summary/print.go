package summary

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/verdict"
)

// Print writes a summary for people: how many connections there were, and a
// table of the causes, those of most connections first. Times are of local.
func (s *Summary) Print(p text.Printer, local *time.Location) {
	p.Paragraph("", 2, s.head(local))
	if s.IsEmpty() {
		return
	}
	p.Paragraph("  ", 2, s.outcomes())
	causes := s.sorted()
	if len(causes) == 0 {
		return
	}
	layout := time.TimeOnly
	if s.total.last.Sub(s.total.first) >= 24*time.Hour {
		layout = "2 Jan 15:04"
	}
	rows := [][]string{{"count", "since", "last", "who refuses whom: why"}}
	several := s.hasSeveralFiles()
	for _, c := range causes {
		r := s.causes.m[c]
		rows = append(rows, []string{text.Grouped(int64(r.count)), r.first.at.In(local).Format(layout), r.last.at.In(local).Format(layout),
			r.story(c) + " (" + r.streams(several) + ")"})
	}
	p.Line()
	p.Table(rows, 0, 0, 0, 20)
	if s.causes.more {
		p.Paragraph("", 2, fmt.Sprintf("There are more causes than %s: the first of them by the server's address are here.", text.Grouped(mostCauses)))
	}
}

// head says how many connections there are, and of what time.
func (s *Summary) head(local *time.Location) string {
	t := &s.total
	said := text.Counted(t.connections, "connection")
	if t.connections == 0 {
		return said + "."
	}
	const layout = "2 January 2006, 15:04:05"
	first, last := t.first.In(local), t.last.In(local)
	said += ", " + first.Format(layout)
	switch {
	case first.Format(layout) == last.Format(layout):
	case first.Format(time.DateOnly) == last.Format(time.DateOnly):
		said += " to " + last.Format(time.TimeOnly)
	case first.Year() == last.Year():
		said += " to " + last.Format("2 January, 15:04:05")
	default:
		said += " to " + last.Format(layout)
	}
	return said + last.Format(" MST") + ":"
}

// outcomes says how many connections ended in each way.
func (s *Summary) outcomes() string {
	rank := func(outcome string) int {
		return slices.Index([]string{string(verdict.Unknown), string(verdict.Broken), verdict.RefusedLater, string(verdict.Rejected), string(verdict.Accepted)}, outcome)
	}
	var counts []string
	for _, outcome := range slices.SortedFunc(maps.Keys(s.total.outcomes), func(a, b string) int { return cmp.Or(rank(b)-rank(a), strings.Compare(a, b)) }) {
		counts = append(counts, text.Grouped(int64(s.total.outcomes[outcome]))+" "+outcome)
	}
	return strings.Join(counts, ", ")
}

// story says who refuses whom, and why.
func (r *refusals) story(c cause) string {
	server := c.server.String()
	switch name := r.names.top(); {
	case len(r.names.m) == 1 && !r.names.more:
		server = fmt.Sprintf("%s (%s)", name, c.server)
	case len(r.names.m) > 1:
		server = fmt.Sprintf("%s (%s)", c.server, r.names.several("name"))
	}
	clients := "client " + r.clients.top()
	if len(r.clients.m) > 1 {
		clients = r.clients.several("client")
	}
	one, many, rest := verbs(c)
	switch c.by {
	case endpoint.Server:
		return fmt.Sprintf("server %s %s %s%s: %s", server, one, clients, rest, r.why(c))
	case endpoint.Client:
		if len(r.clients.m) > 1 {
			one = many
		}
		return fmt.Sprintf("%s %s server %s%s: %s", clients, one, server, rest, r.why(c))
	}
	return fmt.Sprintf("%s with server %s: %s", clients, server, r.why(c))
}

// verbs returns what one or many do to the other side.
func verbs(c cause) (one, many, rest string) {
	switch {
	case c.how == verdict.InHTTP:
		return "refuses", "refuse", " in HTTP"
	case c.how == verdict.Inside:
		return "refuses", "refuse", " inside TLS"
	case c.outcome == verdict.Broken:
		return "breaks off with", "break off with", " after the handshake"
	case c.how == verdict.Probably:
		return "very probably refuses", "very probably refuse", ""
	case c.how == verdict.Aborted:
		return "ends the handshake with", "end the handshake with", ""
	}
	return "refuses", "refuse", ""
}

// why is the code, or the alert where that says more, and what certificate it is
// about.
func (r *refusals) why(c cause) string {
	why := string(c.code)
	if v := (verdict.Verdict{Outcome: verdict.Rejected, Code: c.code}); c.alert != "" && v.IsVague() || why == "" {
		why = c.alert
	}
	switch {
	case len(r.certificates.m) == 1 && !r.certificates.more:
		why += ", " + r.certificates.top()
	case len(r.certificates.m) > 1:
		why += ", " + r.certificates.several("certificate")
	}
	return why
}

// several is "3 clients, 10.0.0.5 most".
func (t *tally) several(noun string) string {
	if t.more {
		return "more than " + text.Counted(len(t.m), noun)
	}
	return fmt.Sprintf("%s, %s most", text.Counted(len(t.m), noun), t.top())
}

// streams says where the first of the connections is, and the last.
func (r *refusals) streams(named bool) string {
	of := func(p *place) string {
		if !named || p.file == "" {
			return ""
		}
		return " of " + path.Base(filepath.ToSlash(p.file))
	}
	if r.count == 1 {
		return fmt.Sprintf("stream %d%s", r.first.stream, of(&r.first))
	}
	first := of(&r.first)
	if r.first.file == r.last.file {
		first = ""
	}
	return fmt.Sprintf("first stream %d%s, last %d%s", r.first.stream, first, r.last.stream, of(&r.last))
}

func (s *Summary) hasSeveralFiles() bool {
	file, any := "", false
	for _, r := range s.causes.m {
		for _, p := range []*place{&r.first, &r.last} {
			if any && p.file != file {
				return true
			}
			file, any = p.file, true
		}
	}
	return false
}
