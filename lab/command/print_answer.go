package command

import (
	"cmp"
	"fmt"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/glossary"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// most is how many scenarios an answer names besides the best.
const most = 4

// printAnswer writes what a search has found: of the best who refuses, why,
// and what to change; of the others how to tell them apart.
func (p *Program) printAnswer(found scenario.Found) {
	out, best := p.stdout(), found.Scenarios[0]
	out.Paragraph("", 2, best.Name, ": ", best.Title)
	out.Line()
	if found.Line != "" {
		like := ""
		if found.Times > 1 {
			like = fmt.Sprintf(" (and %d more like it)", found.Times-1)
		}
		out.Paragraph("line     ", 9, strings.TrimSpace(found.Line), like)
	}
	if found.Alert != nil {
		out.Paragraph("alert    ", 9, fmt.Sprintf("%s (%d): %s", found.Alert, *found.Alert, found.Alert.Note()))
	}
	who := whoRefusesIn(found)
	if found.Fix != "" && best.Side == "in, but not allowed" {
		who = "TLS is complete; the server refuses in the protocol inside it"
	}
	out.Paragraph("who      ", 9, who)
	for _, line := range [][2]string{{"teaches  ", best.Teaches}, {"fix      ", cmp.Or(found.Fix, fixOf(best, found.Refuses))}, {"evidence ", best.Evidence}, {"see      ", best.RFC}} {
		if line[1] != "" {
			out.Paragraph(line[0], 9, line[1])
		}
	}
	out.Paragraph("try      ", 9, "lab scenario run ", best.Name)
	p.printOthers(found.Others)
	others := found.Scenarios[1:min(len(found.Scenarios), most+1)]
	question := whoseLog(found)
	if len(others) > 0 || question != "" {
		out.Line()
	}
	if question != "" {
		out.Paragraph("", 0, question)
	}
	if len(others) == 0 {
		return
	}
	out.Line("The same message may mean:")
	for _, s := range others {
		out.Paragraph("  ", 4, s.Name, ": ", s.Title, ". ", s.Evidence)
	}
}

// printOthers writes what other lines of a log are about.
func (p *Program) printOthers(others []scenario.Other) {
	if len(others) == 0 {
		return
	}
	out := p.stdout()
	out.Line()
	out.Line("Other lines are about something else:")
	for _, o := range others[:min(len(others), 2*most)] {
		out.Paragraph("  ", 4, o.Scenario.Name, ": ", o.Scenario.Title, " (", text.Counted(o.Times, "line"), "), as in: ", strings.TrimSpace(o.Line))
	}
}

// whoseLog returns the question that tells who refuses if the message does not
// say; "": the answer to it would not tell.
func whoseLog(found scenario.Found) string {
	switch {
	case found.OwnFile, found.HungUp, !isUnsaid(found):
		return ""
	case found.Alert != nil:
		return "Whose log is it? The side that reports an alert has received it, as a rule: the other one refuses, and its log has the reason."
	case !verdict.IsEithers(lastExpectation(found.Scenarios[0]).Code):
		return ""
	}
	return "Whose log is it? The side that prints this refuses the other."
}

// whoRefusesIn says who refuses whom as the message shows, which may be the other
// way round than in the scenario. Where either side may be the one, and the
// message does not show which, it says so.
func whoRefusesIn(found scenario.Found) string {
	best := found.Scenarios[0]
	e := lastExpectation(best)
	switch {
	case found.OwnFile:
		return refusesOwnFiles
	case found.HungUp && found.Refuses == endpoint.Unknown:
		return "the message does not say; the side that prints it has lost the other one, and may not have read an alert of it"
	case found.HungUp:
		return fmt.Sprintf("the %v, or something between the two, ends the connection; the message does not show whether an alert came before", found.Refuses)
	case e.RejectedBy == endpoint.Unknown && e.Status >= 400 && found.Alert != nil:
		return "one side refuses the other with an alert: the side that reports it has received it, as a rule"
	case e.RejectedBy == endpoint.Unknown && e.Status >= 400: // the program may speak something else than HTTP
		return fmt.Sprintf("TLS is complete; the server refuses what the client asks for (in HTTP with status %d)", e.Status)
	case found.InHTTP && best.Side == "server rejects client":
		return "TLS is complete; the server refuses the client in HTTP"
	case best.Side == "no common ground" && found.Refuses == e.RejectedBy.Other():
		return fmt.Sprintf("the %v refuses the %v; the scenario shows it the other way round", found.Refuses, found.Refuses.Other())
	case isUnsaid(found):
		return fmt.Sprintf("the message does not say; in the scenario the %v refuses the %v", e.RejectedBy, e.RejectedBy.Other())
	case e.RejectedBy != endpoint.Unknown && verdict.IsEithers(e.Code) && found.Refuses != e.RejectedBy:
		return fmt.Sprintf("the %v refuses the %v: the reason is in the %v's log, and the %v has an alert alone; the scenario shows it the other way round", found.Refuses, found.Refuses.Other(), found.Refuses, found.Refuses.Other())
	}
	return whoRefuses(best)
}

// isUnsaid reports whether either side may be the one that refuses, and the
// message does not show which.
func isUnsaid(found scenario.Found) bool {
	e := lastExpectation(found.Scenarios[0])
	return e.RejectedBy != endpoint.Unknown && found.Refuses == endpoint.Unknown && (verdict.IsEithers(e.Code) || hasBothSides(found.Scenarios))
}

// hasBothSides reports whether the server refuses in some scenarios, and the
// client in others.
func hasBothSides(scenarios []*scenario.Scenario) bool {
	sides := map[string]bool{}
	for _, s := range scenarios {
		sides[s.Side] = true
	}
	return sides["server rejects client"] && sides["client rejects server"]
}

const refusesOwnFiles = "the program refuses its own files or settings, and has not begun to speak TLS"

// whoRefuses says who refuses whom in a scenario.
func whoRefuses(s *scenario.Scenario) string {
	e := lastExpectation(s)
	switch {
	case s.Side == "works":
		return "nobody refuses: this works"
	case s.Side == scenario.BeforeTheHandshake:
		return refusesOwnFiles
	case s.Side == scenario.LaterAsked:
		return "the server refuses the client after the handshake, once it has read the request"
	case len(s.Versions()) == 0 && s.Side == "client rejects server":
		return "the client refuses the server"
	case e.RejectedBy == endpoint.Unknown && e.Status == 200 && s.Side != "in, but not allowed":
		return "nobody refuses here; other programs do"
	case e.RejectedBy == endpoint.Unknown && e.Status > 0:
		return fmt.Sprintf("TLS is complete; the server refuses in HTTP, with status %d", e.Status)
	case e.RejectedBy == endpoint.Unknown:
		return s.Side
	case s.Side == "not even TLS":
		return fmt.Sprintf("the %s gives up; no handshake was completed", e.RejectedBy)
	case e.Alert == "":
		return fmt.Sprintf("the %s refuses the %s, without an alert", e.RejectedBy, e.RejectedBy.Other())
	}
	return fmt.Sprintf("the %s refuses the %s: the reason is in the %s's log, and the %s has an alert alone", e.RejectedBy, e.RejectedBy.Other(), e.RejectedBy, e.RejectedBy.Other())
}

// fixOf returns what to change: in the words of a verdict, which know nothing of
// the names in the scenario.
func fixOf(s *scenario.Scenario, refuses endpoint.Side) string {
	e := lastExpectation(s)
	by := e.RejectedBy
	if e.Code == verdict.Closed && refuses == by.Other() {
		return text.Sentence(verdict.FixOf(e.Code, refuses))
	}
	if by != endpoint.Unknown && refuses != endpoint.Unknown && verdict.IsEithers(e.Code) {
		by = refuses
	}
	if by == endpoint.Unknown {
		by = endpoint.Server
	}
	if e.Code == "" || s.Side == "not even TLS" || s.Side == "no common ground" {
		return s.Fix
	}
	fix := verdict.FixOf(e.Code, by)
	if fix == "" {
		return s.Fix
	}
	return text.Sentence(fix)
}

// printAlert writes what an alert means and where to look first.
func (p *Program) printAlert(alert tlswire.AlertDescription) {
	out := p.stdout()
	out.Paragraph("", 2, fmt.Sprintf("alert %d, %s: %s", alert, alert, alert.Note()))
	g, ok := scenario.GuideTo(alert)
	if !ok {
		return
	}
	out.Line()
	out.Paragraph("said by  ", 9, g.SentBy)
	out.Paragraph("look     ", 9, g.Look)
	for _, by := range []struct {
		lead  string
		names []string
	}{{"If the server sent it:", g.FromServer}, {"If the client sent it:", g.FromClient}} {
		if len(by.names) == 0 {
			continue
		}
		out.Line()
		out.Line(by.lead)
		for _, name := range by.names[:min(len(by.names), most+1)] {
			if s, err := scenario.Find(name); err == nil {
				out.Paragraph("  ", 4, s.Name, ": ", s.Title)
			}
		}
	}
}

func (p *Program) printAlertJSON(alert tlswire.AlertDescription) {
	g, _ := scenario.GuideTo(alert)
	p.printJSON(struct {
		Alert      int      `json:"alert"`
		Name       string   `json:"name"`
		Means      string   `json:"means"`
		SaidBy     string   `json:"said_by,omitempty"`
		Look       string   `json:"look,omitempty"`
		FromServer []string `json:"from_server,omitempty"` // scenarios
		FromClient []string `json:"from_client,omitempty"`
	}{int(alert), alert.String(), alert.Note(), g.SentBy, g.Look, g.FromServer, g.FromClient})
}

// printTerm writes a word of the glossary.
func (p *Program) printTerm(t glossary.Term) {
	out := p.stdout()
	name := t.Name
	if len(t.Also) > 0 {
		name += " (" + strings.Join(t.Also, ", ") + ")"
	}
	out.Paragraph("", 2, name)
	out.Paragraph("", 0, t.Means)
	out.Paragraph("see      ", 9, t.RFC)
	if len(t.Lessons) > 0 {
		out.Paragraph("try      ", 9, "lab scenario run ", strings.Join(t.Lessons, " "))
	}
}

// failing is what to do first with a connection that fails, by what is there.
var failing = [][]string{
	{"a message", "lab explain 'the message'; a log: | lab explain --message -"},
	{"an alert", "lab explain 48, or lab explain unknown_ca"},
	{"a capture", "lab explain dump.pcap, and --keylog FILE if there are keys"},
	{"a client", "lab exec --capture x.pcap -- curl https://HOST/ records it"},
	{"no proxy", "java, node, psql: add --tap LISTEN=HOST:PORT, call LISTEN"},
	{"files alone", "lab check FILE..., and --server FILES --client FILES of both sides"},
	{"a server", "lab client --url https://HOST/ says what it asks for"},
	{"nothing", "tcpdump -w dump.pcap port 443, and make it fail"},
}

// printFailing writes lab help failing.
func (p *Program) printFailing() {
	p.stdout().Paragraph("", 0, "What to do first with a connection that fails; what is there?")
	p.stdout().Table(failing, 0, 0)
	p.stdout().Paragraph("", 0, "The side that refuses has the reason in its log, the other an alert alone.")
	p.stdout().Paragraph("", 0, "The same fault, made on purpose: lab scenario run NAME.")
}
