package tlsdecrypt

import (
	"fmt"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/wiretap"
)

// ends notes that a side is the first to end its direction.
func (f *flow) ends(e *wiretap.Event) {
	if c := f.conn; c.EndedBy == endpoint.Unknown {
		c.EndedBy, c.EndedAt, c.EndedByReset = e.From, e.Time, e.Kind == wiretap.Reset
	}
}

// goesOn notes that a side sends data after an end. One that does so after its
// own reset has not sent that.
func (f *flow) goesOn(e *wiretap.Event) {
	switch c := f.conn; {
	case c.EndedBy == e.From.Other():
		c.After += int64(len(e.Data))
	case c.EndedBy == e.From && c.EndedByReset:
		c.EndedBy, c.EndedByReset, c.After, c.End = endpoint.Unknown, false, 0, StillOpen
		c.problem(e.From, f.readers.Of(e.From).position(), fmt.Sprintf("a reset (RST) of the %v's ended nothing: it sent more after that, so somebody on the way has forged the reset, or it did not fit", e.From))
	}
}
