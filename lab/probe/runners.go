package probe

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"

	"mtlslab.example/lab/lab/fault"
)

// runImpostor shows the good certificate, and signs with another key.
func runImpostor(ctx context.Context, p *prober, c *Case, version uint16) *Finding {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.stop(err)
		return p.left(c.Name, c.Title, err.Error())
	}
	forged := *p.good
	forged.PrivateKey = fault.Impostor(p.good.Leaf.PublicKey, other)
	return p.mustRefuse(ctx, c, version, &forged)
}

// runRevoked shows the certificate that the server's CRL has.
func runRevoked(ctx context.Context, p *prober, c *Case, version uint16) *Finding {
	return p.mustRefuse(ctx, c, version, p.Revoked)
}

// runLongChain shows a good certificate of a CA below the root, which a server
// may refuse by its policy.
func runLongChain(ctx context.Context, p *prober, c *Case, version uint16) *Finding {
	shown, err := p.certificate(ctx, c.script, lifetime)
	if err != nil {
		p.stop(err)
		return p.left(c.Name, c.Title, err.Error())
	}
	o := p.try(ctx, attempt{note: noteOf(c.Name, version) + ", which is good", version: version, show: shown})
	f := p.finding(o)
	f.Certificate = subjectOf(shown)
	switch f.Result {
	case LetIn:
		f.Judgement = Right
	case Unclear:
		f.Judgement = Unknown
	default:
		f.Judgement, f.Reason = Warning, joinNonEmpty("a good certificate of a CA below the one that the server trusts is refused, although that CA was sent along: it may allow no longer chain, or want a CRL of that CA", f.Reason)
	}
	return f
}

// The names that are written into headers: that by which an application knows
// its clients, and one that no application knows.
const (
	spoofed    = "lab-probe-spoofed"
	echoHeader = "Lab-Probe-Echo"
	echoed     = "lab-probe-echoed"
)

// runHeader claims another name in a header. It is believed where the page then
// shows it in place of the one that it shows otherwise: a page may show all
// headers, and mean nothing by it.
func runHeader(ctx context.Context, p *prober, c *Case, version uint16) *Finding {
	note := noteOf(c.Name, version) + ", with the good certificate"
	own := p.try(ctx, attempt{note: note + " alone", version: version, show: p.good})
	o := p.try(ctx, attempt{note: note, version: version, show: p.good, header: map[string]string{p.IdentityHeader: "CN=" + spoofed, echoHeader: echoed}})
	f := p.finding(o)
	if own.response == nil || o.response == nil {
		f.Result, f.Judgement, f.Reason = Unclear, Unknown, joinNonEmpty("the page did not come twice", f.Reason)
		return f
	}
	count := func(o *outcome) int {
		return countWord(o.response.Body, p.good.Leaf.Subject.CommonName)
	}
	shows, echoes := bytes.Contains(o.response.Body, []byte(spoofed)), bytes.Contains(o.response.Body, []byte(echoed))
	before, after := count(own), count(o)
	unknown := func(reason string) { f.Result, f.Judgement, f.Reason = Unclear, Unknown, reason }
	switch {
	case shows && (after < before || before == 0 && !echoes):
		f.Result, f.Judgement = LetIn, Wrong
		f.Reason = fmt.Sprintf("%s: the page shows the name that the client wrote into %s, and not its certificate's", c.hole, p.IdentityHeader)
	case before == 0 && shows:
		unknown("the page shows every header, and not who the client is: probe one that does")
	case before == 0:
		unknown("the page shows neither the name in the header nor that in the certificate: probe one that does")
	case shows && !echoes:
		unknown("the page shows both the name in the header and that in the certificate: see which of them counts")
	default:
		f.Result, f.Judgement, f.Reason = Answered, Right, "the page shows the certificate's name"
	}
	return f
}

// countWord returns how often a name stands in a page, and not within another
// word: that of "client" is in Go-http-client/1.1.
func countWord(page []byte, name string) (n int) {
	if name == "" {
		return 0
	}
	inWord := func(b byte) bool {
		return b == '-' || b == '_' || b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z'
	}
	for from := 0; ; {
		at := bytes.Index(page[from:], []byte(name))
		if at < 0 {
			return n
		}
		at += from
		from = at + len(name)
		if (at == 0 || !inWord(page[at-1]) && page[at-1] != '.') && (from == len(page) || !inWord(page[from])) {
			n++
		}
	}
}
