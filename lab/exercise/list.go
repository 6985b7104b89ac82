package exercise

// Entry is an exercise in a list, with the progress of somebody.
type Entry struct {
	*Exercise
	*Progress // nil: it was not started
	Name      string
}

// The states of an exercise.
const (
	Untouched = ""
	Begun     = "begun"
	GivenUp   = "given up"
	Solved    = "solved"
)

// State is how far somebody is with it.
func (e *Entry) State() string {
	switch p := e.Progress; {
	case p == nil:
		return Untouched
	case p.Solved != nil:
		return Solved
	case p.GaveUp:
		return GivenUp
	}
	return Begun
}

// List returns the built-in exercises in the order in which they teach, and
// then those of a trainer's that were started here.
func (c Course) List() (list []*Entry, err error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		p, err := c.Progress(e.Name)
		if err != nil {
			return nil, err
		}
		list = append(list, &Entry{e, p, e.Name})
	}
	started, err := c.all()
	if err != nil {
		return nil, err
	}
	for _, p := range started {
		if p.Document == "" {
			continue
		}
		if e, err := read(p.Document); err == nil { // it may have gone
			list = append(list, &Entry{e, p, e.Name})
		}
	}
	return list, nil
}
