package scenario

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// Found is what a search has found.
type Found struct {
	Scenarios []*Scenario               // that fit, best first; empty: none does
	Nearest   []*Scenario               // if none fits: with names that look like what was typed
	Line      string                    // of a message of several lines the one that it is about
	Refuses   endpoint.Side             // who refuses the other, as far as the message shows
	HungUp    bool                      // the message says only that the connection was ended, by the side that does not print it
	Alert     *tlswire.AlertDescription // that the message is about, or which comes nearest; nil: none
	Fix       string                    // what to change where a program says this; "": Scenario.Fix
	InHTTP    bool                      // it has the status of an answer in HTTP that refuses
	OwnFile   bool                      // a program says this of its own file, whoever refuses in the scenario
	Times     int                       // how many lines are about what Line is
	Others    []Other                   // what other lines are about, most of them first
}

// Other is what some lines of a message are about that are not about the best
// of Found.Scenarios.
type Other struct {
	Scenario *Scenario
	Line     string // the first of them
	Times    int    // how many there are
}

// How much of the best score a scenario needs to be found too, and how much of
// its score a scenario that is common has over one that is rare.
const (
	enough  = 0.75
	common  = 0.12
	ofAlert = 0.04 // what each place in a guide's list costs

	withStatus = 1.15 // how much more it counts if the scenario ends with an HTTP status that the message has
	otherSide  = 0.6  // what is left if it is about the other side, as far as the message shows
)

// few is how many lines a message has at most that somebody has picked out:
// each of them is about it.
const few = 4

// Search returns the scenarios that a message is about, best first. The message
// may be as a program printed it, of many lines, or a few words. It is compared
// with what the scenarios say (Scenario.Says); a word counts more if fewer
// scenarios have it. Then with the alert that the message names, and at last
// with all of the scenarios' text.
func Search(message string) Found {
	if saidElsewhere(message) != "" {
		return Found{}
	}
	c := builtInCatalogue()
	all := c.all
	parts := partsOf(message, c.isAbout)
	scores, lines := map[*Scenario]float64{}, map[*Scenario]string{}
	var found Found
	about, isOneLine := sideOf(parts), !strings.Contains(strings.TrimSpace(message), "\n")
	byPart := make([]map[*Scenario]float64, len(parts))
	for i, p := range parts {
		byPart[i] = map[*Scenario]float64{}
		if !isOneLine && number().MatchString(p.text) {
			continue // a number alone counts something, as a rule
		}
		excluded := cmp.Or(p.excludes, about)
		var named *tlswire.AlertDescription
		add := func(s *Scenario, score float64) {
			if s.Side == excluded || named != nil && isSentByOther(*named, s, excluded) {
				score *= otherSide
			}
			byPart[i][s] = max(byPart[i][s], score*p.counts)
			if score*p.counts > scores[s] {
				scores[s], lines[s] = score*p.counts, p.line
			}
		}
		if alert, ok := AlertIn(p.text); ok {
			named, found.Alert = &alert, &alert
			c.ofAlert(alert, javasAlert().MatchString(p.line), excluded, add)
		}
		said := words(p.text)
		for s, score := range c.said(said, named, len(parts) > few) {
			if s.answers(said) {
				score *= withStatus
			}
			add(s, score)
		}
	}
	for i, p := range parts {
		if p.counts == deepest {
			head := i // of the chain
			for head > 0 && causedBy().MatchString(parts[head].line) {
				head--
			}
			narrow(scores, byPart[head:i], byPart[i])
		}
	}
	short := len(parts) == 1 && len(words(parts[0].text)) <= 4
	if alike := likeNamed(all, message); short && len(alike) > 0 && found.Alert == nil && !c.knows(words(message)) {
		found.Nearest = alike // a slip of the finger
		return found
	}
	for _, p := range parts {
		if len(scores) == 0 {
			for _, s := range c.conceptsIn(words(p.text), cmp.Or(p.excludes, about)) {
				scores[s], lines[s] = 1, p.line
			}
		}
	}
	if isOneLine && len(parts) == 1 && len(scores) == 0 && found.Alert == nil {
		for s, score := range c.mentioned(words(parts[0].text)) {
			scores[s] = score
		}
	}
	ended := endedOnly(scores)
	found.Scenarios = ranked(all, scores)
	if len(found.Scenarios) == 0 {
		found.Nearest = likeNamed(all, message)
		found.Alert = cmp.Or(found.Alert, nearestAlert(parts))
		return found
	}
	best := found.Scenarios[0]
	if found.HungUp = found.Alert == nil && (best.hangsUp() || (isHangUp(lines[best]) || ended) && best.isRefusal()); found.HungUp {
		// That a certificate is refused would be a guess.
		if i := slices.IndexFunc(all, (*Scenario).hangsUp); i >= 0 {
			s := all[i]
			found.Scenarios = slices.Insert(slices.DeleteFunc(found.Scenarios, func(other *Scenario) bool { return other == s }), 0, s)
			lines[s] = cmp.Or(lines[s], lines[best])
		}
	}
	found.Fix = found.Scenarios[0].fixFor(parts)
	found.Refuses = found.refuser(parts, lines[found.Scenarios[0]], about)
	found.InHTTP = statusInHTTP().MatchString(lines[found.Scenarios[0]])
	found.OwnFile = ownFile().MatchString(lines[found.Scenarios[0]])
	if !isOneLine {
		found.Line = lines[found.Scenarios[0]]
		found.tell(parts, byPart)
	}
	return found
}

