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
		{[]int{400, 421}, true, 421, 0},
		{[]int{400, 421}, false, 421, 0},
		{[]int{400, 421, 403}, true, 421, 0},
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

// An application's own 400 says nothing of the client, and hides no later 421.
// One by which nginx refuses a certificate does.
func TestProgressMisdirected(t *testing.T) {
	for title, want := range map[string]int{"400 Bad Request": 421, "400 The SSL certificate error": 400, "400 No required SSL certificate was sent": 400} {
		c := &Connection{}
		c.ClientAuth = true
		for _, answer := range []*httpwire.Message{{Status: 400, Headers: []httpwire.Header{{Name: "Server", Value: "nginx"}}, Begins: []byte("<title>" + title + "</title>")}, {Status: 421}} {
			c.Messages = append(c.Messages, &Message{From: endpoint.Client, HTTP: &httpwire.Message{Request: true}}, &Message{From: endpoint.Server, HTTP: answer})
		}
		if got := c.Progress().Answer; got == nil || got.HTTP.Status != want {
			t.Errorf("%s: %+v, want %d", title, got, want)
		}
	}
}

// A challenge is not the last word if the same request is answered otherwise
// later (RFC 9110 section 11.1).
func TestProgressChallenge(t *testing.T) {
	type exchange struct {
		target string
		status int
		scheme string // WWW-Authenticate
	}
	for name, test := range map[string]struct {
		said []exchange
		want int
	}{
		"met":                   {[]exchange{{"/", 200, ""}, {"/x", 401, "Basic realm=a"}, {"/x", 200, ""}}, 200},
		"met at first":          {[]exchange{{"/x", 401, "Digest realm=a"}, {"/x", 404, ""}}, 404},
		"not met":               {[]exchange{{"/x", 401, "Digest realm=a"}, {"/x", 503, ""}}, 401},
		"met in two steps":      {[]exchange{{"/x", 401, "NTLM"}, {"/x", 401, "NTLM TlRMTVNTUAAC"}, {"/x", 204, ""}}, 204},
		"met, and then refused": {[]exchange{{"/x", 401, "Negotiate"}, {"/x", 200, ""}, {"/y", 403, ""}}, 403},
		"a wrong password":      {[]exchange{{"/", 200, ""}, {"/x", 401, "Basic realm=a"}, {"/x", 401, "Basic realm=a"}}, 401},
		"and then forbidden":    {[]exchange{{"/x", 401, "Basic realm=a"}, {"/x", 403, ""}}, 403},
		"forbidden in the end":  {[]exchange{{"/x", 401, "NTLM"}, {"/x", 401, "NTLM TlRMTVNTUAAC"}, {"/x", 403, ""}}, 403},
		"forbidden elsewhere":   {[]exchange{{"/x", 401, "Basic realm=a"}, {"/y", 403, ""}}, 401},
		"no challenge, and 403": {[]exchange{{"/x", 401, ""}, {"/x", 403, ""}}, 403},
		"another resource":      {[]exchange{{"/x", 401, "Basic realm=a"}, {"/y", 200, ""}}, 401},
		"later than the answer": {[]exchange{{"/x", 200, ""}, {"/x", 401, "Basic realm=a"}}, 401},
		"no challenge":          {[]exchange{{"/x", 401, ""}, {"/x", 200, ""}}, 401},
	} {
		for _, stream := range []uint32{0, 2} { // HTTP/1, HTTP/2
			c := &Connection{}
			c.ClientAuth = true
			for i, said := range test.said {
				id := stream * uint32(i+1)
				response := &httpwire.Message{StreamID: id, Status: said.status}
				if said.scheme != "" {
					response.Headers = []httpwire.Header{{Name: "www-authenticate", Value: said.scheme}}
				}
				c.Messages = append(c.Messages, &Message{From: endpoint.Client, HTTP: &httpwire.Message{StreamID: id, Request: true, Method: "GET", Target: said.target}},
					&Message{From: endpoint.Server, HTTP: response})
			}
			p := c.Progress()
			if p.Answer == nil || p.Answer.HTTP.Status != test.want || (p.Refusal != nil) != httpwire.MayRefuse(test.want) {
				t.Errorf("%s: answer %+v, refusal %+v, want %d", name, p.Answer, p.Refusal, test.want)
			}
		}
	}
}

// An alert that answers the other side's end of the connection is not its
// cause.
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
