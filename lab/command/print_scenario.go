package command

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/tlswire"
)

// printScenarios writes the table of scenarios.
func (p *Program) printScenarios(all []*scenario.Scenario) {
	for i := 0; i < len(all); {
		n := i
		for n < len(all) && all[n].Side == all[i].Side {
			n++
		}
		if i > 0 {
			fmt.Fprintln(p.Stdout)
		}
		p.printSide(all[i:n])
		i = n
	}
	p.printEnds()
}

// printSide writes the scenarios of one side, by topic.
func (p *Program) printSide(side []*scenario.Scenario) {
	fmt.Fprintln(p.Stdout, side[0].Side)
	topics, names := 0, 0
	for _, s := range side {
		topics, names = max(topics, len(s.Topic)), max(names, len(s.Name))
	}
	indent := strings.Repeat(" ", 2+topics+2+names+2+ends+2)
	topic := ""
	for _, s := range side {
		shown := s.Topic
		if shown == topic {
			shown = ""
		}
		topic = s.Topic
		fmt.Fprintf(p.Stdout, "  %-*s  %-*s  %-*s  %s\n", topics, shown, names, s.Name, ends, end(s), fold(s.Title, width-len(indent), "\n"+indent))
	}
}

// printFound writes what a search has found, best first.
func (p *Program) printFound(found []*scenario.Scenario) {
	names := 0
	for _, s := range found {
		names = max(names, len(s.Name))
	}
	indent := strings.Repeat(" ", names+2+ends+2)
	for _, s := range found {
		fmt.Fprintf(p.Stdout, "%-*s  %-*s  %s\n", names, s.Name, ends, end(s), fold(s.Title, width-len(indent), "\n"+indent))
	}
	p.printEnds()
}

const ends = 3 // the width of end

// end is how a scenario ends in its newest version: with the number of an
// alert or an HTTP status, or without an alert.
func end(s *scenario.Scenario) string {
	versions := s.Versions()
	e := s.Expect[versions[len(versions)-1]]
	switch {
	case e.RejectedBy == "" && e.Status >= 400:
		return strconv.Itoa(e.Status)
	case e.RejectedBy == "":
		return "ok"
	}
	for code := range tlswire.AlertDescription(255) {
		if code.String() == e.Alert {
			return strconv.Itoa(int(code))
		}
	}
	return "-"
}

// printEnds explains them.
func (p *Program) printEnds() {
	fmt.Fprintln(p.Stdout, "\nThe number is that of the alert in TLS 1.3, or of the HTTP status;\n- is an end without an alert. lab scenario run NAME lets it happen.")
}

func (p *Program) printScenarioJSON(s *scenario.Scenario) {
	type expectation struct {
		RejectedBy lab.Side `json:"rejected_by,omitempty"`
		Alert      string   `json:"alert,omitempty"`
		Code       lab.Code `json:"code,omitempty"`
		Status     int      `json:"status,omitempty"`
	}
	var versions []string
	expect, codes, alerts := map[string]expectation{}, []lab.Code{}, []int{}
	for _, v := range s.Versions() {
		e := s.Expect[v]
		versions = append(versions, tls.VersionName(v))
		expect[tls.VersionName(v)] = expectation{e.RejectedBy, e.Alert, e.Code, e.Status}
		if e.Code != "" && !slices.Contains(codes, e.Code) {
			codes = append(codes, e.Code)
		}
	}
	for _, code := range s.Alerts() {
		alerts = append(alerts, int(code))
	}
	p.printJSON(struct {
		Name     string   `json:"name"`
		Title    string   `json:"title"`
		Side     string   `json:"side"`
		Topic    string   `json:"topic"`
		Versions []string `json:"versions"`

		Expect map[string]expectation `json:"expect"` // by version
		Codes  []lab.Code             `json:"codes"`
		Alerts []int                  `json:"alerts"` // numbers, also of what other programs send
	}{s.Name, s.Title, s.Side, s.Topic, versions, expect, codes, alerts})
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
		fmt.Fprintf(p.Stdout, "%-32s %-7s %s\n", name, version, briefly(r.Exchange))
		p.printWrong(r)
	}
}

// briefly is a verdict in fewer words than outcome's.
func briefly(x *lab.Exchange) string {
	switch {
	case x.Outcome == lab.Accepted:
		return outcome(x)
	case x.Alert == nil:
		return fmt.Sprintf("by the %s, no alert", x.RejectedBy)
	}
	return fmt.Sprintf("by the %s: %s", x.RejectedBy, x.Alert.Name)
}

func (p *Program) printWrong(r *scenario.Result) {
	for _, wrong := range r.Wrong {
		said := fmt.Sprintf("not as expected in %s: %s", tls.VersionName(r.Version), printable(wrong))
		fmt.Fprintf(p.Stdout, "  %s\n", fold(said, width-6, "\n      "))
	}
}

