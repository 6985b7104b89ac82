package vantage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// compare adds to a pair what lies between its two ends.
func (r *Report) compare(p *Pair) {
	switch p.Relation {
	case Same:
		if p.reversed {
			r.reversed(p)
			return
		}
		r.join(p)
		r.keys(p)
		p.addresses()
		p.beforeTLS(r)
		p.clientHelloChange()
		p.serverHelloChange()
		p.messageChanges()
		r.endedBetween(p)
		r.arrivals(p)
		r.resets(p)
		r.dates(p)
	case Apart:
		p.Joined, p.Base = p.Ends.Client, endpoint.Client
		r.apart(p)
		r.dates(p)
	default:
		r.alone(p)
	}
}

// reversed describes a connection of which one capture has too little to tell
// who the client is.
func (r *Report) reversed(p *Pair) {
	p.Base = endpoint.Server
	if readable(p.Ends.Client) > readable(p.Ends.Server) {
		p.Base = endpoint.Client
	}
	p.Joined = *p.Ends.Of(p.Base)
	p.found(Unseen, Unknown, "", "%s cannot be compared: that capture has not seen its beginning, and with that who the client is", r.stream(p, p.Base.Other()))
}

// name is what a side's file is called in findings.
func (r *Report) name(side endpoint.Side) string { return r.Captures.Of(side).Name }

// stream names a connection of a file.
func (r *Report) stream(p *Pair, side endpoint.Side) string {
	return fmt.Sprintf("stream %d of %s", (*p.Ends.Of(side)).Number, r.name(side))
}

// keys says that the secrets in one file open what is in the other.
func (r *Report) keys(p *Pair) {
	random := p.Ends.Client.ClientRandom
	if random == nil {
		random = p.Ends.Server.ClientRandom
	}
	has := func(side endpoint.Side) bool {
		v := r.Captures.Of(side)
		return v.HasKeys != nil && v.HasKeys(random)
	}
	for _, side := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		if random != nil && has(side) && !has(side.Other()) {
			p.found(KeysShared, "", "", "the keys are in %s alone, and open the same connection in %s", r.name(side), r.name(side.Other()))
		}
	}
}

// addresses says that the same TLS has other addresses at the other end.
func (p *Pair) addresses() {
	near, far := p.Ends.Client, p.Ends.Server
	var changed []string
	if near.Server != far.Server {
		changed = append(changed, fmt.Sprintf("the client calls %v and the server is called as %v", near.Server, far.Server))
	}
	if near.Client != far.Client {
		changed = append(changed, fmt.Sprintf("the client's %v is %v to the server", near.Client, far.Client))
	}
	if len(changed) > 0 {
		p.found(Translated, "", "", "the same TLS connection has other addresses at the two ends: %s. Something translates them (NAT), or passes TLS through from one TCP connection to another (a TCP proxy); it does not end TLS", strings.Join(changed, "; "))
	}
}

// beforeTLS says that something was put before TLS on the way.
func (p *Pair) beforeTLS(r *Report) {
	for _, at := range []endpoint.Side{endpoint.Server, endpoint.Client} {
		here, there := *p.Ends.Of(at), *p.Ends.Of(at.Other())
		if line := proxyHeader(here); line != "" && proxyHeader(there) == "" {
			if there.NoSYN || there.Late || there.Gaps.Client {
				p.found(ProxyLine, Unknown, "", "a line of the PROXY protocol stands before TLS in %s (%s), and %s lacks the beginning of the connection: it may stand there, too, or a load balancer on the way has put it there", r.name(at), line, r.name(at.Other()))
				return
			}
			p.found(ProxyLine, "", fixOfHeader(p.Ends.Server), "a line of the PROXY protocol stands before TLS in %s, and not in %s: a load balancer on the way has put it there (%s)", r.name(at), r.name(at.Other()), line)
			return
		}
	}
	for _, sender := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		n := *p.shifts.Of(sender)
		if helloOf(p.Ends.Client, sender) == nil || helloOf(p.Ends.Server, sender) == nil || n == 0 || p.isHeadless(sender) {
			continue
		}
		at, what := endpoint.Server, "put them there"
		if n < 0 {
			at = endpoint.Client
		}
		if at == sender {
			what = "taken them out"
		}
		if at == endpoint.Client && p.Ends.Client.Prologue.ThroughProxy() {
			p.found(Prefixed, "", "", "the client speaks to a proxy before TLS in %s (%s), and the proxy makes the way to the server", r.name(at), p.Ends.Client.Prologue.Name())
			return
		}
		p.found(Prefixed, "", "", "%s of the %v stand before TLS in %s, and not at the other end: something on the way has %s", text.Counted(int(abs(n)), "byte"), sender, r.name(at), what)
	}
}

