package mirror

import (
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/fault"
	"mtlslab.example/lab/lab/scenario"
)

// Control is the name of the case in which the server does everything right.
const Control = "good"

// Fault is a case: a lesson in which the server is wrong, or the control.
type Fault struct {
	scenario.Duty
	lesson *scenario.Scenario
}

// Faults returns the cases, the control first, those in the catalogue's order.
func Faults() ([]*Fault, error) {
	right, err := scenario.Find("mtls")
	if err != nil {
		return nil, err
	}
	control := &Fault{Duty: right.Duty(), lesson: right}
	control.Name, control.Title = Control, "a server that does everything right"
	control.Reason, control.RFC = "", ""
	all, err := scenario.All()
	if err != nil {
		return nil, err
	}
	faults := []*Fault{control}
	for _, s := range all {
		if !isOfServer(s) {
			continue
		}
		f := &Fault{Duty: s.Duty(), lesson: s}
		f.Refuses = endpoint.Client // also where the lab's own two sides end it otherwise
		if s.Server.Version != "" {
			f.TLS, f.Alerts = nil, nil
		}
		faults = append(faults, f)
	}
	return faults, nil
}

// isOfServer reports whether a lesson shows a client a server that it has to
// refuse.
func isOfServer(s *scenario.Scenario) bool {
	switch {
	case len(s.Versions()) == 0 || s.ECH != "" || s.Calls > 1:
		return false
	case s.Side == "client rejects server":
		return true
	}
	return s.Server.NotTLS != "" || s.Server.Version != ""
}

// IsControl reports whether the server does everything right.
func (f *Fault) IsControl() bool { return f.Name == Control }

// NeedsCRL reports whether a client cannot know of the fault without the CRL.
func (f *Fault) NeedsCRL() bool { return f.lesson.Topic == "revocation" }

// isSilent reports whether the server says nothing.
func (f *Fault) isSilent() bool { return f.lesson.Server.NotTLS == fault.Silence }

// speaksTLS reports whether the server speaks TLS at all.
func (f *Fault) speaksTLS() bool { return f.lesson.Server.NotTLS == "" }

// isByAddress reports whether the client has to call the server by its address.
func (f *Fault) isByAddress() bool { return f.lesson.Client.URL != "" }

// version returns the only version that the server speaks, where only is the
// one that is asked for; 0: all.
func (f *Fault) version(only uint16) uint16 {
	if f.lesson.Server.Version != "" {
		return 0 // that of the lesson is older than any that can be asked for
	}
	return only
}
