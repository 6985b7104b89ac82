package vantage

import (
	"fmt"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// idle is how long nobody says anything, at least, on a connection that is
// ended for that.
const idle = time.Second

// isEndedBetween reports whether something in between has ended a connection at
// both ends. Each end then got an end of the other's before it had ended the
// connection itself: of two ends that end it at the same time each is the first
// in its own capture. A capture of the lab's has what its program has read, and
// not when that came.
func (r *Report) isEndedBetween(p *Pair) bool {
	near, far := p.Ends.Client, p.Ends.Server
	return near.EndedBy == endpoint.Server && far.EndedBy == endpoint.Client &&
		!r.Captures.Client.Own && !r.Captures.Server.Own
}

// endedBetween says so.
func (r *Report) endedBetween(p *Pair) {
	if p.Joined.End != tlsdecrypt.EndedBetween {
		return
	}
	how := func(side endpoint.Side) string {
		c, said := *p.Ends.Of(side), "FIN"
		if c.EndedByReset {
			said = "RST"
		}
		return fmt.Sprintf("in %s the %s of the %v came first", r.name(side), said, side.Other())
	}
	silence, fix := "", "look into the log of what is in between: a proxy, a load balancer, a firewall"
	if waited := r.silence(p); waited >= idle {
		silence = fmt.Sprintf(" after %.1f s in which nobody said anything, as is done to one that is idle", waited.Seconds())
		fix = "look at how long what is in between lets a connection be idle (HAProxy: timeout client, timeout server; nginx: proxy_timeout; load balancers: idle timeout), or have one side say something more often"
	}
	lost := ""
	if unseen, _ := p.unseen(endpoint.Client); len(unseen) > 0 {
		lost = fmt.Sprintf("; %s in %s got no further", namedMessages(unseen), r.name(endpoint.Client))
	}
	p.found(EndedBetween, Probably, fix, "something between the two ended the connection at both ends%s: %s, and %s. Neither of the two programs did%s",
		silence, how(endpoint.Client), how(endpoint.Server), lost)
}

// silence is how long nobody had said anything when the connection was ended
// near the server.
func (r *Report) silence(p *Pair) time.Duration {
	var last time.Time
	far := p.Ends.Server
	for _, m := range far.Messages {
		if m.Time.After(last) && m.Time.Before(far.EndedAt) {
			last = m.Time
		}
	}
	if last.IsZero() {
		return 0
	}
	return far.EndedAt.Sub(last)
}
