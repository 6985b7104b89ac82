package scenario

import (
	"slices"
	"strings"
)

// Which part of the best score a line needs to be about something else, in the
// report of one failure and in a log of many.
const (
	ofOthers = 0.6
	ofLog    = 0.2
)

// tell takes the lines apart that are about something else than the best
// scenario, and counts them all. A line is about the same if it may be: a stack
// trace says what happened in several ways.
func (found *Found) tell(parts []part, byPart []map[*Scenario]float64) {
	first := slices.IndexFunc(parts, func(p part) bool { return p.line == found.Line })
	if first < 0 {
		return
	}
	best := found.Scenarios[0]
	same := ranked(found.Scenarios, byPart[first])
	apart := map[*Scenario]bool{}
	for i, p := range parts {
		about, needed := ranked(builtIn(), byPart[i]), ofOthers
		if p.dated && parts[first].dated {
			needed = ofLog * p.often() / parts[first].often()
		}
		switch {
		case len(about) == 0:
		case slices.ContainsFunc(about, func(s *Scenario) bool { return slices.Contains(same, s) }):
			found.Times += p.times
		case byPart[i][about[0]] >= needed*byPart[first][best]:
			apart[about[0]] = true
			if n := slices.IndexFunc(found.Others, func(o Other) bool { return o.Scenario == about[0] }); n >= 0 {
				found.Others[n].Times += p.times
			} else {
				found.Others = append(found.Others, Other{Scenario: about[0], Line: p.line, Times: p.times})
			}
		}
	}
	slices.SortStableFunc(found.Others, func(a, b Other) int { return b.Times - a.Times })
	found.Scenarios = slices.DeleteFunc(found.Scenarios, func(s *Scenario) bool { return apart[s] })
}

// fixFor returns what to change where a message says what the scenario has a
// fix of its own for, or "". Of several it is the one for the longest message.
func (s *Scenario) fixFor(parts []part) (fix string) {
	most := 0
	for message, its := range s.Fixes {
		known := words(withoutSurroundings(message))
		for _, p := range parts {
			said := setOf(strings.Join(words(p.text), " "))
			if len(known) > most && !slices.ContainsFunc(known, func(word string) bool { return !said[word] }) {
				most, fix = len(known), its
			}
		}
	}
	return fix
}
