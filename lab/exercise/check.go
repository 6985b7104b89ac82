package exercise

import (
	"fmt"
	"slices"
	"strings"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab/endpoint"
)

// hintsWanted is how many hints there are.
const hintsWanted = 3

// check refuses an exercise that cannot be marked.
func (r reader) check() error {
	problem, hint := "", ""
	switch {
	case r.Name == "":
		problem, hint = "the exercise has no name", "add a line such as name: mine"
	case r.Title == "" || r.Story == "":
		problem, hint = "the exercise has no title, or no story", "add title: in one line, and story: in a few"
	case len(r.Solved)+len(r.Ask) == 0:
		problem, hint = "nothing says when it is solved", "add solved: with the exchanges that must be, or questions:"
	case len(r.Hints) != hintsWanted:
		problem, hint = fmt.Sprintf("the exercise has %d hints", len(r.Hints)), "write three, each of which says more"
	case r.Explanation.Wrong == "":
		problem, hint = "the exercise has no explanation", "add explanation: with wrong:, shows: and work:"
	}
	if problem != "" {
		return r.ErrorAt(r.Root(), hint, "%s", problem)
	}
	m, err := r.Manifest()
	if err != nil {
		return err
	}
	if err := r.checkHidden(m); err != nil {
		return err
	}
	for _, steps := range r.allSteps() {
		for i := range steps {
			if err := r.checkStep(&steps[i], m); err != nil {
				return err
			}
		}
	}
	return nil
}

// allSteps returns the steps that are marked, and those that are recorded.
func (e *Exercise) allSteps() [][]Step {
	all := [][]Step{e.Solved}
	for _, f := range e.World.Files {
		if f.Record != nil {
			all = append(all, f.Record.Steps)
		}
	}
	return all
}

// checkHidden refuses a certificate of the folder whose issuer is not there.
func (r reader) checkHidden(m *certgen.Manifest) error {
	for _, c := range m.Certificates {
		if c.Issuer != nil && !r.isHidden(c.Name) && r.isHidden(c.Issuer.Name) {
			return r.ErrorAt(r.Root(), "add "+c.Name+" to marker: certificates:, or take "+c.Issuer.Name+" out", "%s is in the folder, and its CA %s is not", c.Name, c.Issuer.Name)
		}
	}
	return nil
}

// checkStep refuses a step that cannot be made.
func (r reader) checkStep(s *Step, m *certgen.Manifest) error {
	wrong := func(hint, format string, args ...any) error {
		return s.at.document.ErrorAt(s.at.node, hint, format, args...)
	}
	if s.Probe != nil {
		if s.Call != "" {
			return wrong("make two steps of it", "a step is a call or a probe")
		}
		return nil
	}
	if s.Call == "" {
		return wrong("add call: with the name of a certificate, a program, client or none", "the step does not say who calls")
	}
	if who := r.callerOf(s.Call); who.program == nil && who.isMarkers && who.certificate != "none" && m.Find(who.certificate) == nil {
		return wrong(r.callers(m, s.Call, endpoint.Client), "nobody is called %s", yamldoc.Quoted(s.Call))
	}
	who := r.serverOf(s.To)
	if who.program == nil && who.isMarkers && m.Find(who.certificate) == nil {
		return wrong(r.callers(m, s.To, endpoint.Server), "no server is called %s", yamldoc.Quoted(s.To))
	}
	if s.Serving != nil && !who.isMarkers {
		return wrong("name a certificate in to:, for a server of the marker's own", "serving: changes the marker's own server alone")
	}
	return nil
}

// callers is a hint at the names that a step may have.
func (e *Exercise) callers(m *certgen.Manifest, written string, side endpoint.Side) string {
	names := []string{side.String()}
	for _, p := range e.World.Programs {
		if p.Role == side {
			names = append(names, p.Name)
		}
	}
	for _, c := range m.Certificates {
		if !c.CA && c.Issuer != nil {
			names = append(names, c.Name)
		}
	}
	if near := spell.Nearest(written, names); len(near) > 0 {
		return "did you mean " + near[0] + "?"
	}
	return "there are " + strings.Join(names, ", ")
}

// party is one end of an exchange.
type party struct {
	program     *Program // nil: the lab's own
	isMarkers   bool     // and none of the world's
	certificate string   // that the marker's shows
}

// callerOf returns who calls by that name: the client of the world by the name
// client, or by that of its certificate or program; and otherwise, as in a
// world without one, a client of the marker's with the certificate of that
// name.
func (e *Exercise) callerOf(name string) party { return e.partyOf(name, endpoint.Client) }

// serverOf returns who is called: likewise. "" is the server of the world.
func (e *Exercise) serverOf(name string) party {
	if name == "" {
		name = endpoint.Server.String()
	}
	return e.partyOf(name, endpoint.Server)
}

func (e *Exercise) partyOf(name string, side endpoint.Side) party {
	for _, p := range e.World.Programs {
		if p.Role == side && (p.Name == name || name == side.String()) {
			return party{program: p}
		}
	}
	own := e.World.own(side)
	isReplaced := slices.ContainsFunc(e.World.replaced, func(p *Program) bool { return p.Role == side && p.Name == name })
	hasOne := own != nil || len(e.World.replaced) > 0
	if name != "none" && (name == side.String() && hasOne || own != nil && own.Certificate == name || isReplaced) {
		return party{}
	}
	return party{isMarkers: true, certificate: name}
}

// isHidden reports whether the folder lacks a certificate.
func (e *Exercise) isHidden(name string) bool { return slices.Contains(e.Marker.Certificates, name) }

// Manifest returns the manifest of all certificates, those that the folder
// lacks included. Errors are *yamldoc.Error.
func (e *Exercise) Manifest() (*certgen.Manifest, error) { return e.lesson.Manifest(nil) }

// document returns the document of the exercise.
func (e *Exercise) document() (yamldoc.Document, error) {
	documents, err := yamldoc.Read(e.File, e.Text)
	if err != nil {
		return yamldoc.Document{}, err
	}
	return documents[0], nil
}
