package command

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/check"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
)

// fewCertificates is how many of a file are described.
const fewCertificates = 3

// printReport writes what files are, and which of them belong together.
func (p *Program) printReport(r *check.Report, asJSON bool) {
	if asJSON {
		for _, f := range r.Files {
			p.printJSON(f)
		}
		for _, pair := range r.Pairs {
			p.printJSON(struct {
				Pair *check.Pair `json:"pair"`
			}{pair})
		}
		return
	}
	for _, f := range r.Files {
		p.printFile(f)
	}
	for _, pair := range r.Pairs {
		p.printPair(pair)
	}
}

func (p *Program) printFile(f *check.File) {
	out := p.stdout()
	if f.Holds == "" {
		out.Line(f.Name)
		out.Line()
		return
	}
	out.Paragraph("", 2, f.Name, ": ", f.Holds, " (", string(f.Form), ")")
	for i, cert := range f.Certificates {
		if i == fewCertificates {
			p.printDetail("and", text.Counted(len(f.Certificates)-i, "certificate")+" more: --json has all")
			break
		}
		p.printDetail("subject", cert.Subject)
		if cert.Issuer != cert.Subject {
			p.printDetail("issued by", cert.Issuer)
		}
		p.printDetail("serial", cert.Serial)
		p.printDetail("names", text.Few(cert.SANs, fewNames))
		p.printDetail("valid", validity(cert))
		p.printDetail("key", cert.Key+", signed with "+cert.Signature)
		p.printDetail("for", strings.Join(filled(cert.For, strings.Join(append(cert.KeyUsages, cert.ExtUsages...), " ")), ": "))
	}
	for _, crl := range f.CRLs {
		p.printDetail("issued by", crl.Issuer)
		p.printDetail("updated", crl.ThisUpdate.Format(time.DateOnly)+prefixed(", next update ", dateOf(crl.NextUpdate)))
		p.printDetail("revokes", revokes(crl))
	}
	out.Line()
}

// revokes says how many certificates a CRL lists, and which of those in the
// files.
func revokes(crl check.CRL) string {
	said := text.Counted(crl.Revoked, "certificate")
	if crl.Revoked == 0 {
		return said
	}
	var given []string
	for _, r := range crl.Given {
		given = append(given, fmt.Sprintf("%s (serial %s, in %s, since %s)", r.Subject, r.Serial, r.File, r.Since.Format(time.DateOnly)))
	}
	if len(given) == 0 {
		return said + ", none of those in the files"
	}
	return said + ": " + text.JoinedFew(given, fewCertificates, "and")
}

// validity says from when until when a certificate is valid, and how long still.
func validity(cert check.Certificate) string {
	left := text.Counted(cert.DaysLeft, "day") + " more"
	switch {
	case time.Now().Before(cert.NotBefore):
		left = "not yet"
	case cert.DaysLeft < 0:
		left = "no more"
	}
	return fmt.Sprintf("%s to %s, %s", cert.NotBefore.Format(time.DateOnly), cert.NotAfter.Format(time.DateOnly), left)
}

// dateOf returns a date, or nothing of no time.
func dateOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

func (p *Program) printDetail(name, value string) {
	if value != "" {
		p.stdout().Paragraph(fmt.Sprintf("  %-10s", name), 12, value)
	}
}

func (p *Program) printPair(pair *check.Pair) {
	how := pair.KeyFile + " has the key of " + pair.CertificateFile
	if pair.KeyFile == pair.CertificateFile {
		how = pair.KeyFile + " has a certificate and its key"
	}
	p.stdout().Paragraph("", 2, how)
	if pair.For == "issuing" {
		p.stdout().Line()
		return
	}
	p.printDetail("sends", strings.Join(pair.Sends, ", then "))
	if pair.LeadsTo != pair.Sends[len(pair.Sends)-1] {
		p.printDetail("up to", pair.LeadsTo+", which the other side must trust")
	}
	p.stdout().Line()
}

