package vantage

import (
	"crypto/x509"
	"fmt"
	"math"
	"slices"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// Clock is how the clock of the capture near the server compares with that of
// the one near the client.
//
// No message arrives before it was sent. So one of the client's bounds how far
// the other clock can be ahead from above, by what lies between its two times,
// and one of the server's from below. The quickest in each direction bound it
// best, and what is left between the two is the time that messages take to and
// fro: as much as this method, NTP's (RFC 5905 section 8), cannot tell apart
// from the clocks.
type Clock struct {
	Known bool
	Ahead time.Duration // negative: it is behind
	Error time.Duration // Ahead may be wrong by this much, at most
	// Drift is how much the clocks have moved against each other, at least, while
	// the files were recorded; 0: nothing shows that they have. Ahead is their
	// average then.
	Drift time.Duration
	// Contradicted is set where Ahead is not known because the times of the
	// messages contradict each other.
	Contradicted bool
}

const (
	// steady is what the times in a file may be wrong by: capture programs take
	// them late, and not in the order in which packets go.
	steady = time.Millisecond
	// apart is from when on two clocks are said to differ.
	apart = 50 * time.Millisecond
)

// differs reports whether the clocks are known not to agree.
func (c Clock) differs() bool { return c.Known && (c.Ahead.Abs() > c.Error+apart || c.Drift > apart) }

// bounds are within what one clock is ahead of another.
type bounds struct{ least, most time.Duration }

var unbounded = bounds{math.MinInt64, math.MaxInt64}

// known reports whether there was a message in each direction.
func (b bounds) known() bool { return b.least != math.MinInt64 && b.most != math.MaxInt64 }

// room is what lies between the bounds; negative if they contradict.
func (b bounds) room() time.Duration { return b.most - b.least }

func (b bounds) middle() time.Duration { return b.least + (b.most-b.least)/2 }

func (b *bounds) narrow(other bounds) {
	b.least, b.most = max(b.least, other.least), min(b.most, other.most)
}

// take adds a message by the time at which each end had it.
func (b *bounds) take(sender endpoint.Side, near, far time.Time) {
	if sender == endpoint.Client {
		b.most = min(b.most, far.Sub(near))
	} else {
		b.least = max(b.least, far.Sub(near))
	}
}

// span names a message by where its records are.
type span struct {
	from       endpoint.Side
	start, end int64
}

// bounds compares the times of the messages that both ends have. What was put
// together of several records has the time of the last, and is left out where
// the two ends have put it together differently.
func (p *Pair) bounds() bounds {
	b := unbounded
	for _, m := range p.shared() {
		b.take(m.from, m.near, m.far)
	}
	return b
}

// boundsOfSame returns what the pairs that are one TLS connection say of the
// clocks.
func (r *Report) boundsOfSame() (all []bounds) {
	for _, p := range r.Pairs {
		if p.Relation != Same || p.reversed {
			continue
		}
		if b := p.bounds(); b.known() {
			all = append(all, b)
		}
	}
	return all
}

// clockOf compares the clocks by what pairs of connections say of them.
// A connection whose own times contradict each other is left out: a clock was
// set while it was open, or the files are given the wrong way round.
func clockOf(all []bounds) Clock {
	given := len(all)
	all = slices.DeleteFunc(all, func(b bounds) bool { return b.room() < -steady })
	if len(all) == 0 {
		return Clock{Contradicted: given > 0}
	}
	joint := unbounded
	var middles []time.Duration
	for _, b := range all {
		joint.narrow(b)
		middles = append(middles, b.middle())
	}
	if joint.room() >= -steady {
		return Clock{Known: true, Ahead: joint.middle(), Error: (joint.room().Abs() + 1) / 2}
	}
	slices.Sort(middles)
	ahead := middles[len(middles)/2]
	return Clock{
		Known: true, Ahead: ahead, Drift: joint.room().Abs(),
		Error: max(middles[len(middles)-1]-ahead, ahead-middles[0]) + steady,
	}
}

// near converts a time of the capture near the server to the other's clock.
func (r *Report) near(t time.Time) time.Time { return t.Add(-r.Clock.Ahead) }

// lifetime returns the ends of the time in which a connection was seen.
func lifetime(c *tlsdecrypt.Connection) (from, to time.Time) {
	from, to = c.Opened, c.Ended
	if from.IsZero() && len(c.Messages) > 0 {
		from = c.Messages[0].Time
	}
	for _, m := range c.Messages {
		if to.IsZero() || m.Time.After(to) {
			to = m.Time
		}
	}
	if to.Before(from) {
		to = from
	}
	return from, to
}

// slack is how far apart two times may be of what belongs together.
func (r *Report) slack() time.Duration {
	if r.Clock.Known {
		return r.Clock.Error + steady
	}
	return patience
}

// clocks says that the clocks differ, and by how much.
func (r *Report) clocks() {
	if r.Swapped {
		r.found(Swapped, "", "", "%s was recorded nearer to the client than %s, as the times of the messages show: it is taken for the client's", r.name(endpoint.Client), r.name(endpoint.Server))
	}
	if !r.Clock.differs() {
		return
	}
	r.found(ClocksDiffer, "", "set both by NTP: certificates are judged by them", "%s", r.Clock.Describe(r.name(endpoint.Client), r.name(endpoint.Server)))
}

// atMost rounds a duration up, as far as it is short, to what is printed of it.
func atMost(d time.Duration) time.Duration {
	const least = time.Millisecond / 10
	if d >= 10*time.Millisecond {
		return d
	}
	return max((d+least-1)/least*least, least)
}

// Describe says how the clocks compare, as a clause.
func (c Clock) Describe(client, server string) string {
	word := "ahead of"
	if c.Ahead < 0 {
		word = "behind"
	}
	switch {
	case c.Contradicted:
		return "how the clocks compare is not known, because the times of the messages contradict each other, as they do when a clock is set during a recording"
	case !c.Known:
		return "how the clocks compare is not known, because no message in each direction was seen at both ends"
	case c.Drift > apart:
		return fmt.Sprintf("the clock of %s is about %s %s that of %s, and they have moved against each other by %s at least", server, text.Duration(c.Ahead), word, client, text.Duration(c.Drift))
	case !c.differs():
		return fmt.Sprintf("the clocks agree within %s", text.Duration(atMost(c.Ahead.Abs()+c.Error)))
	}
	return fmt.Sprintf("the clock of %s is %s %s that of %s (± %s)", server, text.Duration(c.Ahead), word, client, text.Duration(atMost(c.Error)))
}

// clockDoubt says that two clocks are taken to agree.
func (r *Report) clockDoubt() string {
	if r.Clock.Known {
		return ""
	}
	return " if the two clocks agree, which nothing here shows"
}

// dates says that the clocks decide over a certificate: it is good by one of
// them and not by the other.
func (r *Report) dates(p *Pair) {
	if !r.Clock.differs() {
		return
	}
	for _, end := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		c := *p.Ends.Of(end)
		for _, shower := range []endpoint.Side{endpoint.Client, endpoint.Server} {
			ders, m := certificateOf(c, shower)
			if m == nil || m.Time.IsZero() || end != shower.Other() && p.Relation == Same && r.has(p, end.Other(), shower) {
				continue // by the end that judges it, if that has it
			}
			for _, der := range ders {
				if cert, err := tlswire.ParseCertificate(der); err == nil {
					r.date(p, cert, shower, r.convert(m.Time, end, endpoint.Client), r.convert(m.Time, end, endpoint.Server))
				}
			}
		}
	}
}

func (r *Report) has(p *Pair, end, shower endpoint.Side) bool {
	_, m := certificateOf(*p.Ends.Of(end), shower)
	return m != nil
}

func (r *Report) date(p *Pair, cert *x509.Certificate, shower endpoint.Side, near, far time.Time) {
	a, b := datedAt(cert, near), datedAt(cert, far)
	if a == b {
		return
	}
	by := func(side endpoint.Side, what string) string {
		return fmt.Sprintf("by the clock of %s %s", r.name(side), what)
	}
	p.found(ClockDecides, "", "set the clock that is wrong: which one it is, the captures do not say",
		"the clocks decide over %s, which the %v shows: %s, %s. One of the two clocks is wrong, and the %v judges by its own", chain.Name(cert), shower,
		by(endpoint.Client, a), by(endpoint.Server, b), shower.Other())
}

// datedAt says whether a certificate is valid at a time.
func datedAt(cert *x509.Certificate, t time.Time) string {
	switch {
	case t.Before(cert.NotBefore):
		return "it is not valid yet"
	case t.After(cert.NotAfter):
		return "it has expired"
	}
	return "it is valid"
}
