package command

import (
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/vantage"
	"mtlslab.example/lab/lab/verdict"
)

// bothSummary is the first line of lab explain --json of two captures.
type bothSummary struct {
	Captures endpoint.Pair[string] `json:"captures"`
	Swapped  bool                  `json:"swapped,omitempty"`
	Clock    *jsonClock            `json:"clock,omitempty"` // nil: not known
	Findings []vantage.Finding     `json:"findings"`
}

type jsonClock struct {
	Ahead float64 `json:"server_ahead_ms"`
	Error float64 `json:"error_ms"`
	Drift float64 `json:"drift_ms,omitempty"`
}

func (b *bothPrinter) summary() bothSummary {
	s := bothSummary{Captures: endpoint.Pair[string]{Client: b.name(endpoint.Client), Server: b.name(endpoint.Server)}, Swapped: b.Swapped, Findings: b.Findings}
	if s.Findings == nil {
		s.Findings = []vantage.Finding{}
	}
	if b.Clock.Known {
		s.Clock = &jsonClock{text.Milliseconds(b.Clock.Ahead), text.Milliseconds(b.Clock.Error), text.Milliseconds(b.Clock.Drift)}
	}
	return s
}

// bothAccount is a pair for JSON.
type bothAccount struct {
	Pair     int               `json:"pair"`
	Relation vantage.Relation  `json:"relation"`
	Evidence string            `json:"evidence,omitempty"`
	Sure     bool              `json:"sure"`
	Client   *verdict.Account  `json:"client_end,omitempty"`
	Server   *verdict.Account  `json:"server_end,omitempty"`
	OneEnd   []jsonOneEnd      `json:"one_end_only,omitempty"`
	Findings []vantage.Finding `json:"findings"`
}

// jsonOneEnd is a message that one of the two captures has alone.
type jsonOneEnd struct {
	In      endpoint.Side       `json:"in"`
	Missed  bool                `json:"missed,omitempty"`
	Message *tlsdecrypt.Message `json:"message"`
}

func (b *bothPrinter) account(i int, pair *vantage.Pair) bothAccount {
	a := bothAccount{Pair: i, Relation: pair.Relation, Evidence: pair.Evidence, Sure: pair.Sure, Findings: pair.Findings}
	if a.Findings == nil {
		a.Findings = []vantage.Finding{}
	}
	of := func(c *tlsdecrypt.Connection) *verdict.Account {
		if c == nil {
			return nil
		}
		v := b.verdicts[c]
		return &verdict.Account{Connection: c, Verdict: v, Scenario: shown(v, c)}
	}
	a.Client, a.Server = of(pair.Ends.Client), of(pair.Ends.Server)
	for _, m := range pair.Joined.Messages {
		if at, ok := pair.OneEnd[m]; ok {
			a.OneEnd = append(a.OneEnd, jsonOneEnd{at.In, at.Missed, m})
		}
	}
	return a
}
