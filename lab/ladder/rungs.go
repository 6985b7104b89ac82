package ladder

import (
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
)

// Ladder is a connection in the words that [Draw] draws it with, for others to
// lay out. All of it is clean: see [text.Clean].
type Ladder struct {
	Title  string                `json:"title"`
	Agreed string                `json:"agreed"` // what the two sides agreed on
	Ends   endpoint.Pair[string] `json:"ends"`   // what stands over the two vertical lines
	Rungs  []Rung                `json:"rungs"`
	Legend []string              `json:"legend"` // how to read it
	Ending []string              `json:"ending"` // paragraphs: how it ended, without the verdict's reason and fix
}

// Rung is one thing in a ladder: something that From said, or, if From is not
// known, a line across (Name) or a problem (Text).
type Rung struct {
	From      endpoint.Side         `json:"from,omitempty"`
	At        *float64              `json:"at_ms,omitempty"` // since the connection was made, or its first packet; nil: not known
	Time      string                `json:"time,omitempty"`  // the same in words
	Name      string                `json:"name,omitempty"`
	Text      string                `json:"text,omitempty"` // what it is for
	Key       string                `json:"key,omitempty"`  // what protects it, in words; "": nothing does
	Size      string                `json:"size,omitempty"` // on the wire
	Stage     Stage                 `json:"stage,omitempty"`
	Encrypted bool                  `json:"encrypted,omitempty"`
	Alarm     bool                  `json:"alarm,omitempty"` // it is bad news
	Checks    []CheckWords          `json:"checks,omitempty"`
	Messages  []int                 `json:"messages,omitempty"` // indexes in Connection.Messages
	Beliefs   endpoint.Pair[Belief] `json:"beliefs"`            // of each side, after it
}

// CheckWords is a check in words.
type CheckWords struct {
	Result tlsdecrypt.Result `json:"result"`
	Text   string            `json:"text"`
}

// Of returns the ladder of a connection. Of the options it needs Stream and
// Title. The verdict is beside it, as with Options.Below.
func Of(c *tlsdecrypt.Connection, v *verdict.Verdict, o Options) Ladder {
	o.believing = true
	s := newStory(c, v, o)
	s.below = true
	l := Ladder{
		Title: text.Clean(o.title(c)), Agreed: text.Clean(s.agreed()), Rungs: make([]Rung, 0, len(s.items)),
		Ends: endpoint.Pair[string]{Client: s.client.called("client"), Server: s.server.called("server")},
	}
	start := opened(c)
	message := 0 // the next one in Connection.Messages
	for _, it := range s.items {
		l.Rungs = append(l.Rungs, it.rung(start))
		if it.message == nil {
			continue
		}
		for range s.row(message) {
			r := &l.Rungs[len(l.Rungs)-1]
			r.Messages = append(r.Messages, message)
			message++
		}
	}
	for _, line := range legend(s, Options{Width: text.Usual}) {
		l.Legend = append(l.Legend, line...)
	}
	for _, paragraph := range s.ending() {
		l.Ending = append(l.Ending, text.Clean(paragraph))
	}
	return l
}

// rung returns an item, of a connection that was opened at start.
func (it *item) rung(start time.Time) Rung {
	r := Rung{From: it.from, Name: text.Clean(it.name), Text: text.Clean(it.text), Key: text.Clean(it.key), Size: it.size,
		Encrypted: it.encrypted, Alarm: it.alarm, Beliefs: it.beliefs}
	if !it.time.IsZero() {
		at := it.time.Sub(start)
		ms := text.Milliseconds(at)
		r.At, r.Time = &ms, Elapsed(at)
	}
	if it.message != nil {
		r.Stage = stageOf(it.message)
	}
	for _, check := range it.checks {
		r.Checks = append(r.Checks, CheckWords{check.Result, text.Clean(checked(check, false))})
	}
	return r
}
