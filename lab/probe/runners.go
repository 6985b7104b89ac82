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

// spoofed is the name that is written into a header.
const spoofed = "lab-probe-spoofed"

// runHeader claims another name in a header, and looks for it in the page.
func runHeader(ctx context.Context, p *prober, c *Case, version uint16) *Finding {
	o := p.try(ctx, attempt{note: noteOf(c.Name, version) + ", with the good certificate", version: version, show: p.good, header: map[string]string{p.IdentityHeader: "CN=" + spoofed}})
	f := p.finding(o)
	switch {
	case o.response == nil:
		f.Judgement = Unknown
	case bytes.Contains(o.response.Body, []byte(spoofed)):
		f.Result, f.Judgement = LetIn, Wrong
		f.Reason = fmt.Sprintf("%s: the page shows the name that the client wrote into %s", c.hole, p.IdentityHeader)
	case bytes.Contains(o.response.Body, []byte(p.good.Leaf.Subject.CommonName)) && p.good.Leaf.Subject.CommonName != "":
		f.Result, f.Judgement, f.Reason = Answered, Right, "the page shows the certificate's name"
	default:
		f.Result, f.Judgement, f.Reason = Unclear, Unknown, "the page shows neither the name in the header nor that in the certificate: probe one that does"
	}
	return f
}
