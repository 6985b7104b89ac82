package mirror

import (
	"fmt"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/probe"
)

// Finding judges a visit by the wire alone. A client that has finished the
// handshake and sent nothing may have refused then, or wanted no more.
func (v *Visit) Finding() *probe.Finding {
	found := v.newFinding(v)
	switch {
	case v.Sent:
		v.took(found, "it sent a request")
	case v.Shook:
		found.Result, found.Judgement = probe.Unclear, probe.Unknown
		found.Reason = "it finished the handshake and sent nothing: it may have refused then, or wanted no more"
	default:
		v.refused(found, v, v.early())
	}
	return found
}

// newFinding begins the finding of a visit, or without one if v is nil.
func (f *Fault) newFinding(v *Visit) *probe.Finding {
	found := &probe.Finding{Case: f.Name, Title: f.Title}
	if !f.IsControl() {
		found.Scenario = f.Name
	}
	if v == nil {
		return found
	}
	found.TLS, found.Peer, found.Certificate = v.TLS.Version, v.UserAgent, v.Certificate
	found.Exchange, found.DurationMS = v.Number, v.DurationMS
	if v.HTTP != nil {
		found.Status = v.HTTP.Status
	}
	return found
}

// took completes the finding of a client that took the server for a good one,
// as it did how.
func (f *Fault) took(found *probe.Finding, how string) {
	found.Result = probe.Took
	switch {
	case f.IsControl():
		found.Judgement = probe.Right
		return
	case f.MayPass != "":
		found.Judgement, found.Reason = probe.Warning, f.MayPass
	default:
		found.Judgement, found.Reason, found.Fix = probe.Wrong, how+", although it must refuse this server", f.kind().fix()
	}
}

// early is when a client refuses that does not finish the handshake.
func (f *Fault) early() probe.When {
	if !f.speaksTLS() {
		return "" // there is none
	}
	return probe.InHandshake
}

// refused completes the finding of a client that refused the server in a visit.
func (f *Fault) refused(found *probe.Finding, v *Visit, when probe.When) {
	found.Result, found.Judgement, found.When = probe.Refused, probe.Right, when
	if v.Alert != nil && v.Alert.SentBy == endpoint.Client {
		found.Alert = v.Alert
	}
	if f.IsControl() {
		found.Judgement, found.Reason = probe.Unknown, "it refuses a server that does everything right"
	}
}

// Attempt is one call of a command.
type Attempt struct {
	*Fault
	Visits []*Visit      // its connections
	Status int           // its exit status
	Killed time.Duration // after which it was ended; 0: it ended by itself
	Output string        // the end of what it printed
}

// best returns the visit in which the client went the farthest, nil if it made
// no connection.
func (a *Attempt) best() (best *Visit) {
	far := func(v *Visit) int {
		switch {
		case v.Sent:
			return 2
		case v.Shook:
			return 1
		}
		return 0
	}
	for _, v := range a.Visits {
		if best == nil || far(v) > far(best) {
			best = v
		}
	}
	return best
}

// accepts reports whether a control has shown that the command takes a good
// server.
func (a *Attempt) accepts() bool {
	v := a.best()
	return v != nil && v.Shook && a.Status == 0 && a.Killed == 0
}

// Finding judges an attempt by the wire and by the exit status. sends says that
// the command sends something to a server that it accepts, as the control has
// shown: one that then finishes a handshake and sends nothing has refused.
func (a *Attempt) Finding(sends bool) *probe.Finding {
	v := a.best()
	found := a.newFinding(v)
	switch {
	case v == nil:
		found.Result, found.Judgement = probe.Unclear, probe.Unknown
		found.Reason = "it made no connection" + a.ending()
	case v.Sent && (a.Status == 0 || !a.IsControl()):
		a.took(found, "it sent a request")
	case a.IsControl() && v.Shook && a.Status != 0:
		found.Result, found.Judgement, found.Reason = probe.Unclear, probe.Unknown, "the handshake succeeded, and the command failed"+a.ending()
	case v.Shook && !sends && a.Status == 0 && a.Killed == 0:
		a.took(found, "it finished the handshake, and its exit status is 0")
	case a.Killed != 0 && !a.isPatient(v):
		found.Result, found.Judgement = probe.Unclear, probe.Unknown
		found.Reason = "it neither went on nor gave up" + a.ending()
	case a.Killed != 0:
		found.Result, found.Judgement, found.Reason = probe.Waits, probe.Warning, a.MayPass
	case v.Shook:
		a.refused(found, v, probe.AfterHandshake)
	default:
		a.refused(found, v, a.early())
	}
	if found.Result == probe.Refused && found.Judgement == probe.Right && a.Status == 0 && !a.IsControl() {
		found.Judgement, found.Reason = probe.Warning, "it refuses, and its exit status is 0: whoever runs it does not learn of it"
		found.Fix = "end with another exit status when the connection fails"
	}
	return found
}

// isPatient reports whether the command was ended while it waited for a server
// that says nothing.
func (a *Attempt) isPatient(v *Visit) bool { return a.isSilent() && !v.Shook }

// ending says how the command ended.
func (a *Attempt) ending() string {
	if a.Killed != 0 {
		return fmt.Sprintf(" within %v", a.Killed)
	}
	return fmt.Sprintf(", exit status %d", a.Status)
}
