package tlsdecrypt

import (
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/tlswire"
)

// An interim response is no answer (RFC 9110 section 15.2). The first answer
// decides, unless a later one refuses the client for certain.
func TestProgressAnswer(t *testing.T) {
	for _, test := range []struct {
		statuses        []int
		asked           bool
		answer, refusal int // 0: none
	}{
		{nil, true, 0, 0},
		{[]int{100}, true, 0, 0},
		{[]int{103, 100, 200}, true, 200, 0},
		{[]int{100, 400}, true, 400, 400},
		{[]int{400}, false, 400, 0},
		{[]int{404, 400}, true, 404, 0},
		{[]int{404, 403}, true, 403, 403},
		{[]int{200, 421, 403}, true, 421, 0},
		{[]int{400, 403}, true, 403, 403},
		{[]int{401, 403}, true, 401, 401},
		{[]int{403, 200}, true, 403, 403},
	} {
		c := &Connection{}
		c.ClientAuth = test.asked
		c.Messages = append(c.Messages, &Message{From: endpoint.Client, HTTP: &httpwire.Message{Request: true}})
		for _, status := range test.statuses {
			c.Messages = append(c.Messages, &Message{From: endpoint.Server, HTTP: &httpwire.Message{Status: status}})
		}
		status := func(m *Message) int {
			if m == nil {
				return 0
			}
			return m.HTTP.Status
		}
		if p := c.Progress(); status(p.Answer) != test.answer || status(p.Refusal) != test.refusal {
			t.Errorf("%v: answer %d, refusal %d, want %d, %d", test.statuses, status(p.Answer), status(p.Refusal), test.answer, test.refusal)
		}
	}
}

// An alert that answers the other side's end of the connection is not its cause.
func TestProgressAlert(t *testing.T) {
	end := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		d     tlswire.AlertDescription
		from  endpoint.Side
		after time.Duration
		want  bool
	}{
		"before the end":            {tlswire.AlertDecodeError, endpoint.Server, -1, true},
		"after it":                  {tlswire.AlertDecodeError, endpoint.Server, 0, false},
		"of the side that ended it": {tlswire.AlertDecodeError, endpoint.Client, 0, true},
		"about a certificate":       {tlswire.AlertUnknownCA, endpoint.Server, 1, true},
		"close_notify":              {tlswire.AlertCloseNotify, endpoint.Server, -1, false},
	} {
		m := &Message{From: test.from, Time: end.Add(test.after), Alert: &tlswire.Alert{Level: tlswire.AlertFatal, Description: test.d}}
		c := &Connection{EndedBy: endpoint.Client, EndedAt: end, Messages: []*Message{m}}
		if got := c.Progress().Alert != nil; got != test.want {
			t.Errorf("%s: it is the cause: %v", name, got)
		}
	}
}
