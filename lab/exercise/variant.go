package exercise

import (
	"fmt"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
)

// own returns the settings of the lab's own side, nil if there is none.
func (w *World) own(side endpoint.Side) *Side {
	if side == endpoint.Server {
		return w.Server
	}
	return w.Client
}

// programsOf returns the programs that are a side.
func (w *World) programsOf(side endpoint.Side) (programs []*Program) {
	for _, p := range w.Programs {
		if p.Role == side {
			programs = append(programs, p)
		}
	}
	return programs
}

// own returns the files that are the program's.
func (p *Program) own() []string { return append([]string{p.File}, p.Files...) }

// MissingError is an exercise whose programs are not installed, and that has
// nothing to take their place.
type MissingError struct {
	Exercise string
	Programs []string // in words
	Instead  string   // exercise that teaches the same; "": none
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s needs %s, which this computer does not have", e.Exercise, strings.Join(e.Programs, " and "))
}

// Missing returns the programs of a side that are not installed.
func (e *Exercise) missing(side endpoint.Side) (names []string) {
	for _, p := range e.World.programsOf(side) {
		for _, name := range p.missing() {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// variant returns the exercise as it is done: with other programs where there
// are some, and with the lab's own in place of those of the sides in own.
func (e *Exercise) variant(own []endpoint.Side) *Exercise {
	done := *e
	done.World.Programs = nil
	var gone []string
	for _, side := range bySide {
		programs := e.World.programsOf(side)
		switch {
		case len(programs) == 0:
		case slices.Contains(own, side):
			done.World.replaced = append(done.World.replaced, programs...)
			for _, p := range programs {
				gone = append(gone, p.own()...)
			}
		case side == endpoint.Server:
			done.World.Server = nil
		default:
			done.World.Client = nil
		}
	}
	for _, p := range e.World.Programs { // in their order
		if !slices.Contains(done.World.replaced, p) {
			done.World.Programs = append(done.World.Programs, p)
		}
	}
	done.World.Files = slices.DeleteFunc(slices.Clone(e.World.Files), func(f NamedFile) bool { return slices.Contains(gone, f.Name) })
	return &done
}

// choose returns the exercise as it can be done on this computer: with its
// programs where they are installed, else with the lab's own in their place. With
// own set the lab's own are taken wherever they can be. The error is a
// *MissingError.
func (e *Exercise) choose(own bool) (*Exercise, error) {
	sides, err := e.replaceable(own)
	if err != nil {
		return nil, err
	}
	return e.variant(sides), nil
}

// replaceable returns the sides for whose programs the lab's own stand.
func (e *Exercise) replaceable(own bool) (sides []endpoint.Side, err error) {
	for _, side := range []endpoint.Side{endpoint.Server, endpoint.Client} {
		missing := e.missing(side)
		switch {
		case len(e.World.programsOf(side)) == 0 || len(missing) == 0 && !own:
		case e.World.own(side) != nil:
			sides = append(sides, side)
		case len(missing) > 0:
			return nil, &MissingError{Exercise: e.Name, Programs: missing, Instead: e.Instead}
		}
	}
	return sides, nil
}
