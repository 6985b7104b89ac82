package vantage

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
)

// attempts describes the connections that were never opened.
func (r *Report) attempts() {
	far := r.Captures.Server
	used := make([]bool, len(far.Attempts))
	counts := make(map[string]int)
	kinds := make(map[string]Finding)
	var elsewhere []string
	for _, a := range r.Captures.Client.Attempts {
		if !r.leads(a.Server, "") && !r.leadsNear(a) {
			elsewhere = append(elsewhere, described(a))
			continue
		}
		f, ok := r.attempt(a, far, used)
		if !ok {
			continue
		}
		counts[f.Text]++
		kinds[f.Text] = f
	}
	for _, f := range kinds {
		f.More = counts[f.Text] - 1
		r.Findings = append(r.Findings, f)
	}
	if len(elsewhere) > 0 {
		slices.Sort(elsewhere)
		r.found(OneEnd, Unknown, "", "the client got no connection to %s; no SYN of that is in %s, and nothing shows that it leads to that server", text.Few(slices.Compact(elsewhere), 5), r.name(endpoint.Server))
	}
	sort.Slice(r.Findings, func(i, j int) bool { return r.Findings[i].Text < r.Findings[j].Text })
}

// described names whom an attempt was to, and how it failed.
func described(a capture.Attempt) string {
	switch {
	case a.Refused:
		return fmt.Sprintf("%v (refused: RST)", a.Server)
	case a.Answered:
		return fmt.Sprintf("%v (SYN/ACK, and no more)", a.Server)
	}
	return fmt.Sprintf("%v (never answered)", a.Server)
}

const wayFix = "look at what is on the way: routes, firewalls, security groups, and where the name of the server leads"

// attempt says what became of a connection that the client never got; false:
// the server's capture has more of it.
func (r *Report) attempt(a capture.Attempt, far Capture, used []bool) (Finding, bool) {
	if i := r.sameAttempt(a, far.Attempts, used); i >= 0 {
		used[i] = true
		switch b := far.Attempts[i]; {
		case a.Refused && !b.Refused:
			return newFinding(RefusedBetween, "", wayFix, "a connection to %v was refused (RST) by something in between: the server's RST is not in %s", a.Server, r.name(endpoint.Server)), true
		case b.Answered && !a.Answered:
			return newFinding(AnswerLost, "", wayFix, "the server answered a connection to %v (SYN/ACK), and the answer did not arrive at the client", a.Server), true
		case a.Refused:
			return newFinding(RefusedByServer, "", "start the server, or call the port that it listens on", "the server itself refused a connection to %v (RST): nothing listens there", a.Server), true
		case !b.Answered && !b.Refused:
			return newFinding(Unanswered, "", "look for a firewall on the server, and whether its backlog is full", "a connection to %v reached the server, which did not answer its SYN", a.Server), true
		}
		return Finding{}, false
	}
	for _, c := range far.Connections {
		if c.Client == a.Client && c.Server == a.Server && r.near(c.Opened).Sub(a.Time).Abs() <= time.Minute {
			return Finding{}, false
		}
	}
	for _, p := range r.Pairs { // by another address
		if c := p.Ends.Server; p.Relation == Alone && c != nil && !a.Refused && r.near(c.Opened).Sub(a.Time).Abs() <= r.slack() {
			return Finding{}, false
		}
	}
	switch {
	case r.endedBefore(endpoint.Server, a.Time, endpoint.Client), r.startedAfter(endpoint.Server, a.Time, endpoint.Client):
		return newFinding(OneEnd, "", "", "a connection to %v failed when %s was not recording%s", a.Server, r.name(endpoint.Server), r.clockDoubt()), true
	case a.Refused:
		return newFinding(RefusedBetween, "", wayFix, "a connection to %v was refused (RST), and never reached the server: %s was recording and has no SYN of it%s", a.Server, r.name(endpoint.Server), r.clockDoubt()), true
	}
	return newFinding(NeverReached, "", wayFix, "a connection to %v never reached the server: its SYN was not answered, and %s was recording and has none of it%s", a.Server, r.name(endpoint.Server), r.clockDoubt()), true
}

// sameAttempt returns which attempt near the server, of those that are not used
// yet, is the same: that between the same addresses, or else the first to the
// same port at the same time; -1: none is.
func (r *Report) sameAttempt(a capture.Attempt, all []capture.Attempt, used []bool) int {
	seen := -1
	for i, b := range all {
		if used[i] || b.Server.Port() != a.Server.Port() {
			continue
		}
		late := r.near(b.Time).Sub(a.Time)
		if b.Client == a.Client && b.Server == a.Server || late.Abs() <= r.slack() && seen < 0 {
			seen = i
		}
	}
	return seen
}
