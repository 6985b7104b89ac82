package ladder

import (
	"fmt"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/text"
)

// prologue draws what was said before TLS, in few lines.
func (s *story) prologue(p *prologue.Prologue) {
	instead := len(s.c.Messages) == 0 && p.Name() == ""
	if p == nil || instead || s.isAnswerPlain() { // the problems say what there was instead of TLS
		return
	}
	for _, l := range p.Layers {
		s.across("%s", layerWords(l))
		for _, step := range l.Steps {
			s.items = append(s.items, item{from: step.From, time: step.Time, name: step.Text})
			s.dropLine(step)
		}
	}
	switch last := p.Last(); {
	case len(s.c.Messages) == 0:
	case last != nil && last.Refused != "":
		s.across("the client begins TLS all the same, after %s", bytesBefore(p))
	default:
		s.across("here TLS begins, after %s", bytesBefore(p))
	}
}

// isAnswerPlain reports whether the server answers TLS with something else.
func (s *story) isAnswerPlain() bool {
	p := s.c.Prologue
	return p != nil && p.Bytes.Client == 0 && s.c.NotTLSFrom == endpoint.Server && len(s.c.Messages) > 0
}

// plainAnswer draws what a server says that answers TLS with something else.
func (s *story) plainAnswer() {
	if !s.isAnswerPlain() {
		return
	}
	for _, l := range s.c.Prologue.Layers {
		for _, step := range l.Steps {
			s.items = append(s.items, item{from: step.From, time: step.Time, name: step.Text, alarm: true})
			s.dropLine(step)
		}
	}
}

// dropLine leaves out of the problems the line of a side that is drawn as a step.
func (s *story) dropLine(step prologue.Step) {
	if s.c.Plain.Of(step.From).Line != step.Text {
		return
	}
	for i := range s.problems {
		s.problems[i].Text = strings.TrimSuffix(s.problems[i].Text, ": "+step.Text)
	}
}

// layerWords says what a layer is.
func layerWords(l *prologue.Layer) string {
	switch {
	case l.Source != "":
		return fmt.Sprintf("%s: the load balancer says that the client is %s", l.Protocol, l.Source)
	case l.Protocol != "":
		return l.Protocol + ", not encrypted"
	}
	return "something that is not TLS, and not known here"
}

// bytesBefore says how many bytes of each side come before TLS.
func bytesBefore(p *prologue.Prologue) string {
	var parts []string
	for side, n := range p.Bytes.All() {
		if *n > 0 {
			parts = append(parts, fmt.Sprintf("%s of the %v", text.Counted(int(*n), "byte"), side))
		}
	}
	return strings.Join(parts, " and ")
}

// afterPrologue names what came before TLS; "": nothing, or nothing known.
func (s *story) afterPrologue() string {
	p := s.c.Prologue
	switch {
	case p == nil || s.c.NotTLSFrom != endpoint.Unknown:
		return ""
	case p.Name() == "":
		return "something else"
	}
	name := p.Name()
	if last := p.Last(); last.Kind == prologue.StartTLS && last.Asked != "" {
		name += " (" + last.Asked + ")"
	}
	return name
}
