package exercise

// Plan is a lesson of some length: what is done when.
type Plan struct {
	Minutes int
	Items   []PlanItem
}

// PlanItem is a part of a lesson.
type PlanItem struct {
	From     int       // minutes after the beginning
	Minutes  int       // that it takes
	Exercise *Exercise // nil: it is something else
	What     string
}

// Lengths are the lengths of lessons, in minutes, for which there is a plan.
var Lengths = []int{45, 90, 180}

// frame is what stands around the exercises of a lesson.
type frame struct {
	opening, closing int // minutes
	every, rest      int // a break after so many minutes, and its length; 0: none
}

var frames = map[int]frame{45: {5, 5, 0, 0}, 90: {10, 10, 0, 0}, 180: {10, 15, 75, 10}}

// PlanOf returns the plan for a lesson of one of Lengths. It takes the first
// exercise of each topic in the order of the catalogue, and then more of them
// while there is time.
func PlanOf(all []*Exercise, minutes int) *Plan {
	f := frames[minutes]
	budget := minutes - f.opening - f.closing
	if f.every > 0 {
		budget -= (budget - 1) / f.every * f.rest
	}
	p := &Plan{Minutes: minutes}
	p.add(nil, f.opening, "the two directions of trust: lab up, and one handshake read together")
	since := 0
	for i, e := range all {
		if !chosen(all, budget)[i] {
			continue
		}
		if f.every > 0 && since+e.Minutes > f.every {
			p.add(nil, f.rest, "break")
			since = 0
		}
		p.add(e, e.Minutes, e.Title)
		since += e.Minutes
	}
	left := minutes - p.end()
	p.add(nil, left, "what to take to work: each explains an exercise to the others (lab exercise explain)")
	return p
}

// chosen returns which exercises fit into a number of minutes.
func chosen(all []*Exercise, minutes int) map[int]bool {
	take, topics := map[int]bool{}, map[string]bool{}
	for _, again := range []bool{false, true} {
		for i, e := range all {
			if take[i] || topics[e.Topic] && !again || e.Minutes > minutes {
				continue
			}
			take[i], topics[e.Topic] = true, true
			minutes -= e.Minutes
		}
	}
	return take
}

func (p *Plan) add(e *Exercise, minutes int, what string) {
	p.Items = append(p.Items, PlanItem{From: p.end(), Minutes: minutes, Exercise: e, What: what})
}

// end returns when all that is planned is over, in minutes.
func (p *Plan) end() int {
	if len(p.Items) == 0 {
		return 0
	}
	last := p.Items[len(p.Items)-1]
	return last.From + last.Minutes
}
