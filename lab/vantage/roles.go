package vantage

import (
	"cmp"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// Which capture is the client's, the order of the files says. It is only taken
// to be the other way round if the times say so again and again.
//
// Where one side speaks and then the other, the time between the two messages
// is longer at the end that spoke first: both have to travel. In files given
// the wrong way round it is shorter at each turn, whoever speaks first. A clock
// that is set, or a time that is wrong, makes it shorter where one side speaks
// first, and longer where the other one does.

// turns counts what the turns of a conversation say, by the side that spoke
// first: for the order of the files, or against it.
type turns struct{ right, wrong endpoint.Pair[int] }

// take compares how long a turn took at the end of the side that spoke first
// and at the other one.
func (t *turns) take(first endpoint.Side, here, there time.Duration) {
	switch {
	case here > there:
		*t.right.Of(first)++
	case here < there:
		*t.wrong.Of(first)++
	}
}

// steadyTurns is how many turns count that begin with the same side, if there
// are none that begin with the other.
const steadyTurns = 3

// against reports whether the turns are against the order of the files: most
// that begin with either side are, or there are several and none is for it.
func (t *turns) against() bool {
	most := func(side endpoint.Side) bool { return *t.wrong.Of(side) > 3**t.right.Of(side) }
	if most(endpoint.Client) && most(endpoint.Server) {
		return true
	}
	return t.right.Client+t.right.Server == 0 && t.wrong.Client+t.wrong.Server >= steadyTurns
}

// turnsOf adds the turns of a connection that both ends have.
func (p *Pair) turnsOf(t *turns) {
	var last *shared
	for _, m := range p.shared() {
		if last != nil && last.from != m.from {
			spoke := last.from
			here, there := m.near.Sub(last.near), m.far.Sub(last.far)
			if spoke == endpoint.Server {
				here, there = there, here
			}
			t.take(spoke, here, there)
		}
		last = &m
	}
}

// shared is a message that both ends have, with its time at each.
type shared struct {
	from      endpoint.Side
	near, far time.Time
}

// shared returns the messages that both ends have and have put together of the
// same records, in the order of the capture near the client.
func (p *Pair) shared() (all []shared) {
	at := make(map[span]time.Time)
	for _, m := range p.Ends.Server.Messages {
		if len(m.Records) > 0 && !m.Time.IsZero() {
			at[span{m.From, m.Records[0].Offset, endOf(m)}] = m.Time
		}
	}
	for _, m := range p.Ends.Client.Messages {
		if len(m.Records) == 0 || m.Time.IsZero() {
			continue
		}
		shift := *p.shifts.Of(m.From)
		if far, ok := at[span{m.From, m.Records[0].Offset + shift, endOf(m) + shift}]; ok {
			all = append(all, shared{m.From, m.Time, far})
		}
	}
	return all
}

// isSwapped reports whether the times show that the file which was given for
// the client's was recorded nearer to the server. Connections that a capture
// lacks bytes of are only asked if there are no others.
func (r *Report) isSwapped() bool {
	var whole, others turns
	any := false
	for _, p := range r.Pairs {
		switch {
		case p.Relation != Same || p.reversed:
		case begunAndWhole(p.Ends.Client) && begunAndWhole(p.Ends.Server):
			any = true
			p.turnsOf(&whole)
		default:
			p.turnsOf(&others)
		}
	}
	if any {
		return whole.against()
	}
	return others.against()
}

// begunAndWhole reports whether a capture has all bytes of a connection, from
// its SYN on.
func begunAndWhole(c *tlsdecrypt.Connection) bool {
	return !c.NoSYN && !c.Late && !c.Gaps.Client && !c.Gaps.Server
}

// mostCompared bounds the connections that are compared to see which capture is
// the client's.
const mostCompared = 50

// isSwappedApart reports the same as isSwapped where no TLS connection is in
// both captures: a proxy passes a request on after it came, and a response too,
// and calls from its own address. Nothing may speak for the order of the files.
func (r *Report) isSwappedApart() bool {
	near, far := r.left(endpoint.Client), r.left(endpoint.Server)
	near, far = near[:min(len(near), mostCompared)], far[:min(len(far), mostCompared)]
	type votes struct{ right, wrong int }
	var byHTTP, byAddress votes
	vote := func(v *votes, right, wrong bool) {
		switch {
		case right && !wrong:
			v.right++
		case wrong && !right:
			v.wrong++
		}
	}
	for _, n := range near {
		for _, f := range far {
			if common(requestsOf(n), requestsOf(f)) > 0 {
				b := boundsOfHTTP(n, f)
				vote(&byHTTP, b.known() && b.room() > 0, b.known() && b.room() < 0)
			}
			vote(&byAddress, n.Server.Addr() == f.Client.Addr(), n.Client.Addr() == f.Server.Addr())
		}
	}
	return cmp.Or(byHTTP, byAddress).right == 0 && cmp.Or(byHTTP, byAddress).wrong > 0
}
