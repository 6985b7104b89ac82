package exercise

import "slices"

// Plan is a lesson of some length: what is done when.
type Plan struct {
	Minutes int
	Items   []PlanItem
}

// PlanItem is a part of a lesson.
type PlanItem struct {
	From     int       // minutes after the beginning
	Minutes  int       // that it takes, with the talk about it
	Exercise *Exercise // nil: it is something else
	What     string
	Say      string // what the trainer says and asks; "": nothing
}

// Lengths are the lengths of lessons, in minutes, for which there is a plan.
var Lengths = []int{45, 90, 180}

// part is a part of a lesson as it was planned: an exercise by its name, or
// something else in words.
type part struct {
	minutes             int
	exercise, what, say string
}

const (
	openingWords = "Mutual TLS has two directions of trust, and each side can refuse the other. Run lab up, read one handshake together, and have somebody say at which message each side knows the other."
	closingWords = "Each says one thing that they will look at tomorrow at work. Then: lab explain reads captures of your own programs, lab check their files, lab probe tries your servers."
)

// lessons are the plans. An exercise has a minute more than it takes, to talk
// about it.
var lessons = map[int][]part{
	45: {
		{5, "", "the two directions of trust", openingWords},
		{7, "who-refused", "", ""},
		{9, "first-certificate", "", ""},
		{9, "lost-link", "", ""},
		{8, "does-not-ask", "", ""},
		{7, "", "what to take to work", closingWords},
	},
	90: {
		{9, "", "the two directions of trust", openingWords},
		{7, "who-refused", "", ""},
		{9, "first-certificate", "", ""},
		{9, "wrong-host", "", ""},
		{9, "lost-link", "", ""},
		{9, "expired-overnight", "", ""},
		{9, "shows-nothing", "", ""},
		{8, "does-not-ask", "", ""},
		{10, "revoked-laptop", "", ""},
		{11, "", "what to take to work", closingWords},
	},
	180: {
		{10, "", "the two directions of trust", openingWords},
		{7, "who-refused", "", ""},
		{8, "which-key-signs", "", ""},
		{9, "first-certificate", "", ""},
		{9, "wrong-host", "", ""},
		{9, "lost-link", "", ""},
		{9, "expired-overnight", "", ""},
		{9, "wrong-usage", "", ""},
		{10, "", "break", ""},
		{10, "two-cas-of-one-name", "", ""},
		{8, "does-not-ask", "", ""},
		{10, "revoked-laptop", "", ""},
		{10, "old-session", "", ""},
		{11, "rotate-a-ca", "", ""},
		{6, "", "break", ""},
		{10, "nginx-lets-anybody-in", "", ""},
		{10, "python-trusts-anybody", "", ""},
		{11, "recorded-for-later", "", ""},
		{14, "", "what to take to work", closingWords},
	},
}

// PlanOf returns the plan for a lesson of one of Lengths, out of the built-in
// exercises.
func PlanOf(all []*Exercise, minutes int) *Plan {
	p := &Plan{Minutes: minutes}
	from := 0
	for _, part := range lessons[minutes] {
		item := PlanItem{From: from, Minutes: part.minutes, What: part.what, Say: part.say}
		if i := slices.IndexFunc(all, func(e *Exercise) bool { return e.Name == part.exercise }); i >= 0 {
			item.Exercise, item.What, item.Say = all[i], all[i].Title, all[i].Notes
		}
		p.Items = append(p.Items, item)
		from += part.minutes
	}
	return p
}
