package room

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/verdict"
)

// The bounds of a room: names that are only claimed cost nothing to make up.
const (
	mostGuests  = 1000
	mostClaimed = 20 // of one address; further names share a row
)

// Room is who has called a server. It is safe for concurrent use.
type Room struct {
	// Changed is called after each change, from several goroutines, with the row
	// that has changed and whether it says something new; nil: nobody wants to
	// know.
	Changed func(g Guest, isNew bool)

	mu     sync.Mutex
	guests map[string]*Guest
	left   int // rows that were left out
}

// See takes in an exchange, which has that id on the page; 0: it is not there.
// Who leaves without a ClientHello, as a health check does, is no guest.
func (r *Room) See(x *lab.Exchange, id int) {
	if x.Outcome == verdict.Unknown {
		return
	}
	key, now := seen(x)
	now.Exchange = id
	r.mu.Lock()
	if r.guests[key] == nil && !now.isProven() && r.claimed(now.host) >= mostClaimed {
		key, now.Name = "others "+now.host, now.host+", under more names"
	}
	g := r.row(key)
	if x.HTTP == nil && now.State == In && g.State == In { // a browser's spare connection, perhaps
		now.Why = g.Why
	}
	isNew := g.State != now.State || g.Why != now.Why
	now.Calls += g.Calls
	now.Report, now.allowance = g.Report, g.allowance
	*g = now
	r.changed(*g, isNew)
}

// changed unlocks the room and calls Changed.
func (r *Room) changed(g Guest, isNew bool) {
	r.mu.Unlock()
	if r.Changed != nil {
		r.Changed(g.named(), isNew)
	}
}

// row returns a row, and makes it where there is none. mu is held.
func (r *Room) row(key string) *Guest {
	if g := r.guests[key]; g != nil {
		return g
	}
	if r.guests == nil {
		r.guests = map[string]*Guest{}
	}
	if len(r.guests) >= mostGuests {
		r.leaveOut()
	}
	g := &Guest{allowance: fullAllowance()}
	r.guests[key] = g
	return g
}

// claimed counts the rows of an address. mu is held.
func (r *Room) claimed(host string) (n int) {
	for _, g := range r.guests {
		if !g.isProven() && g.host == host {
			n++
		}
	}
	return n
}

// leaveOut leaves out the guest that was seen the longest time ago, those that
// are not in first. mu is held.
func (r *Room) leaveOut() {
	oldest := ""
	for key, g := range r.guests {
		if o := r.guests[oldest]; o == nil || o.isProven() && !g.isProven() || o.isProven() == g.isProven() && g.LastSeen.Before(o.LastSeen) {
			oldest = key
		}
	}
	delete(r.guests, oldest)
	r.left++
}

// isProven reports whether the guest has proven to have a certificate.
func (g *Guest) isProven() bool { return g.identity != (lab.Identity{}) }

// View is a room at one time.
type View struct {
	Summary string  `json:"summary"` // how many are in, and so on
	Guests  []Guest `json:"guests"`  // those first that need help
	Left    int     `json:"left"`    // rows that were left out
}

// View returns the room as it is now. Two of one name under two CAs are told
// apart by the keys of these.
func (r *Room) View() View {
	r.mu.Lock()
	v := View{Left: r.left, Guests: make([]Guest, 0, len(r.guests))}
	for _, g := range r.guests {
		v.Guests = append(v.Guests, g.named())
	}
	r.mu.Unlock()
	names := map[string]int{}
	for _, g := range v.Guests {
		if g.isProven() {
			names[g.Name]++
		}
	}
	for i := range v.Guests {
		if g := &v.Guests[i]; g.isProven() && names[g.Name] > 1 {
			g.Name += " (CA's key " + g.identity.Authority[:8] + ")"
		}
	}
	sort.Slice(v.Guests, func(i, j int) bool { return compare(v.Guests[i], v.Guests[j]) < 0 })
	v.Summary = summary(v.Guests)
	return v
}

// summary counts the guests.
func summary(guests []Guest) string {
	counts := map[State]int{}
	for _, g := range guests {
		counts[g.State]++
	}
	parts := []string{fmt.Sprintf("%d in", counts[In]), fmt.Sprintf("%d refused", counts[Refused])}
	switch n := counts[Refuses]; n {
	case 0:
	case 1:
		parts = append(parts, "1 refuses the server")
	default:
		parts = append(parts, fmt.Sprintf("%d refuse the server", n))
	}
	for _, state := range []State{CutOff, Anonymous} {
		if n := counts[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	return strings.Join(parts, ", ")
}

// Reports reports whether somebody has sent a report.
func (v View) Reports() bool {
	return slices.ContainsFunc(v.Guests, func(g Guest) bool { return g.Report != nil })
}

// allowance bounds how often a guest may report: so many at once, and then one
// a second.
type allowance struct {
	left   float64
	filled time.Time
}

const mostAtOnce = 20

func fullAllowance() allowance { return allowance{left: mostAtOnce, filled: time.Now()} }

// take takes one, and reports whether there was one.
func (a *allowance) take(now time.Time) bool {
	a.left = min(a.left+now.Sub(a.filled).Seconds(), mostAtOnce)
	a.filled = now
	if a.left < 1 {
		return false
	}
	a.left--
	return true
}
