package lab

import (
	"time"

	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/wiretap"
)

// wireTimeout is how long an exchange whose verdict is known waits for the end
// of its connection. After that the exchange is reported although its
// connection, kept alive, is still open.
const wireTimeout = time.Second

// maxDissected bounds what is kept of connections that are open, in bytes.
const maxDissected = 32 << 20

// Dissection is a sink for the tap of a journal's exchanges. It decrypts them
// in goroutines of its own, and gives each to the journal when it has ended.
type Dissection struct {
	*wiretap.Async
	dissector *tlsdecrypt.Dissector
}

// Dissect makes the journal dissect every exchange and report it with the
// result in Exchange.Wire. Call it before the first exchange. The caller closes
// the Dissection after the last one, and before Wait.
func (j *Journal) Dissect() *Dissection {
	d := tlsdecrypt.New(tlsdecrypt.Options{Memory: maxDissected, Keep: j.Keep, Done: j.onWire})
	j.dissection = &Dissection{wiretap.NewAsync(d), d}
	return j.dissection
}

// Close ends the dissection of connections that are still open.
func (d *Dissection) Close() {
	d.Async.Close()
	d.dissector.Close()
}

// onWire stores the dissection of an exchange that has ended.
func (j *Journal) onWire(c *tlsdecrypt.Connection) {
	j.mu.Lock()
	defer j.mu.Unlock()
	k := key(c.Client.String(), c.Server.String())
	e := j.open[k]
	if e == nil || e.Number != c.Number {
		return
	}
	e.Wire = c
	if e.isReported() {
		j.settle(k, e)
	}
}

// awaitWire waits, for wireTimeout at most, for the dissection of an exchange
// that both sides have reported. mu is held.
func (j *Journal) awaitWire(k string, e *entry) {
	e.late = time.AfterFunc(wireTimeout, func() {
		sofar := j.dissection.dissector.Peek(e.Number) // before mu is taken: onWire is called with the dissector's locks held
		j.mu.Lock()
		defer j.mu.Unlock()
		if j.open[k] != e {
			return
		}
		e.Wire = sofar
		j.settle(k, e)
	})
}
