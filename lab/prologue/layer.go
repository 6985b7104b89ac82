package prologue

import (
	"time"

	"mtlslab.example/lab/lab/endpoint"
)

// layer is the layer that is spoken, with what is needed to read it.
type layer struct {
	*Layer
	dialect  dialect             // nil: not known yet
	first    endpoint.Pair[bool] // a line of the side is in Steps, or was left out
	now      time.Time           // of the bytes that are read
	over     bool                // what follows is another layer
	unframed endpoint.Pair[bool] // where the side's messages end is not known
	body     endpoint.Pair[bool] // the side sends what is not TLS, whatever it is: mail, a file
}

// say keeps a line.
func (l *layer) say(from endpoint.Side, line string) {
	*l.first.Of(from) = true
	if len(l.Steps) < maxSteps {
		l.Steps = append(l.Steps, Step{From: from, Time: l.now, Text: clean(line)})
	}
}

// ask notes that the client asks for TLS, or for the way through a proxy, by a
// command, which is said in line.
func (l *layer) ask(command, line string) {
	l.Asked, l.Agreed, l.Refused, l.Refusal, l.WentOn, l.Demanded, l.Offered = command, false, "", NotSaid, false, "", false
	l.say(endpoint.Client, line)
}

func (l *layer) agree(line string) {
	l.Agreed, l.Refused = true, ""
	l.say(endpoint.Server, line)
}

func (l *layer) refuse(line string) { l.refuseFor(NotSaid, line) }

func (l *layer) refuseFor(why Refusal, line string) {
	if l.Refused == "" { // what follows may answer a ClientHello that was sent all the same
		l.Refused, l.Refusal = clean(line), why
		l.say(endpoint.Server, line)
	}
}

func (l *layer) demand(line string) {
	l.Demanded = clean(line)
	l.say(endpoint.Server, line)
}
