package lab

import (
	"cmp"
	"context"
	"sync"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

// Journal numbers the exchanges of a server, a client, or both, joins what the
// two sides saw of each, and hands it on. It is safe for concurrent use.
type Journal struct {
	// Paired says that the clients and the server of this journal talk to each
	// other: an exchange that a client opened ends when both sides have.
	Paired bool
	// Each is called once for every exchange, one at a time, when its verdict is
	// known: after the first response, or when the connection has ended. While it
	// does not return, what comes after waits in at most 16 MiB, and is left out
	// beyond that: see Exchange.WireLeftOut and Exchange.NotShown.
	Each func(*Exchange)

	// Trust is what certificates are checked under where neither side knows why
	// one was refused; nil: they are not checked. It is called before Each.
	Trust func() *chain.Trust

	dissection *Dissection // nil when nobody wants to know what was said

	mu      sync.Mutex
	number  int
	open    map[string]*entry // by addresses
	ended   backlog
	handing bool            // a goroutine calls Each
	waiting []chan struct{} // closed when nothing is open or ended
}

// entry is an exchange that goes on.
type entry struct {
	Exchange
	opened  time.Time
	views   views
	changed chan struct{} // closed when a half was added; nil while nobody waits for one
	server  *wiretap.Conn // the server's end; nil when it is not tapped
	late    *time.Timer   // awaits what was said; nil while a side has not told
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

// isJudged tells whether all sides have told what they saw.
func (e *entry) isJudged() bool { return !e.views.client.isOwed() && !e.views.server.isOwed() }

func key(clientAddr, serverAddr string) string { return clientAddr + " " + serverAddr }

// begin is called when side has connected, before it sends anything, and returns
// the number of the exchange.
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
	if !e.isJudged() {
		return
	}
	e.DurationMS = float64(time.Since(e.opened).Microseconds()) / 1000
	if j.dissection != nil && e.Wire == nil {
		j.awaitWire(k, e)
		return
	}
	j.settle(k, e)
}

// otherView is how long a side that was rejected waits for the other to say why.
const otherView = 200 * time.Millisecond

// judge is the verdict as far as it can be known when side has ended. A side
// that was told of its rejection waits a moment for the other's reason, if that
// is of the same journal.
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

// forget drops an exchange that was broken off because the lab ends.
func (j *Journal) forget(clientAddr, serverAddr string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.open, key(clientAddr, serverAddr))
	j.wake()
}

// settle judges an exchange and has it handed on. mu is held.
func (j *Journal) settle(k string, e *entry) {
	delete(j.open, k)
	if e.late != nil {
		e.late.Stop()
	}
	if server, client := e.views.server.half, e.views.client.half; server != nil || client != nil {
		e.Verdict = verdict.Judge(server, client, e.status(), e.Wire)
		e.Server.fill(server)
		e.Client.fill(client)
		if e.Wire != nil { // crypto/tls has no server_name of a ClientHello that it refuses at once
			e.TLS.ServerName = cmp.Or(e.TLS.ServerName, e.Wire.ServerName)
		}
		if e.DurationMS == 0 {
			e.DurationMS = float64(time.Since(e.opened).Microseconds()) / 1000
		}
		x := e.Exchange // alone: the connection behind e may go
		toldAlone := server == nil && x.Code != "" // another program's server, which has said so
		if (x.Verdict.IsVague() || toldAlone) && x.Wire != nil && j.Trust != nil {
			x.views = e.views
		}
		j.ended.add(&x)
	}
	if !j.handing {
		j.handing = true
		go j.handOn()
	}
}

// fill adds what a party saw of itself, if it has reported.
func (p *Party) fill(v *verdict.View) {
	if v != nil {
		p.State, p.Learned = v.State, v.Learned()
	}
}

// handOn calls Each for what has ended. It is a goroutine of its own, so that a
// reader of the results who is slow holds up no connection.
func (j *Journal) handOn() {
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
	j.handing = false
	j.wake()
}

// check judges an exchange again that was refused for a reason that neither side
// knows, or only by what the server has said, once the certificates are checked that were shown in it.
func (j *Journal) check(x *Exchange) {
	v := x.views
	if v == (views{}) || x.Wire == nil {
		return
	}
	x.views = views{}
	x.Wire.Check(j.Trust())
	x.Verdict = verdict.Judge(v.server.half, v.client.half, x.status(), x.Wire)
}

// wake ends Wait when there is nothing left. mu is held.
func (j *Journal) wake() {
	if len(j.open) > 0 || j.handing {
		return
	}
	for _, c := range j.waiting {
		close(c)
	}
	j.waiting = nil
}

// Wait waits until every exchange that was begun has been handed on, or ctx
// ends. Then those are judged of which one side alone is known, and given the
// time of a blink to be handed on too.
func (j *Journal) Wait(ctx context.Context) {
	j.await(ctx)
	j.mu.Lock()
	for k, e := range j.open {
		j.settle(k, e)
	}
	j.mu.Unlock()
	blink, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	j.await(blink)
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
