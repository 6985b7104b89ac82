package lab

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

// Journal numbers the exchanges of a server, a client, or both, joins what the
// two sides saw of each, and reports it. It is safe for concurrent use.
type Journal struct {
	// Paired says that the clients and the server of this journal talk to each
	// other: an exchange that a client opened ends when both sides have ended it.
	Paired bool
	// Each is called once for every exchange, one at a time, when its verdict
	// is known: after the first response, or when the connection has ended.
	// Until it returns, the next ones wait in at most 16 MiB of memory. What
	// does not fit is left out: see Exchange.WireLeftOut and Exchange.NotShown.
	Each func(*Exchange)

	// Trust returns the CAs under which to check the certificates of an
	// exchange in which one was refused and neither side knows why; nil: they
	// are not checked. It is called before Each.
	Trust func() *chain.Trust

	// Keep is how many bytes of each side Exchange.Wire.Kept has; 0: none. Set it
	// before Dissect.
	Keep int

	dissection *Dissection // nil without Dissect

	mu        sync.Mutex
	number    int
	open      map[string]*entry // by addresses
	ended     backlog
	reporting bool            // a goroutine calls Each
	waiting   []chan struct{} // closed when nothing is open or ended
}

// entry is an exchange that goes on.
type entry struct {
	Exchange
	opened  time.Time
	views   views
	changed chan struct{} // closed when a view was added; nil while nobody waits for one
	server  *wiretap.Conn // the server's end; nil when it is not tapped
	late    *time.Timer   // ends the wait for the dissection; nil while a side has not reported
}

// views are an exchange as its two sides see it.
type views struct{ client, server view }

// view is one of them.
type view struct {
	expected bool
	half     *verdict.View // nil until the side has reported what it saw
}

func (v *views) of(side endpoint.Side) *view {
	if side == endpoint.Client {
		return &v.client
	}
	return &v.server
}

func (v *view) isOwed() bool { return v.expected && v.half == nil }

// isReported reports whether all sides have reported what they saw.
func (e *entry) isReported() bool { return !e.views.client.isOwed() && !e.views.server.isOwed() }

func key(clientAddr, serverAddr string) string { return clientAddr + " " + serverAddr }

// begin is called when side has connected, before it sends anything, and
// returns the number of the exchange.
func (j *Journal) begin(side endpoint.Side, clientAddr, serverAddr string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	k := key(clientAddr, serverAddr)
	e := j.open[k]
	if e == nil || e.views.of(side).expected && (side == endpoint.Client || e.views.server.half != nil) { // an address that is used again
		if e != nil {
			j.settle(k, e)
		}
		j.number++
		e = &entry{opened: time.Now()}
		e.Exchange = Exchange{Number: j.number, Time: e.opened.UTC(), ClientAddr: clientAddr, ServerAddr: serverAddr}
		if j.open == nil {
			j.open = make(map[string]*entry)
		}
		j.open[k] = e
	}
	e.views.of(side).expected = true
	if j.Paired && side == endpoint.Client {
		e.views.server.expected = true
	}
	return e.Number
}

// end is called when side knows its verdict. fill adds what it learned.
func (j *Journal) end(side endpoint.Side, clientAddr, serverAddr string, h verdict.View, fill func(*Exchange)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	k := key(clientAddr, serverAddr)
	e := j.open[k]
	if e == nil || e.views.of(side).half != nil {
		return
	}
	e.views.of(side).half = &h
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
	}
	fill(&e.Exchange)
	if !e.isReported() {
		return
	}
	e.DurationMS = text.Milliseconds(time.Since(e.opened))
	if j.dissection != nil && e.Wire == nil {
		j.awaitWire(k, e)
		return
	}
	j.settle(k, e)
}

// otherView is how long a side that was rejected waits for the other to say
// why.
const otherView = 200 * time.Millisecond

// judge returns the verdict that side can give when it ends, before the other
// side has reported. If the other side rejected it, and reports to the same
// journal, judge waits for the reason for otherView at most.
func (j *Journal) judge(side endpoint.Side, clientAddr, serverAddr string, h verdict.View, status int) verdict.Verdict {
	var v views
	v.of(side).half = &h
	j.mu.Lock()
	e := j.open[key(clientAddr, serverAddr)]
	if e != nil && j.Paired && h.Err != nil && !h.Refused {
		if e.views.of(side.Other()).half == nil {
			if e.changed == nil {
				e.changed = make(chan struct{})
			}
			changed := e.changed
			j.mu.Unlock()
			select {
			case <-changed:
			case <-time.After(otherView):
			}
			j.mu.Lock()
		}
		v.of(side.Other()).half = e.views.of(side.Other()).half
	}
	j.mu.Unlock()
	return verdict.Judge(v.server.half, v.client.half, status, nil)
}

