package web

import (
	"fmt"
	"slices"
	"sync"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// The bounds of what is kept: exchanges, and the bytes of memory that what was
// said on them may take.
const (
	mostKept  = 1000
	mostBytes = 64 << 20
)

// Exchange is one exchange on the page. The page owns what it refers to.
type Exchange struct {
	*lab.Exchange
	Trust  *chain.Trust   // under which its certificates are checked; nil: none is known
	Ladder ladder.Options // how it is told: Title and Stream
	Lesson *Lesson        // that it is a run of; nil: of none

	id      int                 // counted from 1
	early   endpoint.Pair[bool] // the turn of that side to show a certificate had not come
	hidden  endpoint.Pair[bool] // what that side showed cannot be read
	size    int                 // of Wire, in bytes of memory
	reading sync.Mutex          // held while Wire is used, which may change it
}

// fileName is what files of an exchange are called, without their ending.
func (x *Exchange) fileName() string {
	switch {
	case x.Lesson != nil:
		return x.Lesson.File
	case x.Ladder.Stream:
		return fmt.Sprintf("tcp-stream-%d", x.Number)
	}
	return fmt.Sprintf("exchange-%d", x.Number)
}

// exchanges are the latest ones. It is safe for concurrent use.
type exchanges struct {
	mu      sync.Mutex
	kept    []*Exchange // by id
	full    int         // how many of them have lost what was said, the oldest first
	last    int         // id
	size    int         // of all
	ended   bool        // no more will come
	waiting chan struct{}
}

// add stores an exchange, in place of the oldest if there are too many, and
// returns its id. Where memory runs out, the oldest lose what was said on them.
func (s *exchanges) add(x *Exchange) (id int) {
	if x.Wire != nil {
		x.Wire.Trim()
		x.size = x.Wire.Size()
		for side, party := range map[endpoint.Side]*lab.Party{endpoint.Client: &x.Client, endpoint.Server: &x.Server} {
			*x.early.Of(side), *x.hidden.Of(side) = endedEarly(x.Wire, side, party), isHidden(x.Wire, side, party)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	x.id = s.last
	s.kept = append(s.kept, x)
	s.size += x.size
	if len(s.kept) > mostKept {
		s.size -= s.kept[0].size
		s.kept[0] = nil // the array lives on
		s.kept = s.kept[1:]
		s.full = max(s.full-1, 0)
	}
	for ; s.size > mostBytes && s.full < len(s.kept); s.full++ {
		oldest := s.kept[s.full]
		s.size -= oldest.size
		s.kept[s.full] = oldest.emptied()
	}
	s.wake()
	return s.last
}

// emptied is an exchange without what was said on it. Who reads the old one
// goes on doing so.
func (x *Exchange) emptied() *Exchange {
	outside := *x.Exchange
	outside.Wire, outside.WireLeftOut = nil, true
	return &Exchange{Exchange: &outside, Ladder: x.Ladder, Lesson: x.Lesson, id: x.id, early: x.early, hidden: x.hidden}
}

// endedEarly reports whether a connection ended before the turn of a side to
// show a certificate had come.
func endedEarly(c *tlsdecrypt.Connection, side endpoint.Side, party *lab.Party) bool {
	switch party.State {
	case verdict.StateConnected, verdict.StateHandshake, "": // the last is that of a capture
		return party.Certificate == "" && !slices.ContainsFunc(c.Messages, func(m *tlsdecrypt.Message) bool {
			return m.From == side && (m.Encrypted || m.Handshake != nil && m.Handshake.Type != tlswire.TypeClientHello && m.Handshake.Type != tlswire.TypeServerHello)
		})
	}
	return false
}

// isHidden reports whether the certificate of a side may be in what cannot be
// read.
func isHidden(c *tlsdecrypt.Connection, side endpoint.Side, party *lab.Party) bool {
	if party.Certificate != "" || party.State != "" || c.Version < tlswire.VersionTLS13 {
		return false
	}
	for _, m := range c.Messages {
		if m.From == side && (m.Encrypted || m.Handshake != nil && m.Handshake.Type == tlswire.TypeCertificate) {
			return m.Encrypted
		}
	}
	return false
}

// added returns how many have come.
func (s *exchanges) added() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// end says that no more exchanges will come.
func (s *exchanges) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.wake()
}

// news ends the waits of readers for something else.
func (s *exchanges) news() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake()
}

// wake ends the waits of readers. mu is held.
func (s *exchanges) wake() {
	if s.waiting != nil {
		close(s.waiting)
		s.waiting = nil
	}
}

// after returns the exchanges that were added after the one with that id, and
// whether no more will come. If there are none, more is closed when there are.
func (s *exchanges) after(id int) (added []*Exchange, ended bool, more <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if news := s.last - id; news > 0 {
		added = append(added, s.kept[max(len(s.kept)-news, 0):]...)
	}
	if s.waiting == nil {
		s.waiting = make(chan struct{})
	}
	return added, s.ended, s.waiting
}

// find returns an exchange by its id; nil: it is not there, or no more.
func (s *exchanges) find(id int) *Exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := len(s.kept) - 1 - (s.last - id); i >= 0 && i < len(s.kept) {
		return s.kept[i]
	}
	return nil
}
