package prologue

import (
	"encoding/json"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
)

// MarshalJSON writes the prologue for lab explain --json.
func (p *Prologue) MarshalJSON() ([]byte, error) {
	v := struct {
		Protocol    string      `json:"protocol,omitempty"`
		ClientBytes int64       `json:"client_bytes"`
		ServerBytes int64       `json:"server_bytes"`
		Layers      []jsonLayer `json:"layers"`
	}{p.Name(), p.Bytes.Client, p.Bytes.Server, []jsonLayer{}}
	for _, l := range p.Layers {
		v.Layers = append(v.Layers, newJSONLayer(l))
	}
	return json.Marshal(v)
}

type jsonLayer struct {
	Protocol       string     `json:"protocol,omitempty"`
	Target         string     `json:"target,omitempty"`
	Source         string     `json:"source,omitempty"`
	Destination    string     `json:"destination,omitempty"`
	Asked          string     `json:"asked,omitempty"`
	Agreed         *bool      `json:"agreed,omitempty"` // nil where nothing was asked
	Refused        string     `json:"refused,omitempty"`
	Demanded       string     `json:"demanded,omitempty"`
	WentOn         bool       `json:"went_on,omitempty"`
	ClientMessages int        `json:"client_messages"`
	ServerMessages int        `json:"server_messages"`
	Lines          []jsonStep `json:"lines"`
}

type jsonStep struct {
	From endpoint.Side `json:"from"`
	Time string        `json:"time,omitempty"`
	Text string        `json:"text"`
}

func newJSONLayer(l *Layer) jsonLayer {
	v := jsonLayer{
		Protocol: l.Protocol, Target: l.Target, Source: l.Source, Destination: l.Destination,
		Asked: l.Asked, Refused: l.Refused, Demanded: l.Demanded, WentOn: l.WentOn,
		ClientMessages: l.Messages.Client, ServerMessages: l.Messages.Server, Lines: []jsonStep{},
	}
	if l.Asked != "" {
		v.Agreed = &l.Agreed
	}
	for _, s := range l.Steps {
		step := jsonStep{From: s.From, Text: s.Text}
		if !s.Time.IsZero() {
			step.Time = s.Time.UTC().Format(text.TimeLayout)
		}
		v.Lines = append(v.Lines, step)
	}
	return v
}
