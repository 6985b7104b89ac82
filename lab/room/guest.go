package room

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/verdict"
)

// Guest is one row of a room.
type Guest struct {
	Name     string    `json:"name"` // of the certificate that was proven, or an address and what is claimed
	State    State     `json:"state"`
	Calls    int       `json:"calls"`
	LastSeen time.Time `json:"last_seen"`
	Why      string    `json:"why,omitempty"`      // in a sentence
	Exchange int       `json:"exchange,omitempty"` // the last call, by its id on the page; 0: it is not there
	Report   *Report   `json:"report,omitempty"`   // nil: it has sent none

	identity lab.Identity // nobody's: by address
	host     string
	allowance
}

// State is how the last call of a guest ended.
type State string

// The states.
const (
	Refused   State = "refused"   // by the server
	Refuses   State = "refuses"   // the server
	CutOff    State = "cut off"   // without a refusal, or later
	Anonymous State = "anonymous" // accepted without a certificate
	In        State = "in"
)

// states are all of them. Those that need help come first.
var states = []State{Refused, Refuses, CutOff, Anonymous, In}

// stateOf returns how an exchange ended for its client.
func stateOf(x *lab.Exchange) State {
	switch {
	case x.Outcome == verdict.Accepted && x.IsDenied():
		return Refused
	case x.Outcome == verdict.Accepted && x.Client.Certificate == "":
		return Anonymous
	case x.Outcome == verdict.Accepted:
		return In
	case x.Outcome != verdict.Rejected || x.How == verdict.Aborted:
		return CutOff
	case x.RejectedBy == endpoint.Client:
		return Refuses
	}
	return Refused
}

// most characters of what others have sent are kept.
const (
	mostOfName = 200
	mostOfWhy  = 600
)

// seen is an exchange as a row, and the key of that row.
func seen(x *lab.Exchange) (key string, g Guest) {
	g = Guest{State: stateOf(x), LastSeen: x.Time.Local(), Calls: 1, identity: x.Client.Identity}
	if g.Why = first(x.Reason, mostOfWhy); g.State == In && x.HTTP != nil {
		g.Why = ""
		if x.HTTP.Status >= http.StatusBadRequest {
			g.Why = strings.TrimSpace(fmt.Sprintf("the server answered %d %s", x.HTTP.Status, http.StatusText(x.HTTP.Status)))
		}
	}
	if g.State == Anonymous {
		g.Why = cmp.Or(g.Why, "no certificate was asked for")
	}
	claimed := first(x.Client.Certificate, mostOfName)
	if g.isProven() {
		g.Name = claimed
		return keyOf(g.identity), g
	}
	host, _, err := net.SplitHostPort(x.ClientAddr)
	if err != nil {
		host = x.ClientAddr
	}
	g.host = host
	switch {
	case claimed != "":
		g.Name = host + ", as " + claimed
	case g.State == Refused || g.State == Anonymous:
		return "none " + host, g // named by name, as the calls are counted
	default: // it had no time to show one, perhaps
		g.Name = host
	}
	return "out " + g.Name, g
}

// keyOf is the key of the row of a guest that is in.
func keyOf(id lab.Identity) string { return "in " + id.Authority + " " + id.Subject }

// first returns the first n characters of a text.
func first(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i] + "…"
		}
	}
	return s
}

// named returns the guest with the name that is shown. All who have no
// certificate and are behind one address share a row, which says so.
func (g Guest) named() Guest {
	if g.Name == "" {
		g.Name = text.Counted(g.Calls, "connection") + " without a certificate from " + g.host
	}
	return g
}

// compare orders those first that need help, then by name.
func compare(a, b Guest) int {
	return cmp.Or(slices.Index(states, a.State)-slices.Index(states, b.State), strings.Compare(a.Name, b.Name), strings.Compare(a.identity.Authority, b.identity.Authority))
}

// Line says the state of the guest in a line.
func (g Guest) Line() string {
	line := string(g.State) + " " + g.Name
	if g.Report != nil {
		line += "; " + g.Report.String()
	}
	if g.Why != "" {
		line += ": " + g.Why
	}
	return line
}
