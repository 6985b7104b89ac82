package mirror

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// Visit is a connection of a client.
type Visit struct {
	*Fault
	*lab.Exchange

	Shook       bool   // the handshake came to its end on both sides
	Sent        bool   // and the client sent something: it took the server for a good one
	Astray      string // why the visit says nothing of the fault, as a sentence without a full stop; "": it does
	UserAgent   string // as the client says; "": it did not
	Certificate string // subject of the client's; "": it has shown none
}

// visit judges a connection that has ended.
func (s *Server) visit(x *lab.Exchange) {
	l := s.listenerOf(x)
	if l == nil {
		return
	}
	at := l
	if named := s.byName(x.TLS.ServerName); named != nil && l == s.Listeners[0] {
		at = named
	}
	v := newVisit(at.Fault, x)
	v.Astray = s.astray(l, x)
	s.mu.Lock()
	at.visits = append(at.visits, v)
	if len(at.visits) > mostVisits {
		at.visits = at.visits[1:]
	}
	if l.open--; l.open == 0 && l.judged != nil {
		close(l.judged)
		l.judged = nil
	}
	s.mu.Unlock()
	if s.options.Visit != nil {
		s.options.Visit(v)
	}
}

// astray says of a connection to a listener that it was made for none.
func (s *Server) astray(l *Listener, x *lab.Exchange) string {
	name := x.TLS.ServerName
	switch {
	case x.Code == verdict.SpokeNoTLS && x.RejectedBy == endpoint.Server:
		return "a client did not speak TLS on the port of " + l.Name + ": " + x.Reason
	case x.Outcome == verdict.Unknown:
		return "nobody spoke TLS on the port of " + l.Name + ": " + x.Reason
	case l != s.Listeners[0] || name == "" || strings.EqualFold(name, s.options.Host) || s.byName(name) != nil:
		return ""
	}
	return "a client called the first port by the name " + text.Clean(name) + ", which no server here has"
}

// mostVisits is how many visits are kept for each fault.
const mostVisits = 100

// listenerOf returns the listener that a connection came to.
func (s *Server) listenerOf(x *lab.Exchange) *Listener {
	at, err := netip.ParseAddrPort(x.ServerAddr)
	if err != nil {
		return nil
	}
	return s.byPort[at.Port()]
}

func newVisit(f *Fault, x *lab.Exchange) *Visit {
	v := &Visit{Fault: f, Exchange: x, Certificate: x.Client.Certificate}
	v.Sent = x.HTTP != nil
	v.Shook = v.Sent || x.Outcome == verdict.Accepted || x.Outcome == verdict.Broken
	if x.Wire == nil {
		return v
	}
	v.Shook = v.Shook || x.Wire.Progress().Succeeded
	for _, m := range x.Wire.Messages {
		if m.From != endpoint.Client || m.Type != tlswire.ContentTypeApplicationData || m.Encrypted || m.Length == 0 {
			continue
		}
		v.Sent, v.Shook = true, true
		if m.HTTP != nil && v.UserAgent == "" {
			for _, h := range m.HTTP.Headers {
				if strings.EqualFold(h.Name, "User-Agent") {
					v.UserAgent = text.Clean(h.Value)
				}
			}
		}
	}
	return v
}

// opened counts a connection.
func (s *Server) opened(l *Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.open++
}

// settle waits until the connections of a listener are judged, for so long at
// most, and returns its visits since the last call.
func (s *Server) settle(ctx context.Context, l *Listener, most time.Duration) []*Visit {
	s.mu.Lock()
	var judged chan struct{}
	if l.open > 0 {
		if l.judged == nil {
			l.judged = make(chan struct{})
		}
		judged = l.judged
	}
	s.mu.Unlock()
	if judged != nil {
		late := time.NewTimer(most)
		defer late.Stop()
		select {
		case <-judged:
		case <-late.C:
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	visits := l.visits
	l.visits = nil
	return visits
}
