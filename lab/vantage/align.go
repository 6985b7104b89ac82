package vantage

import (
	"cmp"
	"slices"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// Messages of the two ends are compared by the place of their records in the
// stream of their sender: how application data was put together, and what could
// be decrypted, may differ from end to end, but bytes do not move. A line that
// was put before TLS on the way moves all of them by its length.

// shift returns how much further the records of a side are near the server than
// near the client.
func (p *Pair) shift(side endpoint.Side) int64 {
	near, far := p.Ends.Client, p.Ends.Server
	if a, b := helloOf(near, side), helloOf(far, side); a != nil && b != nil && len(a.Records) > 0 && len(b.Records) > 0 {
		return b.Records[0].Offset - a.Records[0].Offset
	}
	return voted(spansOf(near, side), spansOf(far, side))
}

// helloOf is the message with the first hello of a side.
func helloOf(c *tlsdecrypt.Connection, side endpoint.Side) (m *tlsdecrypt.Message) {
	if side == endpoint.Server {
		_, m = serverHello(c)
	} else {
		_, m = clientHello(c)
	}
	return m
}

// mostVoters bounds the records that are compared to find a shift.
const mostVoters = 200

// voted returns the shift under which most records of a are in b, and the
// smallest of several.
func voted(a, b []tlsdecrypt.Span) int64 {
	votes := make(map[int64]int)
	for _, x := range a[:min(len(a), mostVoters)] {
		for _, y := range b[:min(len(b), mostVoters)] {
			if x.Length == y.Length {
				votes[y.Offset-x.Offset]++
			}
		}
	}
	best := int64(0)
	for shift, n := range votes {
		if n > votes[best] || n == votes[best] && abs(shift) < abs(best) {
			best = shift
		}
	}
	return best
}

func abs(n int64) int64 { return max(n, -n) }

// spansOf are the records of a side, each once, in their order.
func spansOf(c *tlsdecrypt.Connection, side endpoint.Side) (spans []tlsdecrypt.Span) {
	for _, m := range c.Messages {
		if m.From == side {
			spans = append(spans, m.Records...)
		}
	}
	slices.SortFunc(spans, func(a, b tlsdecrypt.Span) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(b.Length, a.Length))
	})
	return slices.Compact(spans)
}

// mostRecord is the size of the longest record there is, in bytes
// (RFC 5246 section 6.2.3). A longer span is of several.
const mostRecord = tlswire.RecordHeaderLen + tlswire.MaxCiphertextTLS12

// covers reports whether the last record of a message, moved by shift, is among
// the spans.
func covers(spans []tlsdecrypt.Span, m *tlsdecrypt.Message, shift int64) bool {
	end := endOf(m) + shift
	i, _ := slices.BinarySearchFunc(spans, end, func(s tlsdecrypt.Span, end int64) int { return cmp.Compare(s.Offset, end) })
	if i == 0 {
		return false
	}
	last := spans[i-1]
	covered := last.Offset + int64(last.Length)
	return covered == end || covered > end && last.Length > mostRecord
}

// endOf is the offset behind the last record of a message.
func endOf(m *tlsdecrypt.Message) int64 {
	last := m.Records[len(m.Records)-1]
	return last.Offset + int64(last.Length)
}

// unseen returns the messages that one end has and the other does not.
func (p *Pair) unseen(at endpoint.Side) (unseen []*tlsdecrypt.Message) {
	here, there := *p.Ends.Of(at), *p.Ends.Of(at.Other())
	for _, sender := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		spans := spansOf(there, sender)
		for _, m := range here.Messages {
			if m.From == sender && len(m.Records) > 0 && !covers(spans, m, p.shiftTo(at, sender)) {
				unseen = append(unseen, m)
			}
		}
	}
	return unseen
}

// shiftTo is the shift of a sender's records from one end to the other.
func (p *Pair) shiftTo(from, sender endpoint.Side) int64 {
	shift := *p.shifts.Of(sender)
	if from == endpoint.Server {
		return -shift
	}
	return shift
}

// isWhole reports whether all that a side sent can be followed in a capture, so
// that what is not among its messages is not there.
func isWhole(c *tlsdecrypt.Connection, sender endpoint.Side) bool {
	return c.Omitted == 0 && !*c.Gaps.Of(sender) && c.NotTLSFrom != sender &&
		!slices.ContainsFunc(c.Problems, func(p tlsdecrypt.Problem) bool { return p.From == sender && p.Offset >= 0 })
}

// join makes one connection of both ends: the messages of the one that shows
// more, and those of the other that it does not have. ahead is how much the
// clock near the server is ahead of the one near the client.
func (p *Pair) join(ahead time.Duration) {
	base, behind := endpoint.Client, ahead
	if readable(p.Ends.Server) > readable(p.Ends.Client) {
		base, behind = endpoint.Server, -ahead
	}
	c := **p.Ends.Of(base)
	c.Messages = slices.Clone(c.Messages)
	p.OneEnd = make(map[*tlsdecrypt.Message]Place)
	for _, m := range p.unseen(base) {
		if other := *p.Ends.Of(base.Other()); other.Omitted == 0 && other.NotTLSFrom != m.From {
			p.OneEnd[m] = Place{base, *other.Gaps.Of(m.From)}
		}
	}
	for _, m := range p.unseen(base.Other()) {
		if c.Omitted > 0 { // it may be among those
			break
		}
		m = p.moved(m, base, behind)
		p.OneEnd[m] = Place{base.Other(), *c.Gaps.Of(m.From)}
		c.Messages = slices.Insert(c.Messages, place(c.Messages, m), m)
	}
	p.Joined, p.Base = &c, base
}

// moved is a copy of a message as it would stand in the capture of the base.
func (p *Pair) moved(m *tlsdecrypt.Message, base endpoint.Side, behind time.Duration) *tlsdecrypt.Message {
	c := *m
	c.Time = c.Time.Add(-behind)
	c.Records = slices.Clone(c.Records)
	for i := range c.Records {
		c.Records[i].Offset += p.shiftTo(base.Other(), m.From)
	}
	return &c
}

// place is where a message belongs among others: behind those that its sender
// sent before, and that were seen before.
func place(all []*tlsdecrypt.Message, m *tlsdecrypt.Message) int {
	at := 0
	for i, other := range all {
		if other.From == m.From && len(other.Records) > 0 && endOf(other) <= m.Records[0].Offset {
			at = i + 1
		}
	}
	for at < len(all) && all[at].From != m.From && !all[at].Time.After(m.Time) {
		at++
	}
	return at
}

// readable counts the messages of a connection that could be read.
func readable(c *tlsdecrypt.Connection) (n int) {
	for _, m := range c.Messages {
		if !m.Encrypted {
			n++
		}
	}
	return n
}
