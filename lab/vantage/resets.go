package vantage

import (
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// resets says that a RST was forged, or did not arrive.
func (r *Report) resets(p *Pair) {
	if p.Joined.End == tlsdecrypt.EndedBetween {
		return
	}
	resets := endpoint.Pair[tlsdecrypt.End]{Client: tlsdecrypt.ClientReset, Server: tlsdecrypt.ServerReset}
	for _, sender := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		own, peer := *p.Ends.Of(sender), *p.Ends.Of(sender.Other())
		reset := *resets.Of(sender)
		switch {
		case peer.End == reset && own.End != reset && !r.mayHaveReset(own, peer, sender) && !r.endedBefore(sender, resetAt(peer), sender.Other()):
			if r.mayLackEnd(p, sender, sender, resetAt(peer)) {
				p.found(ResetForged, Unknown, "", "the RST that the %v got is in %s, and not in %s, which has no later packet of the connection: either something in between has forged it, or that capture has missed the end of the connection", sender.Other(), r.name(sender.Other()), r.name(sender))
				continue
			}
			p.found(ResetForged, "", "look for what tears connections down on the way: a firewall, an intrusion prevention system, a NAT or load balancer that has forgotten the connection",
				"the RST that the %v got was never sent by the %v: it is in %s, and not in %s%s. Something in between has forged it", sender.Other(), sender, r.name(sender.Other()), r.name(sender), ended(own))
		case own.End == reset && (peer.End == tlsdecrypt.CutOff || peer.End == tlsdecrypt.StillOpen) && !r.endedBefore(sender.Other(), own.EndedAt, sender):
			if r.mayLackEnd(p, sender.Other(), sender, own.EndedAt) {
				p.found(ResetLost, Unknown, "", "the RST of the %v is in %s, and not in %s, which has no later packet of the connection: either it did not arrive, or that capture has missed the end of the connection", sender, r.name(sender), r.name(sender.Other()))
				continue
			}
			p.found(ResetLost, "", "", "the RST of the %v did not arrive: it is in %s, and not in %s, where the connection is still open", sender, r.name(sender), r.name(sender.Other()))
		}
	}
}

// mayHaveReset reports whether a RST that the peer got may be the sender's
// although the sender's own capture does not have it: it had closed the
// connection by then, after which its system answers with RST, or had got one
// itself.
func (r *Report) mayHaveReset(own, peer *tlsdecrypt.Connection, sender endpoint.Side) bool {
	var left time.Time
	switch {
	case own.EndedBy == sender, own.End == tlsdecrypt.ClientReset, own.End == tlsdecrypt.ServerReset:
		left = own.EndedAt
	case own.End == tlsdecrypt.Closed, own.End == tlsdecrypt.ClientClosed && sender == endpoint.Client, own.End == tlsdecrypt.ServerClosed && sender == endpoint.Server:
		left = own.Ended
	default:
		return false
	}
	return !r.convert(left, sender, sender.Other()).After(resetAt(peer).Add(r.Clock.Error))
}

// resetAt is when a connection was reset.
func resetAt(c *tlsdecrypt.Connection) time.Time {
	if c.Ended.IsZero() {
		return c.EndedAt
	}
	return c.Ended
}
