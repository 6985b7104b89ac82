package probe

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/verdict"
)

// Result is what happened in one attempt.
type Result string

// The results. The first five are of a client that is tried on a server, the
// next three of a client that a bad server was served to.
const (
	LetIn       Result = "let in"          // answered after the handshake as a good client is
	RefusedTLS  Result = "refused in TLS"  // by an alert
	RefusedHTTP Result = "refused in HTTP" // or in the protocol that is spoken there
	Cut         Result = "cut"             // the connection was closed or reset, without an alert
	Answered    Result = "answered"        // of a question that no certificate is about

	Took    Result = "accepted" // the client went on as with a good server
	Refused Result = "refused"  // the client ended the handshake, or sent nothing after it
	Waits   Result = "waits"    // the client still waited for an answer when its time was up

	Unclear  Result = "cannot be told"
	NotTried Result = "not tried"
)

// Judgement is what a result means.
type Judgement string

// The judgements.
const (
	Right   Judgement = "right"   // as it must be
	Wrong   Judgement = "wrong"   // accepted what must be refused
	Warning Judgement = "warning" // worth knowing: policies differ about it
	Unknown Judgement = "unknown" // Finding.Reason says why
	Left    Judgement = "left"    // not tried: Finding.Reason says why
)

// When is when a refusal arrived.
type When string

// The times. In TLS 1.3 a client has finished before the server judges it.
const (
	InHandshake    When = "in the handshake"
	AfterHandshake When = "after the handshake"
)

// Finding is what came of one case in one version of TLS. Its JSON form is part
// of the command line's contract.
type Finding struct {
	Case      string    `json:"case"`          // its name, that of a scenario as a rule
	TLS       string    `json:"tls,omitempty"` // "TLS 1.3"; "": of no one version
	Title     string    `json:"title"`         // one line
	Result    Result    `json:"result"`
	Judgement Judgement `json:"judgement"`
	Accepted  bool      `json:"accepted,omitempty"` // Wrong or Warning, and known by an accept file

	Alert  *verdict.Alert `json:"alert,omitempty"`
	When   When           `json:"when,omitempty"`   // of a refusal
	Status int            `json:"status,omitempty"` // of HTTP; 0: there was no answer in HTTP
	Reason string         `json:"reason,omitempty"` // one sentence without a full stop

	// Of what is not right.
	Fix      string `json:"fix,omitempty"`      // what to change
	Scenario string `json:"scenario,omitempty"` // the lesson to learn it from

	Certificate string  `json:"certificate,omitempty"` // subject of the one that was shown
	Peer        string  `json:"peer,omitempty"`        // who was tried, where that may be several: a user agent
	Exchange    int     `json:"exchange,omitempty"`    // its number in the capture, from 1
	DurationMS  float64 `json:"duration_ms,omitempty"`

	early bool // let in by an answer before the login, which proves little
}

// Fails reports whether the finding makes a probe fail.
func (f *Finding) Fails() bool { return f.Judgement == Wrong && !f.Accepted }

// Words says what happened, in a few words.
func (f *Finding) Words() string {
	switch f.Result {
	case LetIn, Took:
		if f.Status != 0 {
			return fmt.Sprintf("%s (HTTP %d)", f.Result, f.Status)
		}
	case RefusedTLS, Refused:
		if f.Alert != nil {
			return f.Alert.Name + f.late()
		}
		return string(f.Result) + f.late()
	case RefusedHTTP:
		if f.Status != 0 {
			return fmt.Sprintf("refused by HTTP %d", f.Status)
		}
	case Cut:
		return "cut without an alert" + f.late()
	case Answered:
		if f.Case == askCase && f.Judgement == Wrong { // whose reason says more
			return "never asks for a certificate"
		}
		return f.Reason
	}
	return string(f.Result)
}

// late says that a refusal came after the handshake.
func (f *Finding) late() string {
	if f.When == AfterHandshake {
		return ", late"
	}
	return ""
}

