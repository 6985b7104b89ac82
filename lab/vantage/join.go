package vantage

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// Capture is what one capture has.
type Capture struct {
	Name        string                   // of the file, for the findings
	Connections []*tlsdecrypt.Connection // in the order in which they were opened
	Attempts    []capture.Attempt        // to connect, that failed
	First, Last time.Time                // of its packets; zero: not known
	// Own is set if the lab has made the capture: in it is what its program has
	// read, and not what arrived.
	Own bool
	// HasKeys reports whether the file itself has secrets of the connection with
	// a client random; nil: it has none.
	HasKeys func(clientRandom []byte) bool
}

// Relation is how the two connections of a pair belong together.
type Relation string

// The relations.
const (
	Same    Relation = "same TLS"   // both ends of one TLS connection
	Apart   Relation = "TLS ended"  // two connections, very probably one made on behalf of the other
	Alone   Relation = "one end"    // it is in one capture only
	Another Relation = "seen again" // the same TLS connection as a pair before it, once more in the same file
)

// Pair is a connection as both captures have it, or one of them.
type Pair struct {
	Relation Relation
	// Ends are the connection near the client and near the server. One of them is
	// nil if the relation is Alone or Another.
	Ends endpoint.Pair[*tlsdecrypt.Connection]
	// Sure is false of two that others might fit as well, or if nothing but the
	// time speaks for them.
	Sure     bool
	Evidence string // why the two belong together
	Findings []Finding
	// Joined is what both ends recorded of one TLS connection; otherwise what one
	// of them did. Base is the end that Joined has most from.
	Joined *tlsdecrypt.Connection
	Base   endpoint.Side
	// OneEnd are the messages of Joined that only one end has.
	OneEnd map[*tlsdecrypt.Message]Place

	shifts endpoint.Pair[int64] // from offsets near the client to offsets near the server
	// reversed is set if one capture, which has no SYN of it, takes the client for
	// the server.
	reversed bool
}

// Place says where a message is.
type Place struct {
	In     endpoint.Side
	Missed bool // the other capture may have missed it: it lacks bytes of the sender's
}

// Report is what two captures have together.
type Report struct {
	Captures endpoint.Pair[Capture] // the one recorded near the client, and the one near the server
	// Swapped is set if the messages of the file that was given first reach the
	// other one in the wrong order for a client's.
	Swapped  bool
	Clock    Clock
	Pairs    []*Pair // in the order of the client's connections, then the server's that were left over
	Findings []Finding
}

// Join joins two captures. client was recorded near the client, unless the
// messages show that it is the other way round. It changes no connection.
func Join(client, server Capture) *Report {
	r := &Report{Captures: endpoint.Pair[Capture]{Client: client, Server: server}}
	r.joinSame()
	if r.isSwapped() || len(r.Pairs) == 0 && r.isSwappedApart() {
		r.swap()
	}
	if r.joinApart(); r.Swapped && len(r.Pairs) == 0 { // they have nothing to do with each other
		r.swap()
		r.joinApart()
	}
	r.joinLeftOvers()
	for _, p := range r.Pairs {
		r.compare(p)
	}
	r.summarise()
	return r
}

// swap takes each capture for the other end's.
func (r *Report) swap() {
	r.Captures.Client, r.Captures.Server = r.Captures.Server, r.Captures.Client
	r.Swapped, r.Pairs = !r.Swapped, nil
	r.joinSame()
}

// left returns the connections of a side that are in no pair.
func (r *Report) left(side endpoint.Side) (left []*tlsdecrypt.Connection) {
	used := make(map[*tlsdecrypt.Connection]bool)
	for _, p := range r.Pairs {
		used[*p.Ends.Of(side)] = true
	}
	for _, c := range r.Captures.Of(side).Connections {
		if !used[c] {
			left = append(left, c)
		}
	}
	return left
}

// joinSame pairs the connections that are one and the same: by their randoms
// first, which show how the clocks compare, then by addresses.
func (r *Report) joinSame() {
	r.joinByRandoms()
	r.Clock = clockOf(r.boundsOfSame())
	r.joinByAddresses()
	r.Clock = clockOf(r.boundsOfSame())
}