// proxyHeader names the header of the PROXY protocol that a connection begins
// with, or its first bytes; "": it does not.
func proxyHeader(c *tlsdecrypt.Connection) string {
	if h := c.Prologue.Header(); h != nil {
		return h.Protocol
	}
	if c.Prologue != nil && prologue.IsHeader(c.Prologue.Starts.Client) {
		return "PROXY"
	}
	return ""
}

// fixOfHeader says what to change where a server got a header of the PROXY
// protocol; "": nothing, it took it.
func fixOfHeader(server *tlsdecrypt.Connection) string {
	if server.Progress().Succeeded {
		return ""
	}
	return prologue.HeaderFix
}

// isHeadless reports whether a capture has missed the beginning of a sender's
// bytes, so that it is not known where they begin.
func (p *Pair) isHeadless(sender endpoint.Side) bool {
	return !isWhole(p.Ends.Client, sender) || !isWhole(p.Ends.Server, sender) || p.Ends.Client.NoSYN || p.Ends.Server.NoSYN
}

const changedFix = "find what inspects or filters TLS on the way"

// clientHelloChange says that the ClientHello was changed on the way.
func (p *Pair) clientHelloChange() {
	near, nearMessage := clientHello(p.Ends.Client)
	far, farMessage := clientHello(p.Ends.Server)
	if near != nil && far != nil && !sameRaw(nearMessage, farMessage) {
		p.found(HelloChanged, "", changedFix+": Finished covers the ClientHello, so that no handshake with a changed one succeeds",
			"the ClientHello was changed on the way: %s", changesOf(near, far))
	}
}

// serverHelloChange says that the ServerHello was changed on the way.
func (p *Pair) serverHelloChange() {
	near, nearMessage := serverHello(p.Ends.Client)
	far, farMessage := serverHello(p.Ends.Server)
	if near != nil && far != nil && !sameRaw(nearMessage, farMessage) {
		p.found(HelloChanged, "", changedFix,
			"the ServerHello was changed on the way: the server sent %v, %v, and the client got %v, %v", far.Version(), far.CipherSuite, near.Version(), near.CipherSuite)
	}
}

// messageChanges says which other messages were changed on the way.
func (p *Pair) messageChanges() {
	at := make(map[span]*tlsdecrypt.Message)
	for _, m := range p.Ends.Client.Messages {
		if m.Handshake != nil && len(m.Records) > 0 {
			shift := *p.shifts.Of(m.From)
			at[span{m.From, m.Records[0].Offset + shift, endOf(m) + shift}] = m
		}
	}
	_, hello := clientHello(p.Ends.Server)
	for _, m := range p.Ends.Server.Messages {
		if m.Handshake == nil || len(m.Records) == 0 || m == hello || m.Handshake.Type == tlswire.TypeServerHello {
			continue
		}
		other := at[span{m.From, m.Records[0].Offset, endOf(m)}]
		if other != nil && other.Handshake.Type == m.Handshake.Type && len(m.Records) == 1 && isOnly(p.Ends.Server, m) && !sameRaw(other, m) {
			p.found(MessageChanged, "", changedFix, "the %s of the %v was changed on the way", m.Handshake.Name(), m.From)
		}
	}
}