// endedOnly reports whether a message says that a connection has ended as much
// as anything else.
func endedOnly(scores map[*Scenario]float64) bool {
	best := highest(scores)
	for s, score := range scores {
		if s.hangsUp() && score >= 0.999*best {
			return true
		}
	}
	return false
}

// statusInHTTP matches the status of an answer that refuses, which comes after a
// handshake that succeeded.
var statusInHTTP = text.Pattern(`(?i)\bHTTP(/\d(\.\d)?| Error| status)?:? 4\d\d\b|\b40[013](\.\d+)? (- )?(Bad Request|Unauthorized|Forbidden)\b`)

// sideOf returns the side that lines rule out, if some do and no two disagree.
func sideOf(parts []part) (excluded string) {
	for _, p := range parts {
		switch side := p.excludes; {
		case side == "" || side == excluded:
		case excluded == "":
			excluded = side
		default:
			return ""
		}
	}
	return excluded
}

// refuser returns the side that refuses the other, as the line shows that the
// best scenario fits, or as all lines do that exclude a side. Where a side has
// hung up, it is the one that has not printed the line.
func (f *Found) refuser(parts []part, line, excluded string) endpoint.Side {
	if f.HungUp && f.Fix != "" { // which says what else it may be
		return endpoint.Unknown
	}
	if i := slices.IndexFunc(parts, func(p part) bool { return p.line == line }); i >= 0 {
		if f.HungUp && parts[i].by != endpoint.Unknown {
			return parts[i].by.Other()
		}
		excluded = cmp.Or(parts[i].excludes, excluded)
	}
	switch excluded {
	case "client rejects server":
		return endpoint.Server
	case "server rejects client":
		return endpoint.Client
	}
	return endpoint.Unknown
}

// isRefusal reports whether a side refuses the other's certificate.
func (s *Scenario) isRefusal() bool {
	return s.Side == "client rejects server" || s.Side == "server rejects client"
}

// hangsUp reports whether a side ends the handshake without an alert.
func (s *Scenario) hangsUp() bool {
	for _, e := range s.Expect {
		if e.Code == verdict.Closed {
			return true
		}
	}
	return false
}

// answers reports whether the scenario ends with an HTTP status that is among
// the words of a message.
func (s *Scenario) answers(message []string) bool {
	for _, e := range s.Expect {
		if e.Status >= 400 && slices.Contains(message, strconv.Itoa(e.Status)) {
			return true
		}
	}
	return false
}

