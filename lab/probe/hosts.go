package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
)

// unknownHost is a name that no server has (RFC 6761 section 6.4).
const unknownHost = "lab-probe.invalid"

// mostHosts bounds how many names of the server's certificate are tried.
const mostHosts = 5

// hosts returns the names that the server may have besides the target's: those
// that are given, those in its certificate, and one that it does not have.
func (p *prober) hosts() (names []string) {
	add := func(name string) {
		name = strings.ToLower(name)
		if name != p.target.host() && !strings.Contains(name, "*") && !slices.Contains(names, name) && net.ParseIP(name) == nil {
			names = append(names, name)
		}
	}
	for _, name := range p.Hosts {
		add(name)
	}
	if p.shownLeaf != nil {
		for _, name := range p.shownLeaf.DNSNames[:min(len(p.shownLeaf.DNSNames), mostHosts)] {
			add(name)
		}
	}
	add(unknownHost)
	return names
}

// unverified has the client take whatever certificate the server shows: it
// shows none itself.
func unverified(conn net.Conn, config *tls.Config) net.Conn {
	config.InsecureSkipVerify = true
	return conn
}

// tryHost connects by another name without a certificate, and asks for a host.
func (p *prober) tryHost(ctx context.Context, c *Case, name, host string, http2 bool) *outcome {
	version := p.versions[len(p.versions)-1]
	return p.try(ctx, attempt{note: noteOf(c.Name, version) + ": server_name " + name + ", Host " + host, version: version, serverName: name,
		header: map[string]string{"Host": host}, http2: http2, wrap: unverified})
}

// runOtherHosts connects by other names, without a certificate.
func runOtherHosts(ctx context.Context, p *prober, c *Case, _ uint16) *Finding {
	f := &Finding{Result: Answered, Judgement: Right, Reason: "no other name is let in without a certificate"}
	var open []string
	for _, name := range p.hosts() {
		o := p.tryHost(ctx, c, name, name, false)
		if o.response == nil || slices.Contains(refusing, o.response.Status) || o.response.Status == 421 {
			continue
		}
		open = append(open, name)
		if slices.Contains(p.Hosts, name) {
			f.Judgement = Wrong
		} else if f.Judgement != Wrong {
			f.Judgement = c.lets
		}
	}
	if len(open) > 0 {
		f.Result, f.Reason = LetIn, fmt.Sprintf("without a certificate the server answers by the name %s", text.JoinedFew(open, 3, "and"))
	}
	return f
}

// runHostBypass connects by another name, without a certificate, and asks for
// the host that wants one.
func runHostBypass(ctx context.Context, p *prober, c *Case, _ uint16) *Finding {
	f := &Finding{Result: Answered, Judgement: Right, Reason: "no other name leads to this host without a certificate"}
	for _, name := range p.hosts() {
		for _, http2 := range []bool{false, true} {
			if http2 && (p.report.Offers == nil || !slices.Contains(p.report.Offers.ALPN, "h2")) {
				continue
			}
			o := p.tryHost(ctx, c, name, p.target.URL.Host, http2)
			if o.Exchange != nil && o.Exchange.RejectedBy == endpoint.Server {
				continue
			}
			if e := p.base.judge(o); e.result == LetIn {
				f = p.finding(o)
				f.Judgement = Wrong
				f.Reason = fmt.Sprintf("%s: server_name %s, Host %s", c.hole, name, p.target.URL.Host)
				return f
			}
		}
	}
	return f
}

// runMisdirected asks for another host of the server on a connection of the good
// certificate, as HTTP/2 does that takes one connection for several hosts (RFC
// 9113 section 9.1.1).
func runMisdirected(ctx context.Context, p *prober, c *Case, version uint16) *Finding {
	f := &Finding{Result: Answered, Judgement: Right, Reason: "no other host is served on the connection for this one"}
	http2 := p.report.Offers != nil && slices.Contains(p.report.Offers.ALPN, "h2")
	for _, host := range p.Hosts {
		o := p.try(ctx, attempt{note: noteOf(c.Name, version) + ": Host " + host, version: version, show: p.good, header: map[string]string{"Host": host}, http2: http2})
		if p.base.judge(o).result == LetIn {
			f = p.finding(o)
			f.Judgement, f.Reason = c.lets, fmt.Sprintf("%s: Host %s", c.hole, host)
			return f
		}
	}
	return f
}
