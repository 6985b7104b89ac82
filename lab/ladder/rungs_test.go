package ladder

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// of is the ladder of a recorded connection.
func of(t *testing.T, name string, withKeys bool) (Ladder, *tlsdecrypt.Connection) {
	t.Helper()
	c := replay(t, name, withKeys)
	v := verdict.Judge(nil, nil, 0, c)
	return Of(c, &v, Options{}), c
}

// A ladder has every message once, in order, and the words of the drawing.
func TestRungs(t *testing.T) {
	for _, name := range []string{"tls13-mutual", "tls12-mutual"} {
		for _, withKeys := range []bool{true, false} {
			l, c := of(t, name, withKeys)
			var messages []int
			for _, r := range l.Rungs {
				messages = append(messages, r.Messages...)
			}
			want := make([]int, len(c.Messages))
			for i := range want {
				want[i] = i
			}
			if !slices.Equal(messages, want) {
				t.Errorf("%s, keys %v: the rungs have the messages %v of %d", name, withKeys, messages, len(want))
			}
			drawn := sentences(draw(t, c, Options{}))
			for _, r := range l.Rungs {
				if r.Text != "" && !strings.Contains(drawn, sentences(r.Text)) {
					t.Errorf("%s, keys %v: not drawn: %s", name, withKeys, r.Text)
				}
			}
		}
	}
}

// beliefsOf are how good what a side knows is, each kind once in a row.
func beliefsOf(l Ladder, side endpoint.Side) (kinds []BeliefKind) {
	for _, r := range l.Rungs {
		kinds = append(kinds, r.Beliefs.Of(side).Kind)
	}
	return slices.Compact(kinds)
}

// A client of TLS 1.3 believes that it is in before the server has judged its
// certificate; one of TLS 1.2 does not.
func TestBeliefs(t *testing.T) {
	l, _ := of(t, "tls13-mutual", true)
	if got, want := beliefsOf(l, endpoint.Client), []BeliefKind{Nothing, Shown, Knows, Believes, Knows}; !slices.Equal(got, want) {
		t.Errorf("TLS 1.3: the client goes through %v, want %v", got, want)
	}
	i := slices.IndexFunc(l.Rungs, func(r Rung) bool { return r.Beliefs.Client.Kind == Believes })
	if got, want := l.Rungs[i].Beliefs.Server.Text, "has not judged the certificate of CN=client yet"; got != want {
		t.Errorf("while the client believes that it is in, the server %q, want %q", got, want)
	}
	if got, want := l.Rungs[len(l.Rungs)-1].Beliefs.Server.Text, "knows the client as CN=client"; got != want {
		t.Errorf("in the end the server %q, want %q", got, want)
	}
	l, _ = of(t, "tls12-mutual", true)
	if slices.Contains(beliefsOf(l, endpoint.Client), Believes) {
		t.Errorf("TLS 1.2: the client goes through %v", beliefsOf(l, endpoint.Client))
	}
	l, _ = of(t, "tls13-expired-client", true)
	last := l.Rungs[len(l.Rungs)-1].Beliefs
	if got, want := last.Client.Text, "learns only now: certificate_expired, says the server"; got != want {
		t.Errorf("of a client that is refused: %q, want %q", got, want)
	}
	if got, want := last.Server.Text, "has ended it: certificate_expired"; got != want {
		t.Errorf("of the server that refuses it: %q, want %q", got, want)
	}
}

// A client that refuses the server's certificate is not said to know the
// server, although the server has the key.
func TestBeliefsOfRefusedServer(t *testing.T) {
	l, _ := of(t, "tls13-untrusted-server", true)
	if got, want := beliefsOf(l, endpoint.Client), []BeliefKind{Nothing, Shown, Ended}; !slices.Equal(got, want) {
		t.Errorf("a client that refuses the server goes through %v, want %v", got, want)
	}
	proven := Belief{Shown, "was shown CN=server, and proof that the server holds its key"}
	if !slices.ContainsFunc(l.Rungs, func(r Rung) bool { return r.Beliefs.Client == proven }) {
		t.Errorf("no rung at which the client %s", proven.Text)
	}
}

