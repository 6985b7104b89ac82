package command

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/check"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// printDocument writes a document as it is, so that it can be kept; a terminal
// gets it clean.
func (p *Program) printDocument(document []byte, ascii bool) {
	if p.stdout().Columns == 0 && !ascii {
		_, _ = p.results.Write(document)
		return
	}
	for _, line := range p.charset.Lines(string(document)) {
		p.stdout().Line(line)
	}
}

// printScenarios writes a table of scenarios for each side, by topic.
func (p *Program) printScenarios(all []*scenario.Scenario) {
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Side == all[0].Side {
			n++
		}
		p.printSide(all[:n])
		p.stdout().Line()
		all = all[n:]
	}
	p.printEnds()
}

// printSide writes the scenarios of one side, by topic.
func (p *Program) printSide(side []*scenario.Scenario) {
	p.stdout().Line(side[0].Side)
	rows := [][]string{{"  TOPIC", "NAME", "END", "WHAT HAPPENS"}}
	topic := ""
	for _, s := range side {
		shown := "  " + s.Topic
		if s.Topic == topic {
			shown = ""
		}
		topic = s.Topic
		rows = append(rows, []string{shown, s.Name, end(s), s.Title})
	}
	p.stdout().Table(rows, 0, 0, 0, 16)
}

// printFound writes what a search has found, best first.
func (p *Program) printFound(found []*scenario.Scenario) {
	rows := [][]string{{"NAME", "END", "WHAT HAPPENS"}}
	for _, s := range found {
		rows = append(rows, []string{s.Name, end(s), s.Title})
	}
	p.stdout().Table(rows, 0, 0, 16)
	p.stdout().Line()
	p.printEnds()
}

// end returns how a scenario ends in its newest version: with the number of an
// alert or an HTTP status, or without an alert.
func end(s *scenario.Scenario) string {
	e := lastExpectation(s)
	switch {
	case len(s.Versions()) == 0:
		return "-"
	case e.RejectedBy == endpoint.Unknown && e.Status >= 400:
		return strconv.Itoa(e.Status)
	case e.RejectedBy == endpoint.Unknown:
		return "ok"
	}
	for code := range tlswire.AlertDescription(255) {
		if code.String() == e.Alert {
			return strconv.Itoa(int(code))
		}
	}
	return "-"
}

// lastExpectation returns that of the scenario's newest version, none of one
// that is not run on the wire.
func lastExpectation(s *scenario.Scenario) (e scenario.Expectation) {
	if versions := s.Versions(); len(versions) > 0 {
		e = s.Expect[versions[len(versions)-1]]
	}
	return e
}

// printEnds explains them.
func (p *Program) printEnds() {
	p.stdout().Paragraph("END  ", 5, "the number of the alert in TLS 1.3, or of the HTTP status; - is an end without an alert, or before one could be sent. lab scenario run NAME lets it happen.")
}

func (p *Program) printScenarioJSON(s *scenario.Scenario) { p.printJSON(listed(s)) }

// listedScenario is a scenario as JSON.
type listedScenario struct {
	Name     string   `json:"name"`
	Title    string   `json:"title"`
	Side     string   `json:"side"`
	Topic    string   `json:"topic"`
	Versions []string `json:"versions"`

	Expect map[string]listedExpectation `json:"expect"` // by version
	Codes  []verdict.Code               `json:"codes"`
	Alerts []int                        `json:"alerts"` // numbers, also of what other programs send
}

type listedExpectation struct {
	RejectedBy endpoint.Side `json:"rejected_by,omitempty"`
	Alert      string        `json:"alert,omitempty"`
	Code       verdict.Code  `json:"code,omitempty"`
	Status     int           `json:"status,omitempty"`
}

func listed(s *scenario.Scenario) listedScenario {
	var versions []string
	expect, codes, alerts := map[string]listedExpectation{}, []verdict.Code{}, []int{}
	for _, v := range s.Versions() {
		e := s.Expect[v]
		versions = append(versions, tls.VersionName(v))
		expect[tls.VersionName(v)] = listedExpectation{e.RejectedBy, e.Alert, e.Code, e.Status}
		if e.Code != "" && !slices.Contains(codes, e.Code) {
			codes = append(codes, e.Code)
		}
	}
	for _, code := range s.Alerts() {
		alerts = append(alerts, int(code))
	}
	return listedScenario{s.Name, s.Title, s.Side, s.Topic, versions, expect, codes, alerts}
}