// isOnly reports whether a message has its record for itself.
func isOnly(c *tlsdecrypt.Connection, m *tlsdecrypt.Message) bool {
	return !slices.ContainsFunc(c.Messages, func(o *tlsdecrypt.Message) bool {
		return o != m && o.From == m.From && slices.Contains(o.Records, m.Records[0])
	})
}

// changesOf says how two ClientHellos differ.
func changesOf(near, far *tlswire.ClientHello) string {
	var changed []string
	add := func(what string, before, after []string) {
		if gone := without(before, after); len(gone) > 0 {
			changed = append(changed, fmt.Sprintf("without the %s %s", what, text.Few(gone, 6)))
		}
		if more := without(after, before); len(more) > 0 {
			changed = append(changed, fmt.Sprintf("with the %s %s", what, text.Few(more, 6)))
		}
	}
	before, after := tlswire.OfferOf(near), tlswire.OfferOf(far)
	add("version", tlswire.Names(before.Versions), tlswire.Names(after.Versions))
	add("cipher suite", tlswire.Names(before.CipherSuites), tlswire.Names(after.CipherSuites))
	add("extension", extensionsOf(near), extensionsOf(far))
	if len(changed) == 0 {
		return "the same versions, cipher suites and extensions, with other contents"
	}
	return "it arrived " + strings.Join(changed, ", and ")
}

// extensionsOf names the extensions of a ClientHello without GREASE.
func extensionsOf(h *tlswire.ClientHello) (names []string) {
	for _, e := range h.Extensions {
		if !e.Type.IsGREASE() {
			names = append(names, e.Type.String())
		}
	}
	return names
}

// without returns what is in a and not in b.
func without(a, b []string) (gone []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			gone = append(gone, s)
		}
	}
	return gone
}

// arrivals says what one side sent and the other did not get, and the reverse.
func (r *Report) arrivals(p *Pair) {
	for _, at := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		there := *p.Ends.Of(at.Other())
		for _, sender := range []endpoint.Side{endpoint.Client, endpoint.Server} {
			unseen, _ := p.unseen(at)
			missing := slices.DeleteFunc(unseen, func(m *tlsdecrypt.Message) bool {
				return m.From != sender || at == sender && !*there.Gaps.Of(sender) && r.hadLeft(there, sender.Other(), m)
			})
			if len(missing) > 0 {
				r.missing(p, at, there, sender, missing)
			}
		}
	}
}

// hadLeft reports whether a side had ended the connection when something came
// that the other one sent. Nobody reads that, and what comes after a connection
// is not delivered. A capture of the lab's does not have it if it came a little
// before, either.
func (r *Report) hadLeft(there *tlsdecrypt.Connection, receiver endpoint.Side, m *tlsdecrypt.Message) bool {
	if there.EndedBy != receiver || there.EndedAt.IsZero() || m.Time.IsZero() {
		return false
	}
	slack := 2*r.Clock.Error + steady
	if r.Captures.Of(receiver).Own {
		slack += patience
	}
	return r.convert(m.Time, m.From, receiver).After(there.EndedAt.Add(-slack))
}

