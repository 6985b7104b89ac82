package tlsdecrypt

import (
	"slices"
	"time"

	"mtlslab.example/lab/lab/tlswire"
)

// Bounds on what waits for the connection that began its session.
const (
	maxUnsettled = 256         // connections
	settleTime   = time.Second // since the connection has ended
)

// unsettled is a connection that has ended, and resumed a session of TLS 1.2
// whose secret is not known yet.
type unsettled struct {
	*flow
	names [][]byte // that the session may be remembered by
	late  *time.Timer
}

// postpone keeps a flow that has ended, as long as the connection that began
// its session may still come. It reports whether it does. f.mu is held.
func (d *Dissector) postpone(f *flow) bool {
	if !d.options.Unordered || len(f.decrypter.queue) == 0 {
		return false
	}
	names := f.secrets.missingSession(f.conversation.hs)
	if len(names) == 0 {
		return false
	}
	u := &unsettled{flow: f, names: names}
	u.late = time.AfterFunc(settleTime, func() {
		if d.take(u) {
			u.mu.Lock()
			defer u.mu.Unlock()
			u.finish()
		}
	})
	d.mu.Lock()
	d.unsettled = append(d.unsettled, u)
	var oldest *unsettled
	if len(d.unsettled) > maxUnsettled {
		oldest = d.unsettled[0]
	}
	d.mu.Unlock()
	if oldest != nil && d.take(oldest) {
		oldest.mu.Lock()
		defer oldest.mu.Unlock()
		oldest.finish()
	}
	return true
}

// take removes a connection from those that wait, and reports whether it was
// one: whoever takes it finishes it.
func (d *Dissector) take(u *unsettled) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.Index(d.unsettled, u)
	if i < 0 {
		return false
	}
	d.unsettled = slices.Delete(d.unsettled, i, i+1)
	u.late.Stop()
	return true
}

// settle finishes the connections that have resumed the session of that name.
func (d *Dissector) settle(name []byte) {
	for _, u := range d.waiting() {
		if slices.ContainsFunc(u.names, func(n []byte) bool { return string(n) == string(name) }) && d.take(u) {
			u.mu.Lock()
			u.finish()
			u.mu.Unlock()
		}
	}
}

// settleAll finishes all that wait.
func (d *Dissector) settleAll() {
	for _, u := range d.waiting() {
		if d.take(u) {
			u.mu.Lock()
			u.finish()
			u.mu.Unlock()
		}
	}
}

func (d *Dissector) waiting() []*unsettled {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.unsettled)
}

// missingSession returns the names of the session that a handshake of TLS 1.2
// has resumed, its ticket and its session id, if the secret is not known. There
// are none if no secret is known at all.
func (s *secrets) missingSession(hs *handshake) (names [][]byte) {
	if !hs.resumed || hs.tls13() || hs.hello == nil || s.empty() || s.findMaster(hs) {
		return nil
	}
	if t, ok := tlswire.Lookup[*tlswire.SessionTicket](hs.hello.Extensions, tlswire.ExtensionSessionTicket); ok && len(t.Ticket) > 0 {
		names = append(names, slices.Clone(t.Ticket))
	}
	if len(hs.sessionID) > 0 {
		names = append(names, slices.Clone(hs.sessionID))
	}
	return names
}
