package scenario

import (
	"crypto/tls"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/tlswire"
)

// alertTable writes the rows, TLS 1.2 and 1.3 in one where they agree.
func alertTable(t *testing.T, rows []*peerRow) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Alerts: who says what\n\nMeasured by `go test ./lab/scenario -run Peers -update`, with\n\n- %s\n- %s\n\n", programVersion(t, "openssl", "version"), programVersion(t, "curl", "--version"))
	b.WriteString("In each column one side is the lab's, and so Go's crypto/tls; the scenario says which of the\ntwo is at fault. Servers that are not the lab's look at CRLs only in the scenarios about revocation\n(`-crl_check_all`).\n")
	for _, side := range Sides {
		var of []*peerRow
		for _, r := range rows {
			if r.scenario.Side == side {
				of = append(of, r)
			}
		}
		if len(of) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n| scenario | TLS | lab and lab | `s_server`, called by the lab | `s_client` calls the lab | `curl` calls the lab |\n|---|---|---|---|---|---|\n", side)
		for i, r := range of {
			cells := func(r *peerRow) []string { return []string{r.goGo, r.sServer, r.sClient, r.curl} }
			version := strings.TrimPrefix(tls.VersionName(r.version), "TLS ")
			if i+1 < len(of) && of[i+1].scenario == r.scenario && slices.Equal(cells(r), cells(of[i+1])) {
				version = "both"
			}
			if i > 0 && of[i-1].scenario == r.scenario && slices.Equal(cells(r), cells(of[i-1])) {
				continue
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", r.scenario.Name, version, strings.Join(numbered(cells(r)), " | "))
		}
	}
	return b.String()
}

// numbered adds their numbers to alerts.
func numbered(cells []string) []string {
	for i, cell := range cells {
		name, rest, _ := strings.Cut(cell, ",")
		for code := range tlswire.AlertDescription(255) {
			if code.String() == name {
				cells[i] = name + " (" + strconv.Itoa(int(code)) + ")"
				if rest != "" {
					cells[i] += "," + rest
				}
			}
		}
	}
	return cells
}

func programVersion(t *testing.T, program string, flag string) string {
	out, err := exec.Command(program, flag).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(out))[:2], " ")
}

// versions is the part of the table that names the programs.
func versions(table string) string {
	return strings.Join(regexp.MustCompile(`(?m)^- .*$`).FindAllString(table, -1), " ")
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
