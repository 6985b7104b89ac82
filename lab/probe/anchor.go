package probe

import (
	"context"
	"crypto/tls"

	"mtlslab.example/lab/lab/dn"
)

// runLeafAlone shows the good certificate without the CAs between. A server
// that lets it in has them itself.
func runLeafAlone(ctx context.Context, p *prober, c *Case, version uint16) *Finding {
	alone := tls.Certificate{Certificate: p.good.Certificate[:1], PrivateKey: p.good.PrivateKey, Leaf: p.good.Leaf}
	o := p.try(ctx, attempt{note: noteOf(c.Name, version), version: version, show: &alone})
	f := p.finding(o)
	f.Certificate = subjectOf(&alone)
	between := dn.Issuer(p.good.Leaf)
	switch {
	case f.Result == Unclear:
		f.Judgement = Unknown
	case f.Result != LetIn:
		f.Judgement = Right
	case p.unminted != "":
		f.Judgement, f.Reason = Wrong, "the server trusts "+between+" as if it were a root, and not the root above it: no revocation by that root counts"
	default:
		f.Judgement, f.Reason = Warning, "the server has "+between+" itself, perhaps as a root: then no revocation by the root above it counts"
	}
	return f
}
