package command

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab"
)

// width is that of a terminal, in columns, which results keep to.
const width = 80

// printJSON writes v on a line of its own.
func (p *Program) printJSON(v any) {
	encoder := json.NewEncoder(p.Stdout)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v)
}

// printExchange writes what became of an exchange.
func (p *Program) printExchange(x *lab.Exchange, verbose bool) {
	switch {
	case x.Outcome == lab.Accepted:
		status := "no request"
		if x.HTTP != nil {
			status = fmt.Sprint(x.HTTP.Status)
		}
		resumed := ""
		if x.TLS.Resumed {
			resumed = "resumed"
		}
		what := filled(printable(cmp.Or(x.Client.Certificate, "no certificate")), x.TLS.Version, x.TLS.Group, resumed, status)
		fmt.Fprintf(p.Stdout, "%4d  accepted  %s  %.1f ms\n", x.Number, strings.Join(what, "  "), x.DurationMS)
	default:
		verdict := fmt.Sprintf("rejected by the %s: %s", x.RejectedBy, printable(x.Reason))
		fmt.Fprintf(p.Stdout, "%4d  %s\n", x.Number, fold(verdict, width-6, "\n      "))
	}
	if x.Outcome == lab.Rejected || x.Reason != "" || verbose {
		p.printDetails(x)
	}
}

// printDetails writes a line for each thing that is known of an exchange.
func (p *Program) printDetails(x *lab.Exchange) {
	resumed := ""
	if x.TLS.Resumed {
		resumed = ", resumed"
	}
	alert := ""
	if x.Alert != nil {
		alert = describeAlert(x.Alert)
	}
	but := ""
	if x.Outcome == lab.Accepted {
		but = x.Reason
	}
	for _, line := range []struct{ name, value string }{
		{"but", but},
		{"fix", x.Fix},
		{"alert", alert},
		{"server", saidBy(x.Server)},
		{"client", saidBy(x.Client)},
		{"tls", strings.Join(filled(x.TLS.Version, x.TLS.CipherSuite, x.TLS.Group, x.TLS.ALPN), ", ") + resumed},
		{"from", x.ClientAddr + " to " + x.ServerAddr},
	} {
		if value := printable(line.value); value != "" {
			fmt.Fprintf(p.Stdout, "      %-8s%s\n", line.name, fold(value, width-14, "\n"+strings.Repeat(" ", 14)))
		}
	}
}

// describeAlert writes an alert on one line.
func describeAlert(a *lab.Alert) string {
	s := fmt.Sprintf("%s (%d), sent by the %s", a.Name, a.Code, a.SentBy)
	if a.Arrived != nil && !*a.Arrived {
		s += ", which never arrived"
	}
	return s
}

// saidBy is the certificate of one side, its error, and when it learned of it.
func saidBy(p lab.Party) string {
	if p.Error == "" {
		return p.Certificate
	}
	said := strings.TrimPrefix(p.Certificate+": "+p.Error, ": ")
	if p.Learned == lab.LearnedAtFirstRead {
		said += ", " + string(p.Learned)
	}
	return said
}