func (p *Program) printRunJSON(r *scenario.Result) {
	p.printJSON(struct {
		Scenario   string        `json:"scenario"`
		TLS        string        `json:"tls"`
		AsExpected bool          `json:"as_expected"`
		Wrong      []string      `json:"wrong,omitempty"` // what is not as expected
		Capture    string        `json:"capture"`
		Exchange   *lab.Exchange `json:"exchange"`
	}{r.Scenario.Name, tls.VersionName(r.Version), len(r.Wrong) == 0, r.Wrong, r.Capture, r.Exchange})
}

// printBrief writes one line for a scenario, and what is not as expected.
func (p *Program) printBrief(runs []*scenario.Result) {
	for i, r := range runs {
		name := r.Scenario.Name
		if i > 0 {
			if len(r.Wrong) == 0 && outcome(r.Exchange) == outcome(runs[0].Exchange) {
				continue
			}
			name = ""
		}
		version := tls.VersionName(r.Version)
		if i == 0 && len(runs) == 2 && outcome(r.Exchange) == outcome(runs[1].Exchange) {
			version = "both"
		}
		p.printOutcome(name, version, briefly(r.Exchange))
		p.printWrong(r)
	}
}

// printOutcome writes a line in columns, or two where there is no room for it.
func (p *Program) printOutcome(name, version, ended string) {
	const widest = 32
	out := p.stdout()
	if widest+len(version)+len(ended)+4 > out.Width() && name != "" {
		out.Line(name)
		name = ""
	}
	indent := widest
	if out.Width() < text.Usual {
		indent = 8
	}
	out.Paragraph(fmt.Sprintf("%s %-7s ", text.Pad(p.charset.Clean(name), indent), version), indent+10, ended)
}

// briefly returns a verdict in fewer words than outcome.
func briefly(x *lab.Exchange) string {
	switch {
	case x.Outcome == verdict.Accepted:
		return outcome(x)
	case x.Outcome == verdict.Broken && x.Alert != nil:
		return fmt.Sprintf("broken off by the %s, %s", x.Alert.SentBy, x.Alert.Name)
	case x.Alert == nil:
		return fmt.Sprintf("by the %s, no alert", x.RejectedBy)
	}
	return fmt.Sprintf("by the %s: %s", x.RejectedBy, x.Alert.Name)
}

func (p *Program) printWrong(r *scenario.Result) {
	for _, wrong := range r.Wrong {
		p.stdout().Paragraph("  ", 6, fmt.Sprintf("not as expected in %s: ", tls.VersionName(r.Version)), wrong)
	}
}

// outcome returns a verdict in a few words.
func outcome(x *lab.Exchange) string {
	switch {
	case x.IsDenied() && x.HTTP != nil:
		return fmt.Sprintf("%s, %v", x.How, x.HTTP.Statuses())
	case x.IsDenied():
		return string(x.How)
	case x.Outcome == verdict.Accepted && x.HTTP != nil && slices.Max(x.HTTP.Statuses()) >= 400:
		return fmt.Sprintf("accepted, then HTTP %v", x.HTTP.Statuses())
	case x.Outcome == verdict.Accepted:
		return "accepted"
	case x.Outcome == verdict.Broken && x.Alert != nil:
		return fmt.Sprintf("broken off by the %s, %s", x.Alert.SentBy, x.Alert.Name)
	case x.Outcome == verdict.Unknown:
		return "no handshake"
	case x.Alert == nil:
		return fmt.Sprintf("rejected by the %s, no alert", x.RejectedBy)
	}
	return fmt.Sprintf("rejected by the %s, %s", x.RejectedBy, x.Alert.Name)
}

// printRuns writes the outcome of a scenario in each version: the texts of both
// sides in two columns, once where the versions agree.
func (p *Program) printRuns(runs []*scenario.Result) {
	if len(runs) == 0 {
		return
	}
	s := runs[0].Scenario
	p.stdout().Paragraph("", 2, s.Name, ": ", s.Title)
	ends := make([]check.Handshake, len(runs))
	for i, r := range runs {
		ends[i] = check.Handshake{Version: r.Version, Exchange: r.Exchange}
	}
	p.printHandshakes(ends)
	last := runs[len(runs)-1].Exchange
	for _, line := range []struct{ name, value string }{
		{"verdict", last.Reason}, {"reason", s.Reason}, {"fix", s.Fix}, {"teaches", s.Teaches}, {"OpenSSL", s.OpenSSL}, {"see", s.RFC},
	} {
		p.printNamed(line.name, line.value)
	}
	for _, r := range runs {
		p.printNamed("capture", "wireshark "+commandWord(r.Capture))
		p.printWrong(r)
	}
	p.stdout().Line()
}

