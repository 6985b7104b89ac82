package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"mtlslab.example/lab/lab/endpoint"
)

// anyHost is a cache of one session, whatever the host is.
type anyHost struct{ session *tls.ClientSessionState }

func (a *anyHost) Get(string) (*tls.ClientSessionState, bool) { return a.session, a.session != nil }

func (a *anyHost) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		a.session = s
	}
}

// runForeignSession makes a session by another name without a certificate, and
// goes on with it by this host's. A server whose hosts share the keys of their
// tickets, and that looks at the client only in full handshakes, lets it in. So
// are CVE-2025-23419 of nginx and CVE-2025-23048 of Apache httpd, of which a
// client makes use that another host's CA knows.
func runForeignSession(ctx context.Context, p *prober, c *Case, version uint16) *Finding {
	had, unseen := false, ""
	for _, name := range p.hosts() {
		cache := &anyHost{}
		keep := func(conn net.Conn, config *tls.Config) net.Conn {
			config.ClientSessionCache = cache
			return unverified(conn, config)
		}
		a := attempt{note: noteOf(c.Name, version) + ": a session by server_name " + name, version: version, serverName: name,
			header: map[string]string{"Host": name}, wrap: keep}
		if p.try(ctx, a); cache.session == nil {
			continue
		}
		had = true
		a.note, a.serverName, a.header = noteOf(c.Name, version)+", of "+name, "", nil
		o := p.try(ctx, a)
		f := p.finding(o)
		resumed := o.Exchange != nil && o.Exchange.TLS.Resumed
		switch {
		case f.Result == LetIn && resumed:
			f.Judgement, f.Reason = Wrong, fmt.Sprintf("%s: that of %s", c.hole, name)
			return f
		case f.Result == Unclear, f.Result == LetIn: // in a full handshake: see no-client-cert
			unseen = name
		case o.Exchange != nil && o.Exchange.RejectedBy == endpoint.Client:
			unseen = name
		}
	}
	switch {
	case unseen != "":
		return notSeen("a session of " + unseen)
	case !had:
		return &Finding{Result: Answered, Judgement: Right, Reason: "no other name gives a session without a certificate"}
	}
	return &Finding{Result: Answered, Judgement: Right, Reason: "a session of another name is not taken here"}
}