// missing describes messages of a sender's that are at one end alone.
func (r *Report) missing(p *Pair, at endpoint.Side, there *tlsdecrypt.Connection, sender endpoint.Side, missing []*tlsdecrypt.Message) {
	here, other := r.name(at), r.name(at.Other())
	what := namedMessages(missing)
	switch {
	case there.NotTLSFrom == sender:
		p.found(Unseen, Unknown, "", "what the %v said cannot be compared: in %s it does not begin as TLS", sender, other)
	case there.Omitted > 0:
		// they may be among those that were only counted
	case at == sender && p.Joined.End == tlsdecrypt.EndedBetween && !missing[0].Time.Before((*p.Ends.Of(at)).EndedAt):
		// they were said when the connection was over
	case r.endedBefore(at.Other(), missing[0].Time, at):
		if onlyGoodbyes(missing) {
			return
		}
		p.found(NotCaptured, "", "", "%s ends before %s of the %v, which %s has", other, what, sender, here)
	case *there.Gaps.Of(sender) || p.isBeforeStart(at.Other(), missing[0]):
		p.found(NotArrived, Unknown, "", "%s of the %v is in %s, and not in %s, where bytes are missing: either it did not arrive, or that capture has missed the packet", what, sender, here, other)
	case !isWhole(there, sender):
		p.found(Unseen, Unknown, "", "%s of the %v is in %s; whether it is in %s is not known, because what the %v sent cannot be followed to its end there", what, sender, here, other, sender)
	case at == sender && r.mayLackEnd(p, at.Other(), sender, missing[0].Time):
		p.found(NotArrived, Unknown, "", "%s of the %v is in %s, and not in %s, which has no later packet of the connection: either it did not arrive, or that capture has missed the end of the connection", what, sender, here, other)
	case r.mayLackEnd(p, at.Other(), sender, missing[0].Time):
		p.found(Injected, Unknown, "", "%s of the %v is in %s, and not in %s, which has no later packet of the connection: either something on the way has sent it, or that capture has missed the end of the connection", what, sender, here, other)
	case at == sender:
		p.found(NotArrived, "", fmt.Sprintf("look at what is on the way, such as a firewall that inspects TLS: the %v never learned what the %v said", sender.Other(), sender),
			"%s of the %v did not arrive: %s has sent it, and %s has nothing of it%s", what, sender, here, other, ended(there))
	default:
		p.found(Injected, "", "look at what is on the way: something there speaks in the name of the "+sender.String(),
			"%s reached the %v, and the %v never sent it: it is in %s and not in %s", what, sender.Other(), sender, here, other)
	}
}

// onlyGoodbyes reports whether messages are close_notify alone.
func onlyGoodbyes(all []*tlsdecrypt.Message) bool {
	return !slices.ContainsFunc(all, func(m *tlsdecrypt.Message) bool {
		return m.Alert == nil || m.Alert.Description != tlswire.AlertCloseNotify
	})
}

// ended says how a connection ended, as a clause.
func ended(c *tlsdecrypt.Connection) string {
	switch c.End {
	case tlsdecrypt.StillOpen, tlsdecrypt.CutOff:
		return "; the connection was still open there at the end of the file"
	}
	return fmt.Sprintf("; there the connection was %s", c.End)
}

// endedBefore reports whether a capture had ended when something was recorded
// in the other one, at the end that is named last.
func (r *Report) endedBefore(side endpoint.Side, t time.Time, at endpoint.Side) bool {
	last := r.Captures.Of(side).Last
	if last.IsZero() || t.IsZero() {
		return false
	}
	return last.Before(r.convert(t, at, side).Add(-r.Clock.Error))
}

// startedAfter reports likewise whether a capture had not begun.
func (r *Report) startedAfter(side endpoint.Side, t time.Time, at endpoint.Side) bool {
	begun := r.Captures.Of(side).First
	return !begun.IsZero() && !t.IsZero() && begun.After(r.convert(t, at, side).Add(r.Clock.Error))
}

// convert takes a time by one capture's clock to the other's.
func (r *Report) convert(t time.Time, from, to endpoint.Side) time.Time {
	switch {
	case from == to:
		return t
	case to == endpoint.Server:
		return t.Add(r.Clock.Ahead)
	}
	return t.Add(-r.Clock.Ahead)
}

// namedMessages names messages, alerts and certificates first.
func namedMessages(all []*tlsdecrypt.Message) string {
	var names []string
	sealed := 0
	for _, m := range all {
		switch {
		case m.Encrypted:
			sealed += len(m.Records)
		case m.Alert != nil:
			names = slices.Insert(names, 0, fmt.Sprintf("the alert %v", m.Alert.Description))
		case m.Handshake != nil:
			names = append(names, m.Handshake.Name())
		case m.HTTP != nil:
			names = append(names, text.Clean(m.HTTP.Line))
		case m.Type == tlswire.ContentTypeChangeCipherSpec:
			names = append(names, "ChangeCipherSpec")
		default:
			names = append(names, "application data")
		}
	}
	if sealed > 0 {
		names = append(names, text.Counted(sealed, "encrypted record"))
	}
	return text.Few(slices.Compact(names), 5)
}
