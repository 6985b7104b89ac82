package lab

import (
	"unsafe"

	"mtlslab.example/lab/lab/verdict"
)

// maxBacklog bounds the memory, in bytes, of exchanges that wait for
// Journal.Each: a terminal may be stopped, and a pager left open. Their Wire
// takes half of it at most.
const maxBacklog = 16 << 20

// backlog is a queue of exchanges that have ended and were not reported yet.
type backlog struct {
	waiting []*Exchange
	size    int // bytes that they take
	lines   int // of these, without Wire
}

// Counts are how many exchanges ended in each way.
type Counts struct {
	Accepted int `json:"accepted"`
	Rejected int `json:"rejected"`
	Refused  int `json:"refused,omitempty"` // in HTTP or the like, after the handshake
	Silent   int `json:"silent,omitempty"`  // closed by the client without a ClientHello
}

// Len returns the number of exchanges.
func (c *Counts) Len() int {
	if c == nil {
		return 0
	}
	return c.Accepted + c.Rejected + c.Refused + c.Silent
}

// add adds an exchange. It drops its Wire if that does not fit. If the exchange
// does not fit either, it is only counted, in NotShown of the last one.
func (b *backlog) add(x *Exchange) {
	line, wire := x.size(), 0
	if x.Wire != nil {
		wire = x.Wire.Size()
	}
	if wire > 0 && len(b.waiting) > 0 && b.size-b.lines+wire > maxBacklog/2 {
		x.Wire, x.WireLeftOut, wire = nil, true, 0
	}
	if len(b.waiting) > 0 && b.lines+line > maxBacklog/2 {
		last := b.waiting[len(b.waiting)-1]
		if last.NotShown == nil {
			last.NotShown = &Counts{}
		}
		switch {
		case x.IsDenied():
			last.NotShown.Refused++
		case x.Outcome == verdict.Rejected:
			last.NotShown.Rejected++
		case x.Outcome == verdict.Unknown:
			last.NotShown.Silent++
		default: // the handshake succeeded, even if an alert came later
			last.NotShown.Accepted++
		}
		return
	}
	b.waiting = append(b.waiting, x)
	b.size, b.lines = b.size+line+wire, b.lines+line
}

// next removes the first exchange and returns it.
func (b *backlog) next() *Exchange {
	x := b.waiting[0]
	b.waiting[0] = nil
	b.waiting = b.waiting[1:]
	line := x.size()
	b.size, b.lines = b.size-line, b.lines-line
	if x.Wire != nil {
		b.size -= x.Wire.Size()
	}
	return x
}

// size estimates the memory that an exchange takes without its Wire, in bytes.
func (x *Exchange) size() int {
	size := 2 * int(unsafe.Sizeof(*x))
	for _, s := range []string{x.Reason, x.Fix, x.Confirm, x.TLS.ALPN, x.TLS.ServerName, x.Client.Certificate, x.Client.Error, x.Server.Certificate, x.Server.Error} {
		size += len(s)
	}
	for _, cause := range x.Causes {
		size += int(unsafe.Sizeof(cause)) + len(cause.Text) + len(cause.Tell)
	}
	return size
}