// printMeeting writes what the two sides are, and what became of their
// handshakes.
func (p *Program) printMeeting(met []check.Handshake, sides endpoint.Pair[*lab.Loaded], name string, asJSON bool) {
	if asJSON {
		for _, h := range met {
			p.printJSON(struct {
				TLS        string        `json:"tls"`
				ServerName string        `json:"server_name"`
				Exchange   *lab.Exchange `json:"exchange"`
			}{tls.VersionName(h.Version), name, h.Exchange})
		}
		return
	}
	p.stdout().Paragraph("the server  ", 12, describeSide(sides.Server))
	p.stdout().Paragraph("the client  ", 12, describeSide(sides.Client), ", asks for "+name)
	p.printHandshakes(met)
	last := met[len(met)-1].Exchange
	p.printNamed("verdict", last.Reason)
	p.printNamed("fix", last.Fix)
	if last.Reason+last.Fix != "" {
		p.stdout().Line()
	}
}

// describeSide names what a side shows and trusts.
func describeSide(l *lab.Loaded) string {
	shows := "no certificate"
	if len(l.Certificates) > 0 {
		shows = chain.Name(l.Certificates[0].Leaf)
	}
	return "shows " + shows + ", trusts " + text.JoinedFew(namesOfCAs(l.CAs), 3, "and")
}

func namesOfCAs(all []*x509.Certificate) (names []string) {
	for _, ca := range all {
		names = append(names, chain.Name(ca))
	}
	return names
}

// printFindings writes what is to know, the worst first.
func (p *Program) printFindings(findings []check.Finding, asJSON bool) {
	for _, f := range findings {
		if asJSON {
			p.printJSON(struct {
				Finding check.Finding `json:"finding"`
			}{f})
			continue
		}
		p.stdout().Paragraph(fmt.Sprintf("%-8s", f.Level), 8, f.Text)
		for _, line := range [][2]string{{"refused", strings.Join(filled(prefixed("by ", f.RefusedBy), f.RFC), "; ")}, {"fix", strings.ReplaceAll(f.Fix, "$FILE", commandWord(f.File))}} {
			if line[1] != "" {
				p.stdout().Paragraph(fmt.Sprintf("%8s%-9s", "", line[0]), 17, line[1])
			}
		}
	}
}

// printSummary writes whether something would fail.
func (p *Program) printSummary(findings []check.Finding, ok, asJSON bool) {
	fails, strict, unknown := countOf(findings, check.Wrong), countOf(findings, check.Strict), countOf(findings, check.Unknown)
	if asJSON {
		p.printJSON(struct {
			OK      bool `json:"ok"`
			Fails   int  `json:"fails"`             // findings that are wrong
			Strict  int  `json:"strict,omitempty"`  // findings that strict verifiers alone refuse
			Unknown int  `json:"unknown,omitempty"` // findings that say what could not be looked at
		}{ok, fails, strict, unknown})
		return
	}
	switch {
	case fails > 0 && unknown > 0:
		p.stdout().Line(text.Counted(fails, "thing"), " would fail, and ", strconv.Itoa(unknown), " more", " could not be looked at")
	case fails > 0:
		p.stdout().Line(text.Counted(fails, "thing"), " would fail")
	case unknown > 0:
		p.stdout().Line(text.Counted(unknown, "thing"), " could not be looked at")
	case !ok:
		p.stdout().Line("the handshake would fail")
	case strict > 0:
		p.stdout().Line("nothing that would fail, but for ", text.Counted(strict, "thing"), " that strict verifiers refuse")
	default:
		p.stdout().Line("nothing that would fail")
	}
}

// countOf returns how many findings are of a level.
func countOf(findings []check.Finding, level check.Level) (n int) {
	for _, f := range findings {
		if f.Level == level {
			n++
		}
	}
	return n
}

// prefixed returns words behind a prefix, or nothing.
func prefixed(prefix, words string) string {
	if words == "" {
		return ""
	}
	return prefix + words
}
