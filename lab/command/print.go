package command

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/verdict"
)

// printExchange writes the outcome of an exchange. Of one that is as an earlier
// one, whose number is not 0, it writes that alone.
func (p *Program) printExchange(x *lab.Exchange, earlier int, verbose bool) {
	out, number := p.stdout(), fmt.Sprintf("%4d  ", x.Number)
	switch {
	case earlier > 0:
		host, _, _ := net.SplitHostPort(x.ClientAddr)
		out.Paragraph(number, detailIndent+2, fmt.Sprintf("%s: as exchange %d, from %s", outcome(x), earlier, host))
		return
	case x.Outcome == verdict.Accepted:
		out.Pieces(number, detailIndent+2, p.accepted(x)...)
	case x.Outcome == verdict.Broken && x.Alert != nil:
		out.Paragraph(number, detailIndent+2, fmt.Sprintf("accepted, then broken off by the %s: ", x.Alert.SentBy), x.Reason)
	case x.Outcome == verdict.Unknown: // nobody has refused anybody
		out.Paragraph(number, detailIndent+2, x.Reason)
		if !verbose {
			return
		}
	default:
		out.Paragraph(number, detailIndent+2, fmt.Sprintf("rejected by the %s: ", x.RejectedBy), x.Reason)
	}
	if x.Outcome != verdict.Accepted || x.Reason != "" || verbose {
		p.printDetails(x)
	}
}

// accepted describes an accepted exchange in a few pieces.
func (p *Program) accepted(x *lab.Exchange) []string {
	status := "no request"
	switch {
	case x.HTTP == nil && x.Client.State == verdict.StateAnswered:
		status = "answered"
	case x.HTTP == nil && x.Wire != nil && len(x.Wire.Statuses()) > 0:
		status = x.Wire.Statuses().String() + ", not whole"
	case x.HTTP == nil && x.Client.State == verdict.StateRequestSent:
		status = "no HTTP answer"
	case x.HTTP != nil:
		status = x.HTTP.Statuses().String()
	}
	resumed := ""
	if x.TLS.Resumed {
		resumed = "resumed"
	}
	word := string(x.Outcome)
	if x.IsDenied() {
		word = string(x.How)
	}
	return filled(word, cmp.Or(x.Client.Certificate, "no certificate"), x.TLS.Version, x.TLS.Group, resumed, status, text.Duration(text.OfMilliseconds(x.DurationMS)))
}

// detailIndent is the indent of the details of an exchange. Continuation lines
// are indented further.
const detailIndent = 6

// detail is a thing that is known of an exchange; an empty value is not shown.
type detail struct{ name, value string }

// details returns all of them, where it came from at the end.
func details(x *lab.Exchange) []detail {
	resumed := ""
	if x.TLS.Resumed {
		resumed = ", resumed"
	}
	alert := ""
	if x.Alert != nil {
		alert = describeAlert(x.Alert)
	}
	but, why := "", ""
	switch {
	case x.IsDenied():
		why = x.Reason
	case x.Outcome == verdict.Accepted:
		but = x.Reason
	}
	return []detail{
		{"but", but},
		{"why", why},
		{"perhaps", perhaps(x.Causes)},
		{"fix", x.Fix},
		{"alert", alert},
		{"server", saidBy(x.Server)},
		{"client", saidBy(x.Client)},
		{"tls", strings.Join(filled(x.TLS.Version, x.TLS.CipherSuite, x.TLS.Group, x.TLS.ALPN), ", ") + resumed},
		{"from", x.ClientAddr + " to " + x.ServerAddr},
	}
}

// printDetails writes a line for each thing that is known of an exchange.
func (p *Program) printDetails(x *lab.Exchange) {
	for _, line := range details(x) {
		if line.value != "" {
			p.stdout().Paragraph(fmt.Sprintf("%*s%-8s", detailIndent, "", line.name), detailIndent+8, line.value)
		}
	}
}

// perhaps lists the likeliest causes of a refusal.
func perhaps(causes []verdict.Cause) string {
	const few = 3
	var texts []string
	for _, cause := range causes[:min(few, len(causes))] {
		texts = append(texts, cause.Text)
	}
	return strings.Join(texts, "; or ")
}