// outcome is a verdict in a few words.
func outcome(x *lab.Exchange) string {
	switch {
	case x.Outcome == lab.Accepted && x.HTTP != nil && x.HTTP.Status >= 400:
		return fmt.Sprintf("accepted, then HTTP %d", x.HTTP.Status)
	case x.Outcome == lab.Accepted:
		return "accepted"
	case x.Alert == nil:
		return fmt.Sprintf("rejected by the %s, no alert", x.RejectedBy)
	}
	return fmt.Sprintf("rejected by the %s, %s", x.RejectedBy, x.Alert.Name)
}

// printRuns writes what became of a scenario in each version: both sides' own
// words in two columns, once where the versions agree.
func (p *Program) printRuns(runs []*scenario.Result) {
	if len(runs) == 0 {
		return
	}
	s := runs[0].Scenario
	fmt.Fprintln(p.Stdout, fold(printable(s.Name+": "+s.Title), width, "\n  "))
	columns := make([][2]string, len(runs))
	for i, r := range runs {
		columns[i] = [2]string{words(&r.Exchange.Server), words(&r.Exchange.Client)}
	}
	for i, r := range runs {
		version := tls.VersionName(r.Version)
		same := func(j int) bool {
			return outcome(r.Exchange) == outcome(runs[j].Exchange) && columns[i] == columns[j]
		}
		if i > 0 && same(i-1) {
			continue
		}
		if i == 0 && len(runs) == 2 && same(1) {
			version = "TLS 1.2 and TLS 1.3"
		}
		fmt.Fprintf(p.Stdout, "\n%s\n", fold(version+": "+withAlert(r.Exchange), width, "\n  "))
		p.printColumns(columns[i])
	}
	fmt.Fprintln(p.Stdout)
	last := runs[len(runs)-1].Exchange
	for _, line := range []struct{ name, value string }{
		{"verdict", last.Reason}, {"reason", s.Reason}, {"fix", s.Fix}, {"teaches", s.Teaches}, {"OpenSSL", s.OpenSSL}, {"see", s.RFC},
	} {
		p.printNamed(line.name, line.value)
	}
	for _, r := range runs {
		p.printNamed("capture", "wireshark "+r.Capture)
		p.printWrong(r)
	}
	fmt.Fprintln(p.Stdout)
}

// drawRuns draws what was said in each version.
func (p *Program) drawRuns(runs []*scenario.Result, f folder, o ladder.Options) {
	for _, r := range runs {
		wire := r.Exchange.Wire
		if wire == nil {
			continue
		}
		var by trusts
		if server, err := r.Scenario.ServerSettings(f.certs(), r.Version); err == nil {
			by.server = server.Credentials
		}
		if client, err := r.Scenario.ClientSettings(f.certs(), r.Version); err == nil {
			by.client = client.Credentials
		}
		(&report{certs: r.Scenario.Certs(f.certs()), trusts: by}).check(wire)
		_ = ladder.Draw(p.Stdout, wire, o)
		fmt.Fprintln(p.Stdout)
	}
}

func (p *Program) printNamed(name, value string) {
	if value != "" {
		fmt.Fprintf(p.Stdout, "%-9s%s\n", name, fold(printable(value), width-9, "\n"+strings.Repeat(" ", 9)))
	}
}

// withAlert is the outcome with the alert's number and whether it arrived.
func withAlert(x *lab.Exchange) string {
	if x.Outcome == lab.Rejected && x.Alert != nil {
		return "rejected by the " + string(x.RejectedBy) + "; alert " + describeAlert(x.Alert)
	}
	return outcome(x)
}

// words are what a side says of its end.
func words(p *lab.Party) string {
	said := p.Error
	if said == "" {
		said = "nothing is wrong"
	}
	if p.State != "" {
		said += "\nGot as far as: " + string(p.State) + "."
	}
	if p.Learned != "" {
		said += "\nLearned of it " + string(p.Learned) + "."
	}
	return printable(said)
}

// printColumns writes what the two sides say next to each other.
func (p *Program) printColumns(said [2]string) {
	const column = (width - 4) / 2
	var lines [2][]string
	for i, heading := range []string{"the server says", "the client says"} {
		lines[i] = []string{heading, strings.Repeat("─", len(heading))}
		for _, part := range strings.Split(said[i], "\n") {
			lines[i] = append(lines[i], strings.Split(fold(part, column, "\n"), "\n")...)
		}
	}
	for i := range max(len(lines[0]), len(lines[1])) {
		var left, right string
		if i < len(lines[0]) {
			left = lines[0][i]
		}
		if i < len(lines[1]) {
			right = lines[1][i]
		}
		pad := max(column-len([]rune(left)), 0)
		fmt.Fprintln(p.Stdout, strings.TrimRight("  "+left+strings.Repeat(" ", pad)+"  "+right, " "))
	}
}
