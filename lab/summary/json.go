package summary

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/verdict"
)

// jsonCause is a line about a cause.
type jsonCause struct {
	Cause            int             `json:"cause"` // number, from 1
	Count            int             `json:"count"`
	Outcome          verdict.Outcome `json:"outcome"`
	How              verdict.How     `json:"how,omitempty"`
	By               endpoint.Side   `json:"refused_by,omitempty"`
	Code             verdict.Code    `json:"code,omitempty"`
	Alert            string          `json:"alert,omitempty"`
	Server           string          `json:"server_addr,omitempty"`
	Names            map[string]int  `json:"server_names,omitempty"`
	Certificates     map[string]int  `json:"certificates,omitempty"`
	Clients          map[string]int  `json:"clients,omitempty"`
	MoreNames        bool            `json:"more_server_names,omitempty"`
	MoreCertificates bool            `json:"more_certificates,omitempty"`
	MoreClients      bool            `json:"more_clients,omitempty"`
	First            jsonPlace       `json:"first"`
	Last             jsonPlace       `json:"last"`
}

type jsonPlace struct {
	Time   time.Time `json:"time"`
	File   string    `json:"file,omitempty"`
	Stream int       `json:"connection"`
	Client string    `json:"client_addr,omitempty"`
}

// jsonTotal is the last line.
type jsonTotal struct {
	Summary struct {
		Connections int            `json:"connections"`
		Outcomes    map[string]int `json:"outcomes"`
		First       *time.Time     `json:"first,omitempty"`
		Last        *time.Time     `json:"last,omitempty"`
		Causes      int            `json:"causes"`
		More        bool           `json:"more_causes,omitempty"`
	} `json:"summary"`
}

// Objects returns what a summary is in JSON: an object for each cause, the most
// frequent first, and one for all connections.
func (s *Summary) Objects() (objects []any) {
	for i, c := range s.sorted() {
		r := s.causes.m[c]
		o := jsonCause{Cause: i + 1, Count: r.count, Outcome: c.outcome, How: c.how, By: c.by, Code: c.code, Alert: c.alert, Server: portText(c.server), First: r.first.json(), Last: r.last.json()}
		o.Names, o.MoreNames = r.names.all(mostNames)
		o.Certificates, o.MoreCertificates = r.certificates.all(mostNames)
		o.Clients, o.MoreClients = r.clients.all(mostClients)
		objects = append(objects, o)
	}
	var t jsonTotal
	all := &t.Summary
	all.Connections, all.Outcomes, all.Causes, all.More = s.total.connections, s.total.outcomes, len(objects), s.causes.more
	if all.Outcomes == nil {
		all.Outcomes = map[string]int{}
	}
	if s.total.connections > 0 {
		first, last := s.total.first.UTC(), s.total.last.UTC()
		all.First, all.Last = &first, &last
	}
	return append(objects, t)
}

// all returns what was counted.
func (t *tally) all(most int) (counts map[string]int, more bool) {
	t.trim(most)
	return t.m, t.more
}

func (p *place) json() jsonPlace {
	return jsonPlace{p.at.UTC(), p.file, p.stream, portText(p.client)}
}

func portText(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// begins are the first bytes of a summary in JSON, whatever blanks were put in.
var begins = text.Pattern(`^\s*\{\s*"(cause|summary)"\s*:`)

// IsJSON reports whether a text begins as a summary in JSON does.
func IsJSON(text []byte) bool { return begins().Match(text) }

var errNoTotal = errors.New("cut short: the object of all connections, which is the last one, is missing")

// Read reads summaries in JSON, one after the other, and adds them to s. If it
// returns an error, s is as it was.
func (s *Summary) Read(r io.Reader) error {
	var sum Summary
	d := json.NewDecoder(bufio.NewReader(r))
	d.DisallowUnknownFields()
	whole := true
	for {
		var o struct {
			jsonCause
			jsonTotal
		}
		err := d.Decode(&o)
		switch {
		case err == io.EOF && whole:
			s.Merge(&sum)
			return nil
		case err == io.EOF, err == io.ErrUnexpectedEOF:
			return errNoTotal
		case err != nil:
			return fmt.Errorf("no summary of lab explain: %w", err)
		}
		if whole = o.Cause == 0; whole {
			err = sum.addTotal(&o.jsonTotal)
		} else {
			err = sum.addCause(&o.jsonCause)
		}
		if err != nil {
			return fmt.Errorf("no summary of lab explain: %w", err)
		}
	}
}

func (s *Summary) addTotal(o *jsonTotal) error {
	all := &o.Summary
	counted := 0
	for _, n := range all.Outcomes {
		counted += max(n, 0)
	}
	if counted != all.Connections {
		return fmt.Errorf("%d connections, and outcomes of %d", all.Connections, counted)
	}
	t := total{connections: all.Connections, outcomes: all.Outcomes}
	if all.First != nil && all.Last != nil {
		t.first, t.last = *all.First, *all.Last
	} else if all.Connections > 0 {
		return errors.New("no times of its connections")
	}
	s.total.add(&t)
	s.causes.more = s.causes.more || all.More
	return nil
}

func (s *Summary) addCause(o *jsonCause) (err error) {
	c := cause{by: o.By, outcome: o.Outcome, how: o.How, code: o.Code, alert: o.Alert}
	if c.server, err = parsePort(o.Server); err != nil {
		return err
	}
	if o.Count < 1 {
		return fmt.Errorf("%d connections of a cause", o.Count)
	}
	more := &refusals{count: o.Count}
	if more.first, err = o.First.place(); err != nil {
		return err
	}
	if more.last, err = o.Last.place(); err != nil {
		return err
	}
	more.names = tally{first[string, int]{o.Names, o.MoreNames}}
	more.certificates = tally{first[string, int]{o.Certificates, o.MoreCertificates}}
	more.clients = tally{first[string, int]{o.Clients, o.MoreClients}}
	s.Merge(&Summary{causes: first[cause, *refusals]{m: map[cause]*refusals{c: more}}})
	return nil
}

func (o *jsonPlace) place() (place, error) {
	client, err := parsePort(o.Client)
	return place{o.Time, o.File, o.Stream, client}, err
}

func parsePort(s string) (netip.AddrPort, error) {
	if s == "" {
		return netip.AddrPort{}, nil
	}
	return netip.ParseAddrPort(s)
}
