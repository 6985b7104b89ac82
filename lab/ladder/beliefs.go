package ladder

import (
	"fmt"
	"slices"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// Belief is what a side knows at a moment, or takes for granted.
type Belief struct {
	Kind BeliefKind `json:"kind"`
	Text string     `json:"text"`
}

// BeliefKind is how good a belief is.
type BeliefKind string

// The kinds.
const (
	Nothing  BeliefKind = "nothing"  // nothing is known of the other side
	Shown    BeliefKind = "shown"    // it was shown a certificate that is not proven, or not judged
	Knows    BeliefKind = "knows"    // it is proven
	Believes BeliefKind = "believes" // a client of TLS 1.3 believes that it is in
	Ended    BeliefKind = "ended"    // an alert has ended the connection
)

// seen is what of a connection has been told so far, for beliefs.
type seen struct {
	serverHello, request bool // ServerHello and CertificateRequest
	alert, judged        bool // what Progress has of it
	told                 bool // the client has read the alert, or sent it: it says nothing more
	answered             int  // the status of the last answer
	items                int  // that have their beliefs
}

// believe gives the items that a message has led to what each side knows after
// it.
func (s *story) believe(m *tlsdecrypt.Message) {
	if m.Handshake != nil {
		switch body := m.Handshake.Body.(type) {
		case *tlswire.ServerHello:
			s.seen.serverHello = s.seen.serverHello || !body.IsHelloRetryRequest()
		case *tlswire.CertificateRequest, *tlswire.CertificateRequestTLS12:
			s.seen.request = true
		}
	}
	s.seen.alert = s.seen.alert || m == s.progress.Alert
	s.seen.told = s.seen.told || s.seen.alert && !s.clientGoesOn(m)
	if m.IsAnswer() {
		s.seen.answered = m.HTTP.Status
	}
	s.seen.judged = s.seen.judged || s.ahead
	for _, judgement := range s.progress.Judgements {
		s.seen.judged = s.seen.judged || m == judgement
	}
	s.shareBeliefs()
}

// shareBeliefs gives the items without beliefs those of this moment.
func (s *story) shareBeliefs() {
	now := endpoint.Pair[Belief]{Client: s.clientBelief(), Server: s.serverBelief()}
	for ; s.seen.items < len(s.items); s.seen.items++ {
		s.items[s.seen.items].beliefs = now
	}
}

// clientBelief is what the client knows.
func (s *story) clientBelief() Belief {
	server := s.server.subject()
	switch {
	case s.seen.told:
		return s.endedBelief(endpoint.Client)
	case s.leaves() && s.seen.serverHello:
		return Belief{Nothing, "may not have read what the server sends"}
	case s.seen.answered != 0:
		return Belief{Knows, fmt.Sprintf("has its answer: %d", s.seen.answered)}
	case s.client.finished && s.tls13() && s.seen.judged && !s.seen.alert:
		return Belief{Knows, "is in: the server goes on"}
	case s.client.finished && s.tls13():
		return Belief{Believes, "believes that it is in: its handshake is done"}
	case s.client.finished && s.server.finished:
		return Belief{Knows, "knows that the handshake is done"}
	case s.server.finished && s.c.Resumption != tlsdecrypt.FullHandshake:
		return Belief{Knows, "knows the server by the secret of before"}
	case s.server.proof == tlsdecrypt.Holds && server != "" && s.refused():
		return Belief{Shown, "was shown " + server + ", and proof that the server holds its key"}
	case s.server.proof == tlsdecrypt.Holds && server != "":
		return Belief{Knows, "knows that the server holds the key of " + server}
	case s.server.shown && server != "":
		return Belief{Shown, "was shown " + server + ", which anybody can copy"}
	case s.seen.serverHello && s.tls13():
		return Belief{Nothing, "has keys with somebody, and does not know who it is"}
	case s.hellos > 0:
		return Belief{Nothing, "has said what it can do, and knows nothing of the server"}
	}
	return Belief{Nothing, "knows nothing of the server"}
}

// clientGoesOn reports whether the client sends data after a message: it has not
// read the alert then that crosses it.
func (s *story) clientGoesOn(m *tlsdecrypt.Message) bool {
	i := slices.Index(s.c.Messages, m)
	return slices.ContainsFunc(s.c.Messages[i+1:], func(later *tlsdecrypt.Message) bool {
		return later.From == endpoint.Client && later.Type == tlswire.ContentTypeApplicationData && later.Alert == nil
	})
}

// refused reports whether the server's certificate is worth nothing to the
// client, whoever holds its key.
func (s *story) refused() bool {
	return s.server.chain == tlsdecrypt.Fails || s.refuses(endpoint.Client)
}

// serverBelief is what the server knows.
func (s *story) serverBelief() Belief {
	client := s.client.subject()
	switch {
	case s.seen.alert:
		return s.endedBelief(endpoint.Server)
	case s.seen.judged:
		return s.judgedBelief()
	case s.client.finished && s.tls13() && s.client.empty():
		return Belief{Nothing, "sees only now that the client has no certificate"}
	case s.client.finished && s.tls13() && client != "":
		return Belief{Shown, "has not judged the certificate of " + client + " yet"}
	case s.client.proof == tlsdecrypt.Holds && client != "":
		return Belief{Shown, "was shown " + client + ", and proof that the client holds its key"}
	case s.client.empty() && !s.tls13():
		return Belief{Nothing, "was shown no certificate"}
	case client != "":
		return Belief{Shown, "was shown " + client + ", which anybody can copy"}
	case s.seen.request:
		return Belief{Nothing, "has asked for a certificate"}
	case s.hellos > 0:
		return Belief{Nothing, "knows what the client can do, and not who it is"}
	}
	return Belief{Nothing, "knows nothing of the client"}
}

// judgedBelief is what the server knows once it goes on after the client's
// Finished.
func (s *story) judgedBelief() Belief {
	client := s.client.subject()
	switch {
	case s.c.Resumption != tlsdecrypt.FullHandshake && client == "":
		return Belief{Knows, "knows the client by the secret of before"}
	case s.c.ByGivenKey() && client == "":
		return Belief{Knows, "knows that the client has the key that both were given"}
	case !s.c.ClientAuth:
		return Belief{Nothing, "goes on, and has not asked who the client is"}
	case client == "":
		return Belief{Nothing, "goes on without knowing who the client is"}
	case s.doubted() || s.client.chain == tlsdecrypt.Fails:
		return Belief{Shown, "goes on, whatever it thinks of the certificate of " + client}
	case s.client.chain == tlsdecrypt.Holds && s.ofOthers:
		return Belief{Shown, "goes on, and can know the client as " + client}
	case s.client.chain == tlsdecrypt.Holds:
		return Belief{Knows, "knows the client as " + client}
	}
	return Belief{Shown, "goes on, and was shown " + client}
}

// endedBelief is what a side knows once an alert has ended the connection.
func (s *story) endedBelief(side endpoint.Side) Belief {
	m := s.progress.Alert
	if m.From == side {
		return Belief{Ended, fmt.Sprintf("has ended it: %s", m.Alert.Description)}
	}
	said := "is told %s by the %s"
	if side == endpoint.Client && s.late(m) {
		said = "learns only now: %s, says the %s"
	}
	return Belief{Ended, fmt.Sprintf(said, m.Alert.Description, m.From)}
}