// printable takes out what a peer could do to a terminal.
func printable(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n") // HTTP's line ends
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' || r == '\t' {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// filled leaves out what is empty.
func filled(values ...string) (full []string) {
	for _, v := range values {
		if v != "" {
			full = append(full, v)
		}
	}
	return full
}

// fold breaks s between words so that its lines have at most n columns.
func fold(s string, n int, newline string) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(s) {
		length := len([]rune(word))
		switch {
		case i == 0:
		case column+1+length > n:
			b.WriteString(newline)
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += length
	}
	return b.String()
}

// printBody writes a response, ended by a line feed.
func (p *Program) printBody(body []byte) {
	fmt.Fprintf(p.Stdout, "\n%s\n", printable(strings.TrimRight(string(body), "\r\n")))
}

// printPlan writes what is to be made, or was, and why.
func (p *Program) printPlan(plan *certgen.Plan, dry, asJSON bool) {
	verb := "made"
	if dry {
		verb = "would make"
	}
	var rows [][]string
	kinds := 0
	for _, step := range plan.Steps {
		kinds = max(kinds, len(verb+" "+string(step.Kind)))
	}
	for _, step := range plan.Steps {
		var reasons []string
		for _, r := range step.Reasons {
			reasons = append(reasons, r.String())
		}
		if asJSON {
			p.printJSON(struct {
				Name    string       `json:"name"`
				Kind    certgen.Kind `json:"kind"`
				Made    bool         `json:"made"`
				Reasons []string     `json:"reasons"`
			}{step.Name, step.Kind, !dry, reasons})
			continue
		}
		what := fmt.Sprintf("%-*s  %s", kinds, verb+" "+string(step.Kind), step.Name)
		rows = append(rows, []string{what, strings.Join(reasons, "; ")})
	}
	table(p.Stdout, rows, 0, 24)
	if !asJSON {
		fmt.Fprintf(p.Stdout, "%s unchanged\n", counted(plan.Unchanged, "certificate"))
	}
}

// printTree writes the certificates, each below its issuer.
func (p *Program) printTree(infos []certgen.Info) {
	rows := [][]string{{"NAME", "KEY", "VALID UNTIL", "STATE", "NAMES"}}
	for i, info := range infos {
		until := ""
		if info.Leaf != nil {
			until = info.Leaf.NotAfter.Format(time.DateOnly)
		}
		rows = append(rows, []string{branch(infos, i) + info.Name, info.Key(), until, info.State, strings.Join(namesOf(info), ", ")})
	}
	table(p.Stdout, rows, 0, 0, 0, 16, 18)
}

// branch draws the lines of the tree that stand before the name of infos[i].
func branch(infos []certgen.Info, i int) string {
	depth := infos[i].Depth
	if depth == 0 {
		return ""
	}
	drawing := make([]string, depth)
	for level := range drawing {
		drawing[level] = "   "
		if level == depth-1 {
			drawing[level] = "└─ "
		}
	}
	for _, later := range infos[i+1:] {
		if later.Depth == 0 {
			break
		}
		if later.Depth <= depth { // a sibling at its level: the line goes on
			if later.Depth == depth {
				drawing[depth-1] = "├─ "
			} else {
				drawing[later.Depth-1] = "│  "
			}
			depth = later.Depth - 1
			if depth == 0 {
				break
			}
		}
	}
	return strings.Join(drawing, "")
}

// namesOf is what a peer looks at: the subject alternative names, or else the
// subject.
func namesOf(info certgen.Info) []string {
	if len(info.SANs) > 0 {
		return info.SANs
	}
	if info.CA {
		return []string{info.Subject + " (CA)"}
	}
	return []string{info.Subject}
}

// description is one certificate as JSON.
type description struct {
	Name        string   `json:"name"`
	Subject     string   `json:"subject"`
	Issuer      string   `json:"issuer"` // its name in the manifest; itself when self-signed
	CA          bool     `json:"ca"`
	SANs        []string `json:"sans"`
	Key         string   `json:"key"`
	KeyUsages   []string `json:"key_usages"`
	ExtUsages   []string `json:"ext_key_usages"`
	Serial      string   `json:"serial,omitempty"` // hexadecimal
	NotBefore   string   `json:"not_before,omitempty"`
	NotAfter    string   `json:"not_after,omitempty"`
	Fingerprint string   `json:"sha256,omitempty"` // of the DER
	State       string   `json:"state"`
}

func describe(info certgen.Info) description {
	d := description{Name: info.Name, Subject: info.Subject, Issuer: info.Name, CA: info.CA, SANs: append([]string{}, info.SANs...),
		Key: info.Key(), KeyUsages: info.KeyUsages(), ExtUsages: info.ExtKeyUsages(), State: info.State}
	d.Issuer = cmp.Or(info.IssuerName(), info.Name)
	if leaf := info.Leaf; leaf != nil {
		d.Serial = fmt.Sprintf("%x", leaf.SerialNumber)
		d.NotBefore, d.NotAfter = leaf.NotBefore.Format(time.RFC3339), leaf.NotAfter.Format(time.RFC3339)
		d.Fingerprint = fmt.Sprintf("%x", sha256.Sum256(leaf.Raw))
	}
	return d
}

// printCertificate writes everything about one certificate.
func (p *Program) printCertificate(info certgen.Info, f folder) {
	d := describe(info)
	issuer := cmp.Or(info.IssuerName(), "itself (self-signed)")
	name := d.Name
	if info.Line > 0 {
		name = fmt.Sprintf("%s (line %d of %s)", d.Name, info.Line, f.manifest())
	}
	role := "no"
	if d.CA {
		role = "yes"
	}
	valid := ""
	if d.NotBefore != "" {
		valid = d.NotBefore + " to " + d.NotAfter
	}
	for _, line := range []struct{ name, value string }{
		{"name", name},
		{"state", d.State},
		{"subject", d.Subject},
		{"issued by", issuer},
		{"sans", strings.Join(d.SANs, ", ")},
		{"CA", role},
		{"key", d.Key},
		{"key usages", strings.Join(d.KeyUsages, ", ")},
		{"ext key usages", strings.Join(d.ExtUsages, ", ")},
		{"valid", valid},
		{"serial", d.Serial},
		{"SHA-256", d.Fingerprint},
		{"certificate", filepath.Join(f.certs(), info.CertificateFile())},
		{"private key", filepath.Join(f.certs(), info.KeyFile())},
	} {
		if line.value != "" {
			fmt.Fprintf(p.Stdout, "%-16s%s\n", line.name, fold(line.value, width-16, "\n"+strings.Repeat(" ", 16)))
		}
	}
}

// printVerified says that a certificate is what the manifest says, and how it
// is if that is anything but ok.
func (p *Program) printVerified(info certgen.Info, asJSON bool) {
	if asJSON {
		p.printJSON(struct {
			Name  string `json:"name"`
			OK    bool   `json:"ok"`
			State string `json:"state"`
		}{info.Name, true, info.State})
		return
	}
	state := ""
	switch info.State {
	case "ok":
	case "revoked", "expired", "not valid yet":
		state = fmt.Sprintf("(%s, as certs.yaml wants it)", info.State)
	default:
		state = fmt.Sprintf("(%s)", info.State)
	}
	table(p.Stdout, [][]string{{"ok  " + info.Name, state}}, 0, 32)
}
