package command

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"
	"mtlslab.example/lab/lab/probe"
	"mtlslab.example/lab/lab/probe/mirror"
	"mtlslab.example/lab/lab/text"
)

// serve serves the faults to clients that come by themselves.
func (r *clientProbe) serve(c *cli.Context) error {
	ctx, stop := context.WithCancel(c.Context)
	defer stop()
	r.table.Peers, r.told = true, map[told]bool{}
	o, count := r.options, c.Int("count")
	o.Lifetime = 30 * 24 * time.Hour // as long as it may well be left running
	o.Visit = func(v *mirror.Visit) {
		if count > 0 && r.report.Connections == count {
			return // one that was under way when the last had ended
		}
		r.report.Connections++
		if v.Astray != "" {
			r.say("%s", v.Astray)
		} else {
			r.addNew(v.Finding())
		}
		if r.report.Connections == count {
			stop()
		}
	}
	s, err := mirror.New(ctx, o)
	if err != nil {
		return err
	}
	first, last := s.Listeners[0], s.Listeners[len(s.Listeners)-1]
	until := "until Ctrl-C"
	if count > 0 {
		until = "until there were " + text.Counted(count, "connection")
	}
	r.say("%s has an index, and faults.json for programs; each port from %d to %d has a fault, %s", first.URL, first.Addr.Port()+1, last.Addr.Port(), until)
	r.say("clients trust %s", folderOf(c).file(c.String("ca"), ".pem"))
	if err := s.Serve(ctx); err != nil {
		return err
	}
	if r.report.Connections == 0 {
		r.report.Error, r.report.Hint = "nobody called", "open "+first.URL+" in a browser, or give a COMMAND to call"
		return nil
	}
	r.sum(s.Listeners)
	return nil
}

// sum prints what clients made of each server, after the lines of their
// connections.
func (r *clientProbe) sum(listeners []*mirror.Listener) {
	if !r.asJSON {
		r.stdout().Line()
		r.table.Head()
	}
	for _, l := range listeners {
		rows := r.of(l.Name)
		switch {
		case len(rows) == 0:
			r.report.Findings = append(r.report.Findings, l.NotTried("nobody called"))
		case !r.asJSON:
			r.table.Row(rows...)
		}
	}
}

// of returns the findings of a case.
func (r *clientProbe) of(name string) (rows []*probe.Finding) {
	for _, f := range r.report.Findings {
		if f.Case == name {
			rows = append(rows, f)
		}
	}
	return rows
}

// mostKept is how many findings are kept of clients that come by themselves.
const mostKept = 10_000

// addNew prints a finding, and adds it to the report unless that has one that
// says the same.
func (r *clientProbe) addNew(f *probe.Finding) {
	said := told{f.Case, f.TLS, f.Words(), f.Peer, f.Certificate}
	if r.told[said] || len(r.told) == mostKept {
		r.accepted.Mark(f)
		r.row(f)
		return
	}
	r.told[said] = true
	r.add(f)
}

// told is what a finding says of a client.
type told struct{ name, tls, words, peer, certificate string }
