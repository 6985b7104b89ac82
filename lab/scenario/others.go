package scenario

import (
	"slices"
	"strings"
)

// ofOthers is which part of the best score a line needs to be about something
// else.
const ofOthers = 0.6

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
		about := ranked(builtIn(), byPart[i])
		switch {
		case len(about) == 0:
		case slices.ContainsFunc(about, func(s *Scenario) bool { return slices.Contains(same, s) }):
			found.Times += p.times
		case byPart[i][about[0]] >= ofOthers*byPart[first][best]:
			apart[about[0]] = true
			if n := slices.IndexFunc(found.Others, func(o Other) bool { return o.Scenario == about[0] }); n >= 0 {
				found.Others[n].Times += p.times
			} else {
				found.Others = append(found.Others, Other{Scenario: about[0], Line: p.line, Times: p.times})
			}
		}
	}
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
