package vantage

import (
	"cmp"
	"slices"
	"sort"

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

// voted returns the shift under which most records of a are in b; of several
// the smallest, and the one to the back rather than that to the front: what is
// put before TLS on the way is near the server, as a rule.
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
		if cmp.Or(cmp.Compare(n, votes[best]), cmp.Compare(abs(best), abs(shift)), cmp.Compare(shift, best)) > 0 {
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
	sort.Slice(spans, func(i, j int) bool {
		a, b := spans[i], spans[j]
		return a.Offset < b.Offset || a.Offset == b.Offset && a.Length > b.Length
	})
	return slices.Compact(spans)
}

// mostRecord is the size of the longest record there is, in bytes
// (RFC 5246 section 6.2.3). A longer span is of several.
const mostRecord = tlswire.RecordHeaderLen + tlswire.MaxCiphertextTLS12

// covers reports whether a record, moved by shift, is among the spans.
func covers(spans []tlsdecrypt.Span, record tlsdecrypt.Span, shift int64) bool {
	end := record.Offset + int64(record.Length) + shift
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

// unseen returns the messages that one end has and the other does not, or not
// whole. all are all messages of that end; in both, encrypted records in a row
// are divided into those that both have and those that one has.
func (p *Pair) unseen(at endpoint.Side) (unseen, all []*tlsdecrypt.Message) {
	here, there := *p.Ends.Of(at), *p.Ends.Of(at.Other())
	spans := endpoint.Pair[[]tlsdecrypt.Span]{Client: spansOf(there, endpoint.Client), Server: spansOf(there, endpoint.Server)}
	for _, m := range here.Messages {
		shift := p.shiftTo(at, m.From)
		isSeen := func(record tlsdecrypt.Span) bool { return covers(*spans.Of(m.From), record, shift) }
		for _, part := range divide(m, isSeen) {
			all = append(all, part)
			if slices.ContainsFunc(part.Records, func(s tlsdecrypt.Span) bool { return !isSeen(s) }) {
				unseen = append(unseen, part)
			}
		}
	}
	slices.SortStableFunc(unseen, func(a, b *tlsdecrypt.Message) int { return cmp.Compare(a.From, b.From) })
	return unseen, all
}

// divide divides encrypted records in a row where one was seen and the next was
// not, or the reverse. What is one message stays one.
func divide(m *tlsdecrypt.Message, isSeen func(tlsdecrypt.Span) bool) (parts []*tlsdecrypt.Message) {
	if !m.Encrypted || len(m.Records) < 2 {
		return []*tlsdecrypt.Message{m}
	}
	from := 0
	for i := 1; i <= len(m.Records); i++ {
		if i < len(m.Records) && isSeen(m.Records[i]) == isSeen(m.Records[from]) {
			continue
		}
		part := *m
		part.Records = m.Records[from:i]
		if i < len(m.Records) && !m.Began.IsZero() {
			part.Time = m.Began
		}
		parts = append(parts, &part)
		from = i
	}
	if len(parts) == 1 {
		return []*tlsdecrypt.Message{m}
	}
	return parts
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
// more, and those of the other that it does not have.
func (r *Report) join(p *Pair) {
	base := endpoint.Client
	if readable(p.Ends.Server) > readable(p.Ends.Client) {
		base = endpoint.Server
	}
	c := **p.Ends.Of(base)
	unseen, all := p.unseen(base)
	c.Messages = all
	p.OneEnd = make(map[*tlsdecrypt.Message]Place)
	for _, m := range unseen {
		if other := *p.Ends.Of(base.Other()); other.Omitted == 0 && other.NotTLSFrom != m.From {
			p.OneEnd[m] = Place{base, r.mayHaveMissed(p, base.Other(), m)}
		}
	}
	unseen, _ = p.unseen(base.Other())
	for _, m := range unseen {
		if c.Omitted > 0 { // it may be among those
			break
		}
		missed := r.mayHaveMissed(p, base, m)
		m = r.moved(p, m, base)
		p.OneEnd[m] = Place{base.Other(), missed}
		c.Messages = slices.Insert(c.Messages, place(c.Messages, m), m)
	}
	if r.isEndedBetween(p) {
		c.End, c.EndedBy = tlsdecrypt.EndedBetween, endpoint.Unknown
	}
	p.Joined, p.Base = &c, base
}

// moved is a copy of a message as it would stand in the capture of the base.
func (r *Report) moved(p *Pair, m *tlsdecrypt.Message, base endpoint.Side) *tlsdecrypt.Message {
	c := *m
	c.Time = r.convert(c.Time, base.Other(), base)
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
