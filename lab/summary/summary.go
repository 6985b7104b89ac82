package summary

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// Summary counts connections. The zero value is that of none. It is for one
// goroutine at a time.
type Summary struct {
	total  total
	causes first[cause, *refusals]
}

// total is about all connections.
type total struct {
	connections int
	outcomes    map[string]int // by Connection.outcome
	first, last time.Time      // when the first and the last of them were opened
}

// cause is what connections have in common that ended in the same way: who
// refused, and why. By is Unknown where neither side did, but there is a reason.
type cause struct {
	by      endpoint.Side
	server  netip.AddrPort
	outcome verdict.Outcome
	how     verdict.How
	code    verdict.Code
	alert   string // its name; "": there was none
}

func (a cause) compare(b cause) int {
	return cmp.Or(a.server.Compare(b.server), cmp.Compare(a.by, b.by), cmp.Compare(a.outcome, b.outcome), cmp.Compare(a.how, b.how),
		cmp.Compare(a.code, b.code), cmp.Compare(a.alert, b.alert))
}

// refusals are the connections of a cause.
type refusals struct {
	count        int
	first, last  place
	clients      tally // addresses, without ports
	names        tally // that the clients asked for
	certificates tally // those of the refused, by their subjects
}

// place is where a connection is.
type place struct {
	at     time.Time // when it was opened
	file   string
	stream int
	client netip.AddrPort
}

// before reports whether a connection was opened before another one. That order
// is total, so that the first of many is always the same.
func (p *place) before(q *place) bool {
	return cmp.Or(p.at.Compare(q.at), cmp.Compare(p.file, q.file), cmp.Compare(p.stream, q.stream), p.client.Compare(q.client)) < 0
}

// Connection is what a summary takes from a connection and its verdict. It keeps
// no reference to them.
type Connection struct {
	outcome string
	refused bool
	cause   cause
	place   place
	name    string
	subject string // of the certificate of the one that was refused
}

// Of returns what there is to take from a connection.
func Of(c *tlsdecrypt.Connection, v *verdict.Verdict) Connection {
	of := Connection{outcome: outcome(v), place: place{at: c.Opened, stream: c.Number, client: c.Client}}
	of.refused = v.Outcome == verdict.Rejected || v.Outcome == verdict.Broken || v.Code != ""
	if !of.refused {
		return of
	}
	of.cause = cause{by: refuser(v), server: c.Server, outcome: v.Outcome, how: v.How, code: v.Code}
	if v.Alert != nil {
		of.cause.alert = v.Alert.Name
	}
	of.name = short(strings.ToLower(c.ServerName))
	if of.cause.by != endpoint.Unknown {
		of.subject = short(subject(c, of.cause.by.Other()))
	}
	return of
}

// outcome returns the outcome as lab explain --list has it, without a question
// mark.
func outcome(v *verdict.Verdict) string {
	if v.Outcome == verdict.Unknown && v.How != "" {
		return string(v.How)
	}
	return v.OutcomeWord()
}

// refuser returns the side that refused the other.
func refuser(v *verdict.Verdict) endpoint.Side {
	switch {
	case v.RejectedBy != endpoint.Unknown:
		return v.RejectedBy
	case v.Alert != nil:
		return v.Alert.SentBy
	case v.IsDenied():
		return endpoint.Server
	}
	return endpoint.Unknown
}

// subject returns the subject of the last certificate that a side showed, or "".
func subject(c *tlsdecrypt.Connection, side endpoint.Side) (subject string) {
	for _, m := range c.Messages {
		if m.From != side {
			continue
		}
		if ders, ok := m.Certificates(); ok && len(ders) > 0 {
			if leaf, err := tlswire.ParseCertificate(ders[0]); err == nil {
				subject = chain.Name(leaf)
			}
		}
	}
	return subject
}

// short cuts what others have named to 200 bytes, in memory of its own.
func short(s string) string {
	return strings.ToValidUTF8(strings.Clone(s[:min(len(s), 200)]), "")
}

// Add counts a connection, which began in the file of that name.
func (s *Summary) Add(c Connection, file string) {
	s.total.add(&total{connections: 1, outcomes: map[string]int{c.outcome: 1}, first: c.place.at, last: c.place.at})
	if !c.refused {
		return
	}
	c.place.file = file
	r := s.of(c.cause)
	r.count++
	r.extend(&c.place, &c.place)
	r.clients.add(addrText(c.place.client), 1, mostClients)
	r.names.add(c.name, 1, mostNames)
	r.certificates.add(c.subject, 1, mostNames)
}

func addrText(client netip.AddrPort) string {
	if !client.IsValid() {
		return ""
	}
	return client.Addr().String()
}

// of returns the connections of a cause.
func (s *Summary) of(c cause) *refusals {
	r := s.causes.m[c]
	if r == nil {
		if s.causes.m == nil {
			s.causes.m = make(map[cause]*refusals)
		}
		if len(s.causes.m) >= 2*mostCauses {
			s.trim()
		}
		r = &refusals{}
		s.causes.m[c] = r
	}
	return r
}

func (s *Summary) trim() { s.causes.trim(mostCauses, cause.compare) }

// extend has the connections reach from first to last.
func (r *refusals) extend(first, last *place) {
	if r.first.at.IsZero() || first.before(&r.first) {
		r.first = *first
	}
	if r.last.at.IsZero() || r.last.before(last) {
		r.last = *last
	}
}

// Merge adds another summary, which it does not change.
func (s *Summary) Merge(other *Summary) {
	s.total.add(&other.total)
	for c, more := range other.causes.m {
		r := s.of(c)
		r.count += more.count
		r.extend(&more.first, &more.last)
		r.clients.merge(&more.clients, mostClients)
		r.names.merge(&more.names, mostNames)
		r.certificates.merge(&more.certificates, mostNames)
	}
	s.causes.more = s.causes.more || other.causes.more
	s.trim()
}

func (t *total) add(other *total) {
	t.connections += other.connections
	if t.outcomes == nil {
		t.outcomes = make(map[string]int)
	}
	for outcome, n := range other.outcomes {
		t.outcomes[outcome] += n
	}
	if t.first.IsZero() || !other.first.IsZero() && other.first.Before(t.first) {
		t.first = other.first
	}
	if other.last.After(t.last) {
		t.last = other.last
	}
}

// sorted returns the causes, those of most connections first.
func (s *Summary) sorted() []cause {
	s.trim()
	causes := slices.Collect(maps.Keys(s.causes.m))
	sort.Slice(causes, func(i, j int) bool {
		a, b := causes[i], causes[j]
		return cmp.Or(cmp.Compare(s.causes.m[b].count, s.causes.m[a].count), a.compare(b)) < 0
	})
	return causes
}

// IsEmpty reports whether no connection was counted.
func (s *Summary) IsEmpty() bool { return s.total.connections == 0 }
