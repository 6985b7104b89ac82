package verdict

import (
	"fmt"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// Relayed are connections that a load balancer has passed on with a PROXY line
// which the server behind it did not expect: they explain what became of the
// client's own connection to the load balancer, where both are in one capture.
// The zero value knows none. It is for one goroutine at a time.
type Relayed struct{ by map[string]int } // the connection, by the client's address

// mostRelayed bounds the memory of Relayed.
const mostRelayed = 4096

// Learn remembers a connection that failed by its PROXY line.
func (r *Relayed) Learn(v *Verdict, c *tlsdecrypt.Connection) {
	h := c.Prologue.Header()
	if v.Code != ProxyHeader || h == nil || h.Source == "" || len(r.by) >= mostRelayed {
		return
	}
	if r.by == nil {
		r.by = make(map[string]int)
	}
	r.by[h.Source] = c.Number
}

// IsOpen reports whether a verdict may be another one if the connection is one
// half of two: what came from the server may be that of a server behind it.
func (r *Relayed) IsOpen(v *Verdict) bool {
	return v.Code == SpokeNoTLS && v.RejectedBy == endpoint.Client || v.Code == ProxyHeader
}

// Add explains a connection by the other half of it, if that failed by its PROXY
// line. It reports whether it changed the verdict.
func (r *Relayed) Add(v *Verdict, c *tlsdecrypt.Connection) bool {
	other, known := r.by[c.Client.String()]
	if !known || other == c.Number || !r.IsOpen(v) || v.Code == ProxyHeader {
		return false
	}
	v.RejectedBy = endpoint.Server
	v.because(Reason{Code: ProxyHeader, Text: fmt.Sprintf("what the client called passes the connection on with a PROXY line (TCP stream %d), and the server behind it does not expect one", other)})
	return true
}