// tapped stores the server's end of an exchange.
func (j *Journal) tapped(clientAddr, serverAddr string, server *wiretap.Conn) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.open[key(clientAddr, serverAddr)]; e != nil {
		e.server = server
	}
}

// serverTap returns the server's end of an exchange, nil while there is none.
func (j *Journal) serverTap(clientAddr, serverAddr string) *wiretap.Conn {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.open[key(clientAddr, serverAddr)]; e != nil {
		return e.server
	}
	return nil
}

// forget drops an exchange that was broken off because the lab stops.
func (j *Journal) forget(clientAddr, serverAddr string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.open, key(clientAddr, serverAddr))
	j.wake()
}

// settle judges an exchange and queues it for Each. mu is held.
func (j *Journal) settle(k string, e *entry) {
	delete(j.open, k)
	if e.late != nil {
		e.late.Stop()
	}
	if server, client := e.views.server.half, e.views.client.half; server != nil || client != nil {
		e.Verdict = verdict.Judge(server, client, e.status(), e.Wire)
		e.Server.fill(server)
		e.Client.fill(client)
		if e.Outcome == verdict.Unknown {
			e.Server.Learned = "" // nobody was rejected
		}
		if e.Wire != nil { // crypto/tls has no server_name of a ClientHello that it refuses at once
			e.TLS.ServerName = cmp.Or(e.TLS.ServerName, e.Wire.ServerName)
			if e.HTTP != nil {
				e.HTTP = &HTTP{e.HTTP.Status, slices.DeleteFunc(e.Wire.Statuses(), func(status int) bool { return status == e.HTTP.Status })}
			}
		}
		switch {
		case e.Wire != nil && e.Wire.Duration() > 0:
			e.DurationMS = text.Milliseconds(e.Wire.Duration()) // as the drawing says it
		case e.DurationMS == 0:
			e.DurationMS = text.Milliseconds(time.Since(e.opened))
		}
		x := e.Exchange // a copy: the connection behind e may go
		if x.Verdict.IsGuessed() && x.Wire != nil && j.Trust != nil {
			x.views = e.views
		}
		j.ended.add(&x)
	}
	if !j.reporting {
		j.reporting = true
		go j.report()
	}
}

// fill adds what a party saw of itself, if it has reported.
func (p *Party) fill(v *verdict.View) {
	if v != nil {
		p.State, p.Learned = v.State, v.Learned()
	}
}

// report calls Each for what has ended. It runs in a goroutine of its own, so
// that a slow Each holds up no connection.
func (j *Journal) report() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.ended.waiting) > 0 {
		x := j.ended.next()
		if j.Each != nil {
			j.mu.Unlock()
			j.check(x)
			j.Each(x)
			j.mu.Lock()
		}
	}
	j.reporting = false
	j.wake()
}

// check checks the certificates of an exchange that was refused for a reason
// that neither side knows, and judges it again.
func (j *Journal) check(x *Exchange) {
	v := x.views
	if v == (views{}) || x.Wire == nil {
		return
	}
	x.views = views{}
	x.Wire.Check(j.Trust())
	x.Verdict = verdict.Judge(v.server.half, v.client.half, x.status(), x.Wire)
}

// wake ends Wait if no exchange is left. mu is held.
func (j *Journal) wake() {
	if len(j.open) > 0 || j.reporting {
		return
	}
	for _, c := range j.waiting {
		close(c)
	}
	j.waiting = nil
}

// Wait waits until every exchange that was begun has been reported, or ctx
// ends. Then exchanges that only one side has reported are judged on that
// alone, and Each gets 100 ms more.
func (j *Journal) Wait(ctx context.Context) {
	j.await(ctx)
	j.mu.Lock()
	for k, e := range j.open {
		j.settle(k, e)
	}
	j.mu.Unlock()
	grace, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	j.await(grace)
}

func (j *Journal) await(ctx context.Context) {
	done := make(chan struct{})
	j.mu.Lock()
	j.waiting = append(j.waiting, done)
	j.wake()
	j.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
