package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
)

// stackSheet writes the table of stacks for people.
func stackSheet(t *testing.T, table *Table) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# What each stack says

The same faults, met by other TLS programs: the line that each one logs, the alert on the wire, and
the side whose log has the reason. The other end was always the lab, and so Go's crypto/tls.
` + "`lab explain 'A LINE'`" + ` searches these lines, too. The data is [stacks.json](stacks.json); its fields
are in [README.md](README.md#the-table-of-stacks).

Stacks that could not be run here have lines that others have published, each with its source; the
other end, the version and what is not written there is not known.

Where a line was otherwise in each run it has TIME, PORT or PID. What OpenSSL, Node.js and Python
say depends on their version of OpenSSL: the words stay, the numbers of lines do not.

| stack | version | measured | as a client | as a server |
|---|---|---|---|---|
`)
	for _, s := range table.Stacks {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", s.Name, s.Version, cmp.Or(s.Measured, "recorded"), codeOrDash(s.Client), codeOrDash(s.Server))
	}
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	side := ""
	for _, s := range all {
		runs := slices.DeleteFunc(slices.Clone(table.Runs), func(r StackRun) bool { return r.Scenario != s.Name || r.Outcome == "accepted" })
		if len(runs) == 0 {
			continue
		}
		if s.Side != side {
			side = s.Side
			fmt.Fprintf(&b, "\n## %s\n", strings.ToUpper(side[:1])+side[1:])
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s.\n", s.Name, s.Title)
		for _, as := range []endpoint.Side{endpoint.Server, endpoint.Client} {
			of := slices.DeleteFunc(slices.Clone(runs), func(r StackRun) bool { return r.As != as })
			if len(of) == 0 {
				continue
			}
			fmt.Fprintf(&b, "\n| as a %v | TLS | says | ends with | reason in |\n|---|---|---|---|---|\n", as)
			for _, r := range of {
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.Stack, cmp.Or(strings.Join(r.TLS, ", "), "?"), r.said(), r.end(), r.reasonIn())
			}
		}
	}
	return b.String()
}

// said is what the stack says, in a cell.
func (r StackRun) said() string {
	if len(r.Says) == 0 {
		return "nothing"
	}
	var cells []string
	for _, line := range r.Says {
		cells = append(cells, code(line))
	}
	if r.Source != "" {
		cells = append(cells, "([source]("+r.Source+"))")
	}
	return strings.Join(cells, "<br>")
}

// end is how it ends: who refused whom, with which alert and status.
func (r StackRun) end() string {
	var parts []string
	switch r.Outcome {
	case "rejected":
		parts = append(parts, fmt.Sprintf("the %v refuses", r.By))
	case "closed":
		parts = append(parts, fmt.Sprintf("the %v closes after the handshake", r.By))
	case "refused in HTTP":
		parts = append(parts, "the server refuses in HTTP")
	default:
		parts = append(parts, r.Outcome)
	}
	if alert, ok := AlertNamed(r.Alert); ok {
		parts = append(parts, fmt.Sprintf("%s (%d)", r.Alert, alert))
	}
	if r.HTTP != 0 {
		parts = append(parts, fmt.Sprintf("HTTP %d", r.HTTP))
	}
	if r.Exit != nil {
		parts = append(parts, fmt.Sprintf("exit %d", *r.Exit))
	}
	return strings.Join(parts, ", ")
}

func (r StackRun) reasonIn() string {
	switch r.Reason {
	case endpoint.Unknown:
		return "neither's log"
	case r.As:
		return "its own log"
	}
	return fmt.Sprintf("the %v's log", r.Reason)
}

// code writes a line as code in a cell.
func code(line string) string {
	return "`" + strings.NewReplacer("|", `\|`, "`", "'").Replace(line) + "`"
}

func codeOrDash(text string) string {
	if text == "" {
		return "–"
	}
	return code(text)
}

// difference is the lines that are in one text alone.
func difference(want, got string) string {
	var b strings.Builder
	wanted, gotten := strings.Split(want, "\n"), strings.Split(got, "\n")
	for _, line := range wanted {
		if !slices.Contains(gotten, line) {
			b.WriteString("- " + line + "\n")
		}
	}
	for _, line := range gotten {
		if !slices.Contains(wanted, line) {
			b.WriteString("+ " + line + "\n")
		}
	}
	return b.String()
}