// ranked returns those with the best scores, common ones first where they are
// about the same.
func ranked(all []*Scenario, scores map[*Scenario]float64) []*Scenario {
	for s := range scores {
		scores[s] *= 1 + common*commonness(s.Name)
	}
	best := highest(scores)
	found := slices.DeleteFunc(slices.Clone(all), func(s *Scenario) bool { return scores[s] == 0 || scores[s] < enough*best })
	slices.SortStableFunc(found, func(a, b *Scenario) int {
		return cmp.Or(cmp.Compare(math.Round(100*scores[b]), math.Round(100*scores[a])), cmp.Compare(commonness(b.Name), commonness(a.Name)))
	})
	return found
}

// narrow lowers the scores of scenarios that a line fits, but not the deepest
// cause below it, where both fit another.
func narrow(scores map[*Scenario]float64, above []map[*Scenario]float64, cause map[*Scenario]float64) {
	happened, less := fitting(cause), map[*Scenario]bool{}
	for _, line := range above {
		if !slices.ContainsFunc(fitting(line), func(s *Scenario) bool { return slices.Contains(happened, s) }) {
			continue
		}
		for s := range line {
			less[s] = less[s] || !slices.Contains(happened, s)
		}
	}
	for s, isLess := range less {
		if isLess {
			scores[s] *= otherSide
		}
	}
}

// fitting returns the scenarios that a line fits about as well as the best.
func fitting(line map[*Scenario]float64) (scenarios []*Scenario) {
	best := highest(line)
	for s, score := range line {
		if score >= enough*best {
			scenarios = append(scenarios, s)
		}
	}
	return scenarios
}

// highest returns the best of some scores.
func highest(scores map[*Scenario]float64) (best float64) {
	for _, score := range scores {
		best = max(best, score)
	}
	return best
}

// commonest are the scenarios that people meet most, the commonest first.
var commonest = []string{
	"no-client-cert", "untrusted-server", "wrong-host", "server-missing-intermediate", "expired-server", "untrusted-client-forced",
	"self-signed-server", "tls-to-plain-http", "closed-mid-handshake", "plain-http-to-tls", "expired-client", "no-common-cipher",
	"client-missing-intermediate", "client-wrong-eku", "untrusted-client-withheld", "self-signed-client", "client-too-old",
	"slow-server", "server-too-old", "refused-in-http", "cn-only", "authenticated-but-not-authorised",
	"key-of-another-certificate", "client-key-mismatch", "ip-address-not-in-san", "revoked-client", "server-wrong-eku", "not-yet-valid-server", "look-alike-ca",
}

// commonness returns how common a scenario is, from 0 to 1.
func commonness(name string) float64 {
	if i := slices.Index(commonest, name); i >= 0 {
		return 1 - float64(i)/float64(len(commonest))
	}
	return 0
}

// likeNamed returns the scenarios with names that look like what was typed.
func likeNamed(all []*Scenario, typed string) (alike []*Scenario) {
	if len(typed) > 80 {
		return nil
	}
	for _, name := range spell.Nearest(strings.ReplaceAll(strings.ToLower(typed), " ", "-"), names()) {
		if i := slices.IndexFunc(all, func(s *Scenario) bool { return s.Name == name }); i >= 0 {
			alike = append(alike, all[i])
		}
	}
	return alike
}

// nearestAlert returns the alert whose meaning has most of a message's words in
// it, or nil.
func nearestAlert(parts []part) *tlswire.AlertDescription {
	var nearest *tlswire.AlertDescription
	most := 1 // one word is chance
	for _, g := range Guides {
		meaning := setOf(strings.Join(words(g.Alert.String()+" "+g.Alert.Note()), " "))
		for _, p := range parts {
			if said := words(p.text); len(said) > longest || !aboutTLS().MatchString(strings.Join(said, " ")) {
				continue
			}
			n := 0
			for word := range setOf(strings.Join(words(p.text), " ")) {
				if meaning[word] && !fillers[word] {
					n++
				}
			}
			if n > most {
				most, nearest = n, &g.Alert
			}
		}
	}
	return nearest
}
