package tlsdecrypt

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/tlswire"
)

// A side may say something else before TLS. Its reader hands that on to the
// Talk of the connection, until TLS begins.

// prologue takes bytes of a side that has not come to TLS. If it comes to it in
// them, plain is false from then on, and they are returned from there.
func (r *reader) prologue(b []byte, t time.Time) (rest []byte) {
	c := r.conn
	if c.talk == nil {
		c.talk = new(prologue.Talk)
		c.Prologue = &c.talk.Prologue
	}
	answers := r.side == endpoint.Server && c.ClientRandom != nil
	if answers {
		c.talk.Begun(endpoint.Client)
	}
	if !r.plain {
		r.plain = true
		c.talk.Begin(r.side, r.offset, r.headless, r.headless && answers)
	}
	rest, begins := c.talk.Take(r.side, b, t)
	r.offset = *c.Prologue.Bytes.Of(r.side)
	switch {
	case begins:
		r.plain = false
		c.retractNotTLS()
		if r.side == endpoint.Client && c.leadsToTLS() { // nothing of TLS is missing so far
			c.lacking, c.Late, r.headless = false, false, false
			r.next.begin()
		}
		return rest
	case !answers && c.Prologue.Name() != "":
		r.headless = false // it is known what this is
	}
	if answers && c.NotTLSFrom == endpoint.Unknown {
		if _, _, err := tlswire.ReadRecord(b, r.offset); err != nil {
			if err, ok := err.(*tlswire.RecordError); ok {
				r.notTLS(err, b)
			}
		}
	}
	return nil
}

// ProxiedHost returns the host that the client asked a proxy for, that which
// recorded the connection or one that it went through; "": none is known. An IP
// address is one only with HTTP CONNECT, whose clients pass on what they call:
// those of SOCKS may have looked it up.
func (c *Connection) ProxiedHost() string {
	if c.Host != "" || c.Prologue == nil {
		return c.Host
	}
	for _, l := range slices.Backward(c.Prologue.Layers) {
		if l.Kind != prologue.Proxy || !l.Agreed {
			continue
		}
		host, _, _ := net.SplitHostPort(l.Target)
		if _, err := netip.ParseAddr(host); err == nil && l.Protocol != "HTTP CONNECT" {
			return ""
		}
		return host
	}
	return ""
}

// leadsToTLS reports whether TLS is known to begin behind the prologue, and not
// to go on there, as in the middle of a capture.
func (c *Connection) leadsToTLS() bool {
	l := c.Prologue.Last()
	return l.Asked != "" || l.Kind == prologue.Header
}

// isPrologue reports whether the first bytes that were seen of a side, of whose
// stream the beginning may be missing, are known to be said before TLS: those
// of a protocol, or an answer in it.
func (r *reader) isPrologue(b []byte) bool {
	if p := r.conn.Prologue; p != nil && p.Name() != "" {
		return true
	}
	return r.conn.ClientRandom == nil && prologue.IsProtocol(r.side, b)
}

// begin notes that nothing of TLS is missing so far, although bytes before it
// are.
func (d *decrypter) begin() {
	for _, w := range d.sides.All() {
		w.headless = false
	}
	d.next.headless, d.next.late = false, false
}

// gapBeforeTLS notes that bytes of a side are missing that has not come to TLS.
// The server may have done so in them when the client has.
func (r *reader) gapBeforeTLS(missing int64) {
	r.conn.talk.Skip(r.side, missing)
	r.offset = *r.conn.Prologue.Bytes.Of(r.side)
	if r.side == endpoint.Server && r.conn.ClientRandom != nil {
		r.plain = false
		r.next.lose(r.side, lostFirst)
		r.seek(missing, 0)
	}
}

// endPrologue ends what is said before TLS. Where TLS was asked for and did not
// begin, the verdict says why: it is not for want of knowing TLS.
func (c *Connection) endPrologue() {
	c.talk.End()
	answered := slices.ContainsFunc(c.Messages, func(m *Message) bool { return m.From == endpoint.Server })
	for _, l := range c.Prologue.Layers {
		switch {
		case answered:
		case l.Refused != "", len(c.Messages) == 0 && (l.Asked != "" || l.Demanded != "" || l.Kind == prologue.Header):
			c.retractProblems()
		}
	}
}

// retractNotTLS takes back that a side does not speak TLS: it has begun to.
func (c *Connection) retractNotTLS() {
	c.NotTLSFrom, c.Plain = endpoint.Unknown, endpoint.Pair[Plain]{}
	c.retractProblems()
}

func (c *Connection) retractProblems() {
	c.Problems = slices.DeleteFunc(c.Problems, func(p Problem) bool { return p.untilTLS })
}