// Report is what a probe came to.
type Report struct {
	Probe       string    `json:"probe"`  // "server" or "client"
	Target      string    `json:"target"` // URL or address; the command, of a client
	Time        time.Time `json:"time"`   // when it began, UTC
	DurationMS  float64   `json:"duration_ms"`
	Connections int       `json:"connections"` // that were made

	// Diagnosis says what is wrong with a server's configuration, in sentences
	// without a full stop, the worst first.
	Diagnosis []string `json:"diagnosis,omitempty"`

	// Error is why the target could not be judged; "": it was.
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"` // what to do about it

	Only     []string       `json:"-"` // the cases that were asked for by name
	Offers   *Offers        `json:"-"` // of a server; nil: not looked at
	Dial     *lab.DialError `json:"-"` // that Error is of; nil: it is of another
	Findings []*Finding     `json:"-"` // in the order of the cases
}

// Exit statuses of a probe, of which 2 is wrong usage.
const (
	ExitRight   = 0 // all is as it must be
	ExitWrong   = 1 // something was accepted that must be refused
	ExitUnknown = 3 // the target could not be judged, or not in a case that was asked for by name
)

// Exit returns the exit status. What is wrong counts for more than what is
// unknown.
func (r *Report) Exit() int {
	switch {
	case slices.ContainsFunc(r.Findings, (*Finding).Fails):
		return ExitWrong
	case r.Error != "" || r.Count(Unknown) > 0 || slices.ContainsFunc(r.Findings, r.isMissed):
		return ExitUnknown
	}
	return ExitRight
}

// isMissed reports whether a case was asked for by name, and not tried.
func (r *Report) isMissed(f *Finding) bool {
	return f.Judgement == Left && slices.Contains(r.Only, f.Case)
}

// Count returns how many findings have a judgement. Those of Wrong and Warning
// that are accepted do not count.
func (r *Report) Count(j Judgement) (n int) {
	for _, f := range r.Findings {
		if f.Judgement == j && !f.Accepted {
			n++
		}
	}
	return n
}

// Worst returns the findings that are not right and were tried, the worst
// first, one of each case that came to the same in all versions.
func (r *Report) Worst() (worst []*Finding) {
	order := []Judgement{Wrong, Unknown, Warning}
	for _, f := range r.Findings {
		same := func(o *Finding) bool {
			return o.Case == f.Case && o.Judgement == f.Judgement && o.Reason == f.Reason && o.Peer == f.Peer
		}
		if slices.Contains(order, f.Judgement) && !f.Accepted && !slices.ContainsFunc(worst, same) {
			worst = append(worst, f)
		}
	}
	slices.SortStableFunc(worst, func(a, b *Finding) int {
		return cmp.Compare(slices.Index(order, a.Judgement), slices.Index(order, b.Judgement))
	})
	return worst
}

// Versions returns the versions, as "TLS 1.2 and 1.3", in which a case came to
// the same as f.
func (r *Report) Versions(f *Finding) string {
	var versions []string
	for _, o := range r.Findings {
		number, ok := strings.CutPrefix(o.TLS, "TLS ")
		if ok && o.Case == f.Case && o.Judgement == f.Judgement && o.Reason == f.Reason && o.Peer == f.Peer && !slices.Contains(versions, number) {
			versions = append(versions, number)
		}
	}
	if len(versions) == 0 {
		return ""
	}
	return "TLS " + strings.Join(versions, " and ")
}

// Counts returns how many findings have each judgement, and as "accepted" how
// many are known.
func (r *Report) Counts() map[Judgement]int {
	counts := map[Judgement]int{}
	for _, f := range r.Findings {
		if f.Accepted {
			counts["accepted"]++
		} else {
			counts[f.Judgement]++
		}
	}
	return counts
}

// CountsInWords says how many findings have each judgement.
func (r *Report) CountsInWords() (words []string) {
	counts := r.Counts()
	for _, c := range []struct {
		judgement Judgement
		words     string
	}{{Wrong, "wrong"}, {Unknown, "unknown"}, {Warning, "to note"}, {"accepted", "known"}, {Right, "right"}, {Left, "not tried"}} {
		if n := counts[c.judgement]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, c.words))
		}
	}
	return words
}