// is reports of a message whether a side sent it and it has this type.
func is(typ tlswire.HandshakeType, from endpoint.Side) func(*tlsdecrypt.Message) bool {
	return func(m *tlsdecrypt.Message) bool {
		return m.From == from && m.Handshake != nil && m.Body().Type() == typ
	}
}

// A client that hangs up before it has said anything of the server's messages
// may not have read them.
func TestBeliefsOfLeaver(t *testing.T) {
	c := replay(t, "tls13-mutual", true)
	i := slices.IndexFunc(c.Messages, is(tlswire.TypeFinished, endpoint.Server))
	c.Messages, c.EndedBy, c.End = c.Messages[:i+1], endpoint.Client, tlsdecrypt.Closed
	c.EndedAt = c.Messages[i].Time.Add(time.Millisecond)
	v := verdict.Judge(nil, nil, 0, c)
	l := Of(c, &v, Options{})
	if got, want := beliefsOf(l, endpoint.Client), []BeliefKind{Nothing}; !slices.Equal(got, want) {
		t.Errorf("a client that hangs up goes through %v, want %v", got, want)
	}
	if drawn := sentences(draw(t, c, Options{})); strings.Contains(drawn, "the client now knows") || strings.Contains(drawn, "both sides now have") || !strings.Contains(drawn, "by now the client could know") {
		t.Errorf("%s", drawn)
	}
}

// A server that sends a ticket before the client's Finished, as Go's do, has
// judged the client's certificate.
func TestBeliefsOfEarlyTicket(t *testing.T) {
	c := replay(t, "tls13-mutual", true)
	finished := slices.IndexFunc(c.Messages, is(tlswire.TypeFinished, endpoint.Client))
	body := &tlswire.NewSessionTicket{}
	c.Messages = slices.Insert(c.Messages, finished, &tlsdecrypt.Message{From: endpoint.Server, Time: c.Messages[finished].Time,
		Type: tlswire.ContentTypeHandshake, Handshake: &tlswire.Handshake{Type: body.Type(), Body: body}})
	v := verdict.Judge(nil, nil, 0, c)
	l := Of(c, &v, Options{})
	if slices.ContainsFunc(l.Rungs, func(r Rung) bool { return strings.Contains(r.Beliefs.Server.Text, "has not judged") }) {
		t.Error("the server has not judged yet, although it has sent a ticket")
	}
	if drawn := sentences(draw(t, c, Options{})); strings.Contains(drawn, "Only now does the server judge") {
		t.Errorf("%s", drawn)
	}
}

// An alert that crosses the client's request is read after that.
func TestBeliefsOfCrossedAlert(t *testing.T) {
	c := replay(t, "tls13-no-certificate", true)
	alert := slices.IndexFunc(c.Messages, func(m *tlsdecrypt.Message) bool { return m.From == endpoint.Server && m.Alert != nil })
	request := slices.IndexFunc(c.Messages, (*tlsdecrypt.Message).IsRequest)
	if request < 0 || alert < request {
		t.Fatalf("the alert is message %d, the request %d", alert, request)
	}
	c.Messages[alert], c.Messages[request] = c.Messages[request], c.Messages[alert]
	v := verdict.Judge(nil, nil, 0, c)
	l := Of(c, &v, Options{})
	for _, r := range l.Rungs {
		if slices.Contains(r.Messages, request) && r.Beliefs.Client.Kind != Believes {
			t.Errorf("at the alert, before its request, the client %s", r.Beliefs.Client.Text)
		}
	}
	if last := l.Rungs[len(l.Rungs)-1].Beliefs.Client; last.Kind != Ended {
		t.Errorf("in the end the client %s", last.Text)
	}
}
