package probe

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"mtlslab.example/lab/lab"
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
		if !strings.EqualFold(name, p.target.host()) && !strings.Contains(name, "*") && !slices.Contains(names, name) && net.ParseIP(name) == nil {
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

// nameless does so, too, and sends no server_name.
func nameless(conn net.Conn, config *tls.Config) net.Conn {
	config.ServerName = ""
	return unverified(conn, config)
}

// tryHost connects by another name, or by none if that is "", without a
// certificate, and asks for a host.
func (p *prober) tryHost(ctx context.Context, c *Case, name, host string, http2 bool) *outcome {
	version := p.versions[len(p.versions)-1]
	a := attempt{note: noteOf(c.Name, version) + ": " + byName(name) + ", Host " + host, version: version, serverName: name,
		header: map[string]string{"Host": host}, http2: http2, wrap: unverified}
	if name == "" {
		a.wrap = nameless
	}
	return p.try(ctx, a)
}

func byName(name string) string {
	if name == "" {
		return "no server_name"
	}
	return "server_name " + name
}

// runOtherHosts connects by other names, without a certificate.
func runOtherHosts(ctx context.Context, p *prober, c *Case, _ uint16) *Finding {
	f := &Finding{Result: Answered, Judgement: Right, Reason: "no other name is let in without a certificate"}
	var open []string
	unseen := ""
	for _, name := range p.hosts() {
		own := slices.ContainsFunc(p.Hosts, func(host string) bool { return strings.EqualFold(host, name) })
		o := p.tryHost(ctx, c, name, name, false)
		result := p.base.judge(o).result
		if isRedirect(o) && !own { // it is a host for everybody
			result = LetIn
		}
		switch {
		case result == Unclear:
			unseen = cmp.Or(unseen, name)
		case result == LetIn:
			open = append(open, name)
			if own {
				f.Judgement = Wrong
			} else if f.Judgement != Wrong {
				f.Judgement = c.lets
			}
		}
	}
	switch {
	case len(open) > 0:
		f.Result, f.Reason = LetIn, fmt.Sprintf("without a certificate the server answers by the name %s", text.JoinedFew(open, 3, "and"))
	case unseen != "":
		return notSeen(unseen)
	}
	return f
}

func isRedirect(o *outcome) bool {
	return o.response != nil && o.response.Status >= 300 && o.response.Status < 400
}

// notSeen is the finding where no host is let in, and of one nothing is known.
func notSeen(name string) *Finding {
	return &Finding{Result: Unclear, Judgement: Unknown, Reason: "nothing was seen of " + name + " that shows it"}
}

// runHostBypass connects by another name, without a certificate, and asks for
// the host that wants one.
func runHostBypass(ctx context.Context, p *prober, c *Case, _ uint16) *Finding {
	f := &Finding{Result: Answered, Judgement: Right, Reason: "no other name leads to this host without a certificate"}
	unseen := ""
	names := p.hosts()
	if net.ParseIP(p.target.host()) == nil { // which is never sent
		names = append(names, "")
	}
	for _, name := range names {
		for _, http2 := range []bool{false, true} {
			if http2 && (p.report.Offers == nil || !slices.Contains(p.report.Offers.ALPN, "h2")) {
				continue
			}
			o := p.tryHost(ctx, c, name, p.target.URL.Host, http2)
			result := p.base.judge(o).result
			if result == LetIn && name != "" {
				result = p.whosePage(o, func() *outcome { return p.tryHost(ctx, c, name, name, http2) })
			}
			switch result {
			case Unclear:
				unseen = cmp.Or(unseen, name, "a connection without server_name")
			case LetIn:
				f = p.finding(o)
				f.Judgement = Wrong
				f.Reason = fmt.Sprintf("%s: %s, Host %s", c.hole, byName(name), p.target.URL.Host)
				return f
			}
		}
	}
	if unseen != "" {
		return notSeen(unseen)
	}
	return f
}

// whosePage says of an answer by another name whether it is the page of the
// host that was asked for (LetIn) or, of a server that goes by server_name,
// that name's own (Answered), which own asks for.
func (p *prober) whosePage(o *outcome, own func() *outcome) Result {
	if isSamePage(o.response, p.base.response) {
		return LetIn
	}
	other := own().response
	switch {
	case other == nil, other.Status == http.StatusTooManyRequests, other.Status >= 500:
		return Unclear
	case isSamePage(o.response, other):
		return Answered
	case o.response.Status != other.Status: // Host has made a difference
		return LetIn
	}
	return Unclear // pages that are never the same
}

// isSamePage reports whether two answers are the same. nil is none.
func isSamePage(a, b *lab.Response) bool {
	return a != nil && b != nil && a.Status == b.Status && a.Location == b.Location && bytes.Equal(a.Body, b.Body)
}

// runMisdirected asks for another host of the server on a connection of the
// good certificate, as HTTP/2 does that takes one connection for several hosts
// (RFC 9113 section 9.1.1).
func runMisdirected(ctx context.Context, p *prober, c *Case, version uint16) *Finding {
	f := &Finding{Result: Answered, Judgement: Right, Reason: "no other host is served on the connection for this one"}
	http2 := p.report.Offers != nil && slices.Contains(p.report.Offers.ALPN, "h2")
	unseen := ""
	for _, host := range p.Hosts {
		o := p.try(ctx, attempt{note: noteOf(c.Name, version) + ": Host " + host, version: version, show: p.good, header: map[string]string{"Host": host}, http2: http2})
		switch p.base.judge(o).result {
		case Unclear:
			unseen = cmp.Or(unseen, host)
		case LetIn:
			if isSamePage(o.response, p.base.response) { // the server does not look at Host
				continue
			}
			f = p.finding(o)
			f.Judgement, f.Reason = c.lets, fmt.Sprintf("%s: Host %s", c.hole, host)
			return f
		}
	}
	if unseen != "" {
		return notSeen(unseen)
	}
	return f
}
