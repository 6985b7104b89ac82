package probe

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/starttls"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// control does what a judgement of all else rests on: the good certificate is
// let in, the server asks for one, and what comes of none. The error is
// *stopped, or of making certificates.
func (p *prober) control(ctx context.Context) error {
	good := p.try(ctx, attempt{note: capture.ProbePrefix + "mtls", show: p.good})
	if x := good.Exchange; x != nil && x.Code == verdict.NoCommonALPN {
		p.http2Only = true
		good = p.try(ctx, attempt{note: capture.ProbePrefix + "mtls", show: p.good})
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	none := map[uint16]*outcome{}
	let, err := p.controlGood(ctx, good, none)
	if err != nil {
		return err
	}
	for _, version := range p.versions {
		p.requests[version] = requestOf(none[version].Exchange)
	}
	if p.isChosen(offersCase) {
		p.report.Offers = p.survey(ctx, good)
		if p.Offered != nil && ctx.Err() == nil {
			p.Offered(p.report.Offers)
		}
	}
	if p.isChosen(goodCase) {
		p.found(let...)
	}
	var asked, without []*Finding
	for _, version := range p.versions {
		request := p.requests[version]
		asked = append(asked, p.judgeRequest(version, none[version], request))
		without = append(without, p.judgeNone(version, none[version], request))
	}
	if p.isChosen(askCase) {
		p.found(asked...)
	}
	if p.isChosen(noneCase) {
		p.found(without...)
	}
	unseen := slices.ContainsFunc(p.versions, func(version uint16) bool { return p.requests[version] == nil && none[version].response == nil })
	p.versions = slices.DeleteFunc(p.versions, func(version uint16) bool { return p.requests[version] == nil })
	switch {
	case unseen:
		return &stopped{"it cannot be told whether the server asks for a certificate: the connection without one brought no answer", "probe it again, or with a longer --timeout"}
	case len(p.versions) == 0 && !p.isChosen(askCase) && !p.isChosen(noneCase):
		return &stopped{"the server asks for no certificate, so that nothing could be tried", fixRequire}
	case len(p.versions) == 0:
		p.unminted = "the server asks for no certificate"
		return p.leaveAll("the server asks for no certificate")
	}
	return p.controlMinted(ctx)
}

// leaveAll lists all cases as not tried.
func (p *prober) leaveAll(why string) error {
	for _, c := range cases() {
		if p.isChosen(c.Name) {
			p.found(p.left(c.Name, c.Title, why))
		}
	}
	return errDone
}

// errDone says that there is nothing more to try.
var errDone = errors.New("nothing more is to be tried")

// controlGood finds out in which versions the good certificate is let in, and
// what comes of none.
func (p *prober) controlGood(ctx context.Context, first *outcome, none map[uint16]*outcome) (row []*Finding, err error) {
	if err := p.explainStop(first); err != nil {
		return nil, err
	}
	p.base.response, p.shownLeaf = first.response, leafOf(first)
	for _, version := range p.ServerOptions.Versions {
		name := tlswire.Version(version).String()
		o := p.try(ctx, attempt{note: noteOf(goodCase, version), version: version, show: p.good})
		if o.response == nil && o.Exchange != nil && isOtherVersion(o.Exchange) {
			f := p.left(goodCase, "Mutual TLS, when all is well", "the server does not speak it")
			f.TLS = name
			row = append(row, f)
			continue
		}
		if err := p.explainStop(o); err != nil {
			return nil, err
		}
		f := p.finding(o)
		f.Case, f.TLS, f.Title, f.Judgement, f.Certificate = goodCase, name, "Mutual TLS, when all is well", Right, subjectOf(p.good)
		f.Reason = ""
		row = append(row, f)
		p.versions = append(p.versions, version)
		none[version] = p.try(ctx, attempt{note: noteOf(noneCase, version), version: version})
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	if len(p.versions) == 0 {
		return nil, &stopped{"the server speaks none of the versions of TLS that are to be tried", "leave out --tls"}
	}
	p.base.refusesNone = true
	for _, o := range none {
		p.base.refusesNone = p.base.refusesNone && o.response == nil && o.Exchange != nil && o.Exchange.RejectedBy == endpoint.Server
	}
	return row, p.explainForbidden(first, none)
}

// leafOf returns the certificate that the server has shown; nil: none.
func leafOf(o *outcome) *x509.Certificate {
	if o.Exchange == nil || o.Exchange.Wire == nil {
		return nil
	}
	for _, m := range o.Exchange.Wire.Messages {
		if m.From != endpoint.Server || m.Handshake == nil {
			continue
		}
		if ders, ok := m.Certificates(); ok && len(ders) > 0 {
			leaf, err := tlswire.ParseCertificate(ders[0])
			if err == nil {
				return leaf
			}
		}
	}
	return nil
}

// explainStop returns why the good certificate was not let in, nil if it was.
func (p *prober) explainStop(o *outcome) error {
	var (
		dial *lab.DialError
		busy *starttls.BusyError
	)
	switch {
	case errors.As(o.err, &dial):
		return o.err
	case errors.As(o.err, &busy):
		return &stopped{busy.Error(), "probe it when it has room"}
	case o.Exchange == nil && o.err != nil && !errors.As(o.err, new(*lab.RejectedError)):
		return o.err
	case o.Exchange == nil:
		return &stopped{"nothing was seen of the connection with the good certificate", ""}
	case o.response == nil:
		return p.explainRefusal(o.Exchange)
	case o.response.Refusal != "":
		return &stopped{"the good certificate is not let in: the server refuses it after the handshake: " + o.response.Refusal, ""}
	case o.response.Status == http.StatusBadRequest, o.response.Status == 495, o.response.Status == 496:
		return &stopped{fmt.Sprintf("the good certificate is not let in: %s", cmp.Or(o.Exchange.Reason, fmt.Sprintf("the server answers %d", o.response.Status))), o.Exchange.Fix}
	case o.response.Status == http.StatusTooManyRequests, o.response.Status >= 500 && o.response.Status != http.StatusNotImplemented:
		return &stopped{fmt.Sprintf("the server answers the good certificate with %d", o.response.Status), "probe it when it is well, or another path of it"}
	}
	return nil
}

// explainRefusal returns why no answer came with the good certificate.
func (p *prober) explainRefusal(x *lab.Exchange) error {
	why := cmp.Or(x.Reason, "no answer came")
	fix := x.Fix
	switch {
	case x.Outcome == verdict.Accepted && x.Reason != "" && !x.NeverAsked():
		why = "the handshake succeeded, and let in is who is answered: " + x.Reason
		if p.target.protocol == nil {
			fix = joinNonEmpty(fix, "the server must answer HTTP, or one of "+text.Joined(starttls.Names(false), "or")+" (--starttls)")
		}
	case x.Outcome == verdict.Accepted, x.Code == verdict.TooSlow && x.TLS.Version != "" && requestOf(x) != nil:
		why, fix = "the handshake succeeded, and no answer came in time: let in is who is answered", "call a path that answers, or wait longer with --timeout"
		if p.target.protocol == nil {
			fix = "the server must answer HTTP, or one of " + text.Joined(starttls.Names(false), "or") + " (--starttls); " + fix
		}
	case x.RejectedBy == endpoint.Client && slices.Contains(otherCA, x.Code):
		fix = joinNonEmpty("--ca FILE names the CA that it must have", fix)
	case x.RejectedBy == endpoint.Client && p.target.protocol == nil && slices.Contains([]verdict.Code{verdict.SpokeNoTLS, verdict.TooSlow, verdict.Closed}, x.Code):
		fix = joinNonEmpty(fix, "what begins in plain text is probed with --starttls "+strings.Join(starttls.Names(false), "|"))
	}
	if x.RejectedBy == endpoint.Server && requestOf(x) != nil {
		return &stopped{"the good certificate is not let in: " + why, fix}
	}
	return &stopped{"the server cannot be probed: " + why, fix}
}

// otherCA are the codes of a server whose certificate is of another CA.
var otherCA = []verdict.Code{chain.UnknownCA, chain.LookAlikeCA, chain.SelfSigned}

// explainForbidden stops where the good certificate is answered as none is,
// with a refusal.
func (p *prober) explainForbidden(good *outcome, none map[uint16]*outcome) error {
	r := good.response
	if r.Status != http.StatusForbidden && r.Status != http.StatusUnauthorized || p.base.refusesNone {
		return nil
	}
	asks := false
	for _, o := range none {
		asks = asks || requestOf(o.Exchange) != nil
		if o.response == nil || o.response.Status != r.Status || !bytes.Equal(o.response.Body, r.Body) {
			return nil
		}
	}
	problem, hint := fmt.Sprintf("the server answers %d with the good certificate and without any: it cannot be told whether it lets in", r.Status), "name a path that the good certificate may read"
	if !asks {
		problem += ". It asks for none in the handshake"
		hint += "; a server that asks after the handshake, for some paths alone (Apache: SSLVerifyClient in a Location), cannot be probed: lab scenario show post-handshake-auth"
	}
	return &stopped{problem, hint}
}

// isOtherVersion reports whether a handshake failed because the server does not
// speak its version of TLS.
func isOtherVersion(x *lab.Exchange) bool {
	return x.Code == verdict.NoCommonVersion || x.Alert != nil && tlswire.AlertDescription(x.Alert.Code) == tlswire.AlertProtocolVersion
}

// judgeRequest says whether the server asks for a certificate.
func (p *prober) judgeRequest(version uint16, o *outcome, r *Request) *Finding {
	f := p.named(askCase, version, o)
	f.Result, f.Status, f.When, f.Alert = Answered, 0, "", nil
	switch {
	case r != nil:
		f.Judgement, f.Reason = Right, r.words()
		if issuer := p.good.Leaf.RawIssuer; len(r.raw) > 0 && !r.names(p.good) {
			f.Judgement = Warning
			f.Reason += fmt.Sprintf("; the CA of the good certificate, %s, is not among them: browsers, Go and Java then send none", tlswire.DistinguishedName(issuer))
			f.Fix = "have the server name the CAs that it lets in clients of (HAProxy: ca-file, nginx: ssl_client_certificate)"
		}
	case o.Exchange == nil || o.Exchange.Wire == nil || o.response == nil:
		f.Result, f.Judgement, f.Reason = Unclear, Unknown, "nothing was seen that shows it"
	default:
		f.Judgement, f.Reason, f.Fix, f.Scenario = Wrong, "there is no CertificateRequest in the handshake: a client cannot show a certificate, and nobody is refused for want of one. If that is so for some paths alone, probe one that wants a certificate", fixRequire, askCase
	}
	return f
}

// words says what is asked for.
func (r *Request) words() string {
	if len(r.CAs) == 0 {
		return "asks, and names no CAs"
	}
	return "asks, and names " + text.Few(r.CAs, 3)
}

// names reports whether a CA above a certificate is named.
func (r *Request) names(c *tls.Certificate) bool {
	if slices.ContainsFunc(r.raw, func(n tlswire.DistinguishedName) bool { return bytes.Equal(n, c.Leaf.RawIssuer) }) {
		return true
	}
	for _, der := range c.Certificate[1:] {
		above, err := tlswire.ParseCertificate(der)
		if err == nil && slices.ContainsFunc(r.raw, func(n tlswire.DistinguishedName) bool { return bytes.Equal(n, above.RawIssuer) }) {
			return true
		}
	}
	return false
}

// judgeNone says what comes of a client without a certificate.
func (p *prober) judgeNone(version uint16, o *outcome, r *Request) *Finding {
	f := p.named(noneCase, version, o)
	switch f.Result {
	case LetIn:
		p.letsNone = true
		f.Judgement, f.Fix, f.Scenario = Wrong, fixRequire, noneCase
		if f.Reason = joinNonEmpty("the server asks for a certificate, and does not require one", f.Reason); r == nil {
			f.Reason = "the server never asks for a certificate, and lets in everybody"
		}
		p.soften(f)
	case Unclear:
		f.Judgement = Unknown
	default:
		f.Judgement = Right
	}
	return f
}

// named is the finding of an attempt of a control.
func (p *prober) named(name string, version uint16, o *outcome) *Finding {
	f := p.finding(o)
	f.Case, f.TLS, f.Title = name, tlswire.Version(version).String(), titleOf(name)
	return f
}

// controlMinted shows a good certificate of the probe's own. If the server does
// not let it in, it says nothing that it refuses bad ones.
func (p *prober) controlMinted(ctx context.Context) error {
	if p.clientCA.PrivateKey == nil {
		return nil
	}
	s, err := scenario.Find(goodCase)
	if err != nil {
		return err
	}
	shown, err := p.certificate(ctx, s, lifetime)
	if err != nil {
		return err
	}
	version := p.versions[len(p.versions)-1]
	o := p.try(ctx, attempt{note: noteOf(mintedCase, version) + ", which is good", version: version, show: shown})
	f := p.finding(o)
	f.Case, f.Title, f.Certificate = mintedCase, mintedTitle, subjectOf(shown)
	f.TLS = tlswire.Version(version).String()
	switch f.Result {
	case LetIn:
		f.Judgement = Right
	case Unclear:
		f.Judgement = Unknown
		p.unminted = "what becomes of a good certificate of --client-ca cannot be told"
	case RefusedHTTP:
		f.Judgement, f.Reason = Warning, joinNonEmpty("the server lets in only names that it knows; bad certificates may be refused for their names alone", f.Reason)
	default:
		f.Judgement = Warning
		f.Reason = joinNonEmpty("a good certificate of "+dn.Subject(p.clientCA.Leaf)+" is not let in: the server may trust another CA, or one below it as if it were a root", f.Reason)
		f.Fix = "give --client-ca the CA that the server lets in clients of"
		p.unminted = "a good certificate of --client-ca is not let in, so that a bad one shows nothing"
	}
	leaves := p.unminted != "" && slices.ContainsFunc(cases(), func(c *Case) bool { return c.needs&needCAKey != 0 && p.isChosen(c.Name) })
	if p.isChosen(mintedCase) || leaves {
		p.found(f)
	}
	return nil
}

// titleOf returns the title of a scenario.
func titleOf(name string) string {
	s, err := scenario.Find(name)
	if err != nil {
		return strings.ReplaceAll(name, "-", " ")
	}
	return s.Title
}