// currentTime matches the time in an error of crypto/x509. It differs between two
// handshakes that say the same.
var currentTime = text.Pattern(`current time \S+`)

// printHandshakes writes what both sides say in each version, once where the
// versions agree.
func (p *Program) printHandshakes(all []check.Handshake) {
	columns := make([][2]string, len(all))
	for i, h := range all {
		columns[i] = [2]string{words(&h.Exchange.Server), words(&h.Exchange.Client)}
	}
	for i, h := range all {
		version := tls.VersionName(h.Version)
		same := func(j int) bool {
			return outcome(h.Exchange) == outcome(all[j].Exchange) && timeless(columns[i]) == timeless(columns[j])
		}
		if i > 0 && same(i-1) {
			continue
		}
		if i == 0 && len(all) == 2 && same(1) {
			version = "TLS 1.2 and TLS 1.3"
		}
		p.stdout().Line()
		p.stdout().Paragraph("", 2, version+": "+withAlert(h.Exchange))
		p.printColumns(columns[i])
	}
	p.stdout().Line()
}

// timeless returns what both sides say without the time of the clock.
func timeless(said [2]string) [2]string {
	for i := range said {
		said[i] = currentTime().ReplaceAllString(said[i], "")
	}
	return said
}

// drawRuns draws what was said in each version.
func (p *Program) drawRuns(runs []*scenario.Result, f folder, o ladder.Options) {
	for _, r := range runs {
		wire := r.Exchange.Wire
		if wire == nil {
			continue
		}
		(&report{Program: p, certs: r.Scenario.Certs(f.certs()), trusts: trustsOf(r, f)}).check(wire)
		_ = ladder.Draw(p.results, wire, &r.Exchange.Verdict, o)
		p.stdout().Line()
	}
}

// trustsOf are what the sides of a run trust.
func trustsOf(r *scenario.Result, f folder) (by trusts) {
	if server, err := r.Scenario.ServerSettings(f.certs(), r.Version); err == nil {
		by.server = server.Credentials
	}
	if client, err := r.Scenario.ClientSettings(f.certs(), r.Version); err == nil {
		by.client = client.Credentials
	}
	return by
}

func (p *Program) printNamed(name, value string) {
	if value != "" {
		p.stdout().Paragraph(fmt.Sprintf("%-9s", name), 9, value)
	}
}

// withAlert is the outcome with the alert's number and whether it arrived.
func withAlert(x *lab.Exchange) string {
	if x.Outcome == verdict.Rejected && x.Alert != nil {
		return "rejected by the " + x.RejectedBy.String() + "; alert " + describeAlert(x.Alert)
	}
	return outcome(x)
}

// words returns what a side reports of its end, a paragraph each.
func words(p *lab.Party) string {
	said := []string{cmp.Or(text.Clean(p.Error), "nothing is wrong")}
	if p.State != "" {
		said = append(said, "Got as far as: "+string(p.State)+".")
	}
	if p.Learned != "" {
		said = append(said, "Learned of it "+string(p.Learned)+".")
	}
	return strings.Join(said, "\n")
}

// printColumns writes what the two sides say next to each other.
func (p *Program) printColumns(said [2]string) {
	const indent, hang = 2, 2
	out := p.stdout()
	column := (out.Width() - indent - 2) / 2
	var sides [2][]string
	for i, heading := range []string{"the server says", "the client says"} {
		sides[i] = []string{heading, strings.Repeat("─", len(heading))}
		for paragraph := range strings.SplitSeq(said[i], "\n") {
			for n, line := range text.Fold(p.charset.Clean(paragraph), column-hang) {
				if n > 0 {
					line = strings.Repeat(" ", hang) + line
				}
				sides[i] = append(sides[i], line)
			}
		}
	}
	for i := range max(len(sides[0]), len(sides[1])) {
		var left, right string
		if i < len(sides[0]) {
			left = sides[0][i]
		}
		if i < len(sides[1]) {
			right = sides[1][i]
		}
		out.Line(strings.Repeat(" ", indent), text.Pad(left, column), "  ", right)
	}
}