func (r *Report) pairSame(near, far *tlsdecrypt.Connection, evidence string, reversed bool) {
	p := &Pair{Relation: Same, Sure: true, Evidence: evidence, Ends: endpoint.Pair[*tlsdecrypt.Connection]{Client: near, Server: far}, reversed: reversed}
	if !reversed {
		p.shifts.Client, p.shifts.Server = p.shift(endpoint.Client), p.shift(endpoint.Server)
	}
	r.Pairs = append(r.Pairs, p)
}

func (r *Report) joinByRandoms() {
	byRandom := make(map[string][]*tlsdecrypt.Connection)
	for _, c := range r.Captures.Server.Connections {
		for _, random := range randomsOf(c) {
			byRandom[random] = append(byRandom[random], c)
		}
	}
	taken := make(map[*tlsdecrypt.Connection]bool)
	for _, near := range r.Captures.Client.Connections {
		var best *tlsdecrypt.Connection
		for _, random := range randomsOf(near) {
			for _, far := range byRandom[random] {
				if !taken[far] && !differ(near, far) && (best == nil || sameAddresses(near, far)) {
					best = far
				}
			}
		}
		if best != nil {
			taken[best] = true
			r.pairSame(near, best, "their randoms are equal", false)
		}
	}
}

// joinByAddresses pairs connections that have no random to compare. A client
// uses its ports again, so that they have to be of the same time, as far as the
// clocks can be compared.
func (r *Report) joinByAddresses() {
	byAddress := make(map[[2]netip.AddrPort][]profile)
	for _, far := range r.profiles(r.left(endpoint.Server), endpoint.Server) {
		key := [2]netip.AddrPort{far.Client, far.Server}
		byAddress[key] = append(byAddress[key], far)
	}
	taken := make(map[*tlsdecrypt.Connection]bool)
	for _, near := range r.profiles(r.left(endpoint.Client), endpoint.Client) {
		if !near.Client.IsValid() {
			continue
		}
		best := r.nearest(near, byAddress[[2]netip.AddrPort{near.Client, near.Server}], taken)
		reversed := best == nil
		if reversed {
			best = r.nearest(near, byAddress[[2]netip.AddrPort{near.Server, near.Client}], taken)
		}
		if best != nil {
			taken[best] = true
			r.pairSame(near.Connection, best, "their addresses and ports are equal", reversed)
		}
	}
}

// nearest returns the connection of several that was opened at the nearest time
// to another one, and may be the same; nil: none may.
func (r *Report) nearest(near profile, all []profile, taken map[*tlsdecrypt.Connection]bool) *tlsdecrypt.Connection {
	var best *profile
	for i, far := range all {
		late := far.from.After(near.to.Add(r.Clock.Error+patience)) || far.to.Before(near.from.Add(-r.Clock.Error-patience))
		if taken[far.Connection] || differ(near.Connection, far.Connection) || late && r.Clock.Known {
			continue
		}
		if best == nil || far.from.Sub(near.from).Abs() < best.from.Sub(near.from).Abs() {
			best = &all[i]
		}
	}
	if best == nil {
		return nil
	}
	return best.Connection
}

func sameAddresses(a, b *tlsdecrypt.Connection) bool {
	return a.Client == b.Client && a.Server == b.Server
}

// joinLeftOvers makes pairs of one of what is in one capture only.
func (r *Report) joinLeftOvers() {
	known := make(map[string]bool)
	for _, p := range r.Pairs {
		for _, c := range []*tlsdecrypt.Connection{p.Ends.Client, p.Ends.Server} {
			for _, random := range randomsOf(c) {
				known[random] = p.Relation == Same
			}
		}
	}
	for _, side := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		for _, c := range r.left(side) {
			p := &Pair{Relation: Alone, Sure: true}
			*p.Ends.Of(side) = c
			for _, random := range randomsOf(c) {
				if known[random] {
					p.Relation = Another
				}
			}
			r.Pairs = append(r.Pairs, p)
		}
	}
	r.sort()
}

// sort puts the pairs in order: by the client's connections, then by the
// server's.
func (r *Report) sort() {
	slices.SortStableFunc(r.Pairs, func(a, b *Pair) int {
		if x, y := a.Ends.Client, b.Ends.Client; x != nil && y != nil {
			return cmp.Compare(x.Number, y.Number)
		} else if (x == nil) != (y == nil) {
			if x == nil {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.Ends.Server.Number, b.Ends.Server.Number)
	})
}
