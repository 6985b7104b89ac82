package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/tlswire"
)

// brief is how long a certificate is valid that is to expire during the probe.
const brief = 3 * time.Second

// session is one that was made with a certificate, in one version.
type session struct {
	version uint16
	attempt attempt
	first   *outcome
}

// sessions makes one in each version.
func (p *prober) sessions(ctx context.Context, name string, shown *tls.Certificate) (made []*session, err error) {
	for _, version := range p.versions {
		s := &session{version: version, attempt: attempt{note: noteOf(name, version), version: version, show: shown}}
		if s.attempt.client, err = p.newClient(&s.attempt, true); err != nil {
			return nil, err
		}
		s.first = p.try(ctx, s.attempt)
		made = append(made, s)
	}
	return made, nil
}

// resume tries to go on with a session. resumed reports whether the server took
// it for one.
func (p *prober) resume(ctx context.Context, s *session) (f *Finding, resumed bool) {
	o := p.try(ctx, s.attempt)
	f = p.finding(o)
	f.Certificate = subjectOf(s.attempt.show)
	return f, o.Exchange != nil && o.Exchange.TLS.Resumed
}

// runExpiry lets a certificate expire between two connections of a session.
func runExpiry(ctx context.Context, p *prober, c *Case) (row []*Finding) {
	s, err := scenario.Find(goodCase)
	if err == nil {
		var shown *tls.Certificate
		if shown, err = p.certificate(ctx, s, brief); err == nil {
			var made []*session
			if made, err = p.sessions(ctx, c.Name, shown); err == nil {
				sleep(ctx, time.Until(shown.Leaf.NotAfter.Add(time.Second)))
				for _, s := range made {
					row = append(row, p.afterExpiry(ctx, c, s))
				}
				return row
			}
		}
	}
	p.stop(err)
	return []*Finding{p.left(c.Name, c.Title, err.Error())}
}

func (p *prober) afterExpiry(ctx context.Context, c *Case, s *session) *Finding {
	if first := p.base.judge(s.first); first.result != LetIn {
		f := p.left(c.Name, c.Title, fmt.Sprintf("a certificate of %v was not let in while it was valid: the clocks may differ", brief))
		f.TLS = tlswire.Version(s.version).String()
		return f
	}
	f, resumed := p.resume(ctx, s)
	f.TLS = tlswire.Version(s.version).String()
	switch {
	case f.Result == Unclear:
		f.Judgement = Unknown
	case f.Result == LetIn && resumed:
		f.Judgement, f.Reason = c.lets, c.hole
	case f.Result == LetIn:
		f.Judgement, f.Reason = Wrong, "the certificate has expired, and lets in with a full handshake"
	default:
		f.Judgement = Right
	}
	return f
}

// runAfterRevocation goes on with a session of a certificate that was revoked
// meanwhile. Without a command that revokes it, only a server that refuses in
// HTTP gives a session to a certificate that is revoked already.
func runAfterRevocation(ctx context.Context, p *prober, c *Case) (row []*Finding) {
	made, err := p.sessions(ctx, c.Name, p.Revoked)
	if err == nil && p.Revoke != nil {
		err = p.revoke(ctx)
	}
	if err != nil {
		p.stop(err)
		return []*Finding{p.left(c.Name, c.Title, err.Error())}
	}
	for _, s := range made {
		row = append(row, p.afterRevocation(ctx, c, s))
	}
	return row
}

// revoke runs Revoke, after which the good certificate must still be let in.
func (p *prober) revoke(ctx context.Context) error {
	if err := p.Revoke(ctx); err != nil {
		return &stopped{"the certificate could not be revoked: " + err.Error(), "COMMAND of --revoke must end with 0"}
	}
	p.checkGood(ctx, "the revocation")
	return nil
}

func (p *prober) afterRevocation(ctx context.Context, c *Case, s *session) *Finding {
	first := p.base.judge(s.first)
	why := ""
	switch {
	case p.Revoke != nil && first.result != LetIn:
		why = "the certificate was not let in before it was revoked"
	case p.Revoke == nil && first.result == LetIn:
		why = "the certificate is let in, although it is revoked: see revoked-client"
	}
	f := p.left(c.Name, c.Title, why)
	if why == "" {
		var resumed bool
		f, resumed = p.resume(ctx, s)
		switch {
		case p.Revoke == nil && !resumed:
			f = p.left(c.Name, c.Title, "the server has no session for a certificate that is revoked already: --revoke COMMAND revokes it in between")
		case f.Result == LetIn && resumed:
			f.Judgement, f.Reason = c.lets, c.hole
		case f.Result == LetIn:
			f.Judgement, f.Reason = Wrong, "the certificate was revoked, and lets in with a full handshake, too"
		case f.Result == Unclear:
			f.Judgement = Unknown
		default:
			f.Judgement = Right
		}
	}
	f.TLS = tlswire.Version(s.version).String()
	return f
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
