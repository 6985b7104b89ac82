package scenario

import (
	"crypto/tls"
	"slices"

	"mtlslab.example/lab/lab/endpoint"
)

// Duty is what a lesson asks of programs that meet it. Its JSON form is part of
// the command line's contract.
type Duty struct {
	Name    string        `json:"name"`
	Title   string        `json:"title"`
	Refuses endpoint.Side `json:"must_refuse,omitempty"` // the side that must refuse the other; Unknown: neither must
	MayPass string        `json:"may_pass,omitempty"`    // why that side may let it pass; "": it must not
	TLS     []string      `json:"tls"`                   // versions: "1.2", "1.3"
	Alerts  []string      `json:"alerts,omitempty"`      // that right programs were seen to refuse with; another is no fault
	Reason  string        `json:"reason,omitempty"`      // why it is to be refused
	RFC     string        `json:"rfc,omitempty"`         // the sections that say so
}

// Duty returns what the lesson asks of programs.
func (s *Scenario) Duty() Duty {
	d := Duty{Name: s.Name, Title: s.Title, Refuses: s.refusing(), Reason: s.Reason, RFC: s.RFC}
	for _, version := range s.Versions() {
		d.TLS = append(d.TLS, tls.VersionName(version)[len("TLS "):])
	}
	if d.Refuses == endpoint.Unknown {
		return d
	}
	d.MayPass = s.MayPass
	for _, version := range s.Versions() {
		d.addAlert(s.Expect[version].RejectedBy, s.Expect[version].Alert)
	}
	for _, run := range stacks().Runs {
		if run.Scenario == s.Name && run.As == d.Refuses {
			d.addAlert(run.By, run.Alert)
		}
	}
	slices.Sort(d.Alerts)
	return d
}

// refusing returns the side that must refuse the other.
func (s *Scenario) refusing() endpoint.Side {
	switch s.Side {
	case "server rejects client":
		return endpoint.Server
	case "client rejects server":
		return endpoint.Client
	}
	for _, e := range s.Expect {
		return e.RejectedBy
	}
	return endpoint.Unknown
}

// addAlert adds an alert that a side refused with, if there was one.
func (d *Duty) addAlert(by endpoint.Side, alert string) {
	if by == d.Refuses && alert != "" && !slices.Contains(d.Alerts, alert) {
		d.Alerts = append(d.Alerts, alert)
	}
}