// describeAlert writes an alert on one line.
func describeAlert(a *verdict.Alert) string {
	s := fmt.Sprintf("%s (%d), sent by the %s", a.Name, a.Code, a.SentBy)
	if a.Arrived != nil && !*a.Arrived {
		s += ", which never arrived"
	}
	return s
}

// saidBy returns the certificate of one side, its error, and when it learned of
// the rejection.
func saidBy(p lab.Party) string {
	if p.Error == "" {
		return p.Certificate
	}
	said := strings.TrimPrefix(p.Certificate+": "+p.Error, ": ")
	if p.Learned == verdict.LearnedAtFirstRead {
		said += ", " + string(p.Learned)
	}
	return said
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

// printBody writes a response, set apart from the lab's own lines.
func (p *Program) printBody(body []byte) {
	p.stdout().Line()
	p.stdout().Quoted(string(body))
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
	if !asJSON {
		p.stdout().Table(rows, 0, 24)
		p.stdout().Line(text.Counted(plan.Unchanged, "certificate"), " unchanged")
	}
}

// fewNames is how many names of a certificate stand in a table.
const fewNames = 8

// printTree writes the certificates, each below its issuer.
func (p *Program) printTree(infos []certgen.Info) {
	rows := [][]string{{"NAME", "KEY", "VALID UNTIL", "STATE", "NAMES"}}
	drawn := branches(infos)
	for i, info := range infos {
		until := ""
		if info.Leaf != nil {
			until = info.Leaf.NotAfter.Format(time.DateOnly)
		}
		rows = append(rows, []string{drawn[i] + info.Name, info.Key(), until, info.State, text.Few(namesOf(info), fewNames)})
	}
	out := p.stdout()
	state, names := 16, 18
	if out.Width() < text.Usual {
		state, names = 10, 14
	}
	out.Table(rows, 0, 0, 0, state, names)
}

// branches draws the lines of the tree that stand before each name: one for
// each level on which more is to come below.
func branches(infos []certgen.Info) []string {
	drawn := make([]string, len(infos))
	var more []bool // by level: another certificate of the same issuer follows
	for i := len(infos) - 1; i >= 0; i-- {
		depth := infos[i].Depth
		for len(more) <= depth {
			more = append(more, false)
		}
		more = more[:depth+1]
		for level := 1; level <= depth; level++ {
			switch {
			case level == depth && more[level]:
				drawn[i] += "├─ "
			case level == depth:
				drawn[i] += "└─ "
			case more[level]:
				drawn[i] += "│  "
			default:
				drawn[i] += "   "
			}
		}
		more[depth] = true
	}
	return drawn
}

// namesOf returns the names that a peer compares: the subject alternative
// names, or else the subject.
func namesOf(info certgen.Info) []string {
	switch {
	case info.CA: // those of a CA are nobody's to call
		return append([]string{info.Subject + " (CA)"}, info.SANs...)
	case len(info.SANs) > 0:
		return info.SANs
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
		d.Serial = dn.Serial(leaf)
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
	keyPath := filepath.Join(f.certs(), info.KeyFile())
	if _, err := os.Stat(keyPath); err != nil && info.Line == 0 {
		keyPath = "" // a manifest asks for one; files from elsewhere need not have it
	}
	for _, line := range []struct {
		name   string
		values []string
	}{
		{"name", []string{name}},
		{"state", []string{d.State}},
		{"subject", []string{d.Subject}},
		{"issued by", []string{issuer}},
		{"sans", d.SANs},
		{"CA", []string{role}},
		{"key", []string{d.Key}},
		{"key usages", d.KeyUsages},
		{"ext key usages", d.ExtUsages},
		{"valid", filled(valid)},
		{"serial", filled(d.Serial)},
		{"SHA-256", filled(d.Fingerprint)},
		{"certificate", []string{filepath.Join(f.certs(), info.CertificateFile())}},
		{"private key", filled(keyPath)},
	} {
		if len(line.values) > 0 {
			p.stdout().Paragraph(fmt.Sprintf("%-16s", line.name), 16, between(", ", line.values)...)
		}
	}
}

// between puts a separator behind all parts but the last.
func between(separator string, parts []string) []string {
	parts = slices.Clone(parts)
	for i := range len(parts) - 1 {
		parts[i] += separator
	}
	return parts
}

// printVerified prints that a certificate is as in the manifest, and its state
// if that is not ok.
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
	p.stdout().Table([][]string{{"ok  " + info.Name, state}}, 0, 32)
}
