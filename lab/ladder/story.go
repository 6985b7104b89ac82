package ladder

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// item is one thing to draw.
type item struct {
	from      endpoint.Side // Unknown: no arrow but a line across, or a problem
	time      time.Time
	name      string // on the arrow, or the text of the line across
	key       string // what protects it, in words
	encrypted bool
	alarm     bool   // it is bad news
	size      string // on the wire
	text      string // what it is for
	checks    []tlsdecrypt.Check
	message   *tlsdecrypt.Message   // nil for lines across and problems
	beliefs   endpoint.Pair[Belief] // after it; only where they are wanted
}

// party is what is known of one side.
type party struct {
	shown    bool              // there was a Certificate, empty or not
	chain    tlsdecrypt.Result // of that Certificate
	bare     bool              // it is a public key alone (RFC 7250)
	odd      bool              // it cannot be read
	leaf     *x509.Certificate // it, otherwise
	proof    tlsdecrypt.Result // of the signature made with the certificate's key
	ciphered bool              // it has sent ChangeCipherSpec
	finished bool
	http     bool // it has sent the head of an HTTP message
}

// story turns a connection into items: it knows at every message what was said
// before.
type story struct {
	c         *tlsdecrypt.Connection
	brief     bool // items are not wanted
	mark      func(*tlsdecrypt.Message) string
	items     []item
	client    party
	server    party
	verdict   *verdict.Verdict
	progress  tlsdecrypt.Progress
	below     bool                 // what to do stands above the drawing
	scenario  string               // that shows the same
	verbose   bool                 // all possible causes are listed
	more      string               // what lists them; "": --verbose
	hello     *tlswire.ClientHello // the last one
	hellos    int                  // ClientHellos so far
	again     bool                 // this is a renegotiation (RFC 5246 section 7.4.1.2)
	tickets   int
	goodbyes  endpoint.Pair[bool] // it sent close_notify
	switched  string              // the protocol that HTTP was left for (101); "": it was not
	explained bool                // what the group with the long name is
	ended     bool                // a side has ended the connection
	started   bool                // the client has made a false start
	ahead     bool                // the server has judged the client's certificate before its Finished, as Go's do: it sent a ticket
	ofOthers  bool                // a capture that the lab did not record: what the server has checked is not known
	named     string              // the CAs of which the server asks for a certificate
	problems  []tlsdecrypt.Problem
	seen      seen
}

// newStory returns the story of a connection.
func newStory(c *tlsdecrypt.Connection, v *verdict.Verdict, o Options) *story {
	s := &story{c: c, verdict: v, mark: o.note, progress: c.Progress(), problems: slices.Clone(c.Problems), ofOthers: o.Stream && len(c.Comments) == 0}
	s.prologue(c.Prologue)
	for i, m := range c.Messages {
		s.problemsBefore(m)
		s.endBefore(m)
		s.falseStart(m)
		if s.joins(i) {
			continue
		}
		it := item{from: m.From, time: m.Time, size: s.size(i), message: m, checks: m.Checks,
			key: keyWords(m.Key, m.From), encrypted: m.Encrypted || m.Key != (tlsdecrypt.Key{}) && c.CipherSuite.Info().Cipher != "NULL"}
		s.update(m)
		it.name, it.text, it.alarm = s.words(m)
		if m.Encrypted {
			it.name, it.text, it.key = sealed(s.row(i), s.c.Version), "", "key not known"
			if it.encrypted = !m.Incomplete; !it.encrypted {
				it.name, it.key = m.Type.String(), "bytes missing"
			}
		}
		s.items = append(s.items, it)
		s.turningPoint(m)
		if o.believing {
			s.believe(m)
		}
	}
	s.plainAnswer()
	for _, p := range s.problems {
		s.problem(p)
	}
	s.brokenOff()
	if o.believing {
		s.shareBeliefs()
	}
	return s
}

// sum makes the story without its items.
func (s *story) sum(c *tlsdecrypt.Connection, v *verdict.Verdict) {
	s.c, s.verdict, s.progress, s.brief = c, v, c.Progress(), true
	for _, m := range c.Messages {
		s.update(m)
	}
}

// update updates the story's state from a message. At the message that shows
// the server's judgement of the client it adds a line across.
func (s *story) update(m *tlsdecrypt.Message) {
	if !s.brief && slices.Contains(s.progress.Judgements, m) && s.c.ClientAuth && s.client.shown && m != s.progress.Alert {
		s.across("%s", s.nowKnowsClient())
	}
	s.remember(m)
}

func (s *story) tls13() bool { return s.c.Version >= tlswire.VersionTLS13 }

func (s *story) party(side endpoint.Side) *party {
	if side == endpoint.Server {
		return &s.server
	}
	return &s.client
}

// problemsBefore puts the problems before the message they are about. One that
// is about no place belongs before the first thing that could not be read.
func (s *story) problemsBefore(m *tlsdecrypt.Message) {
	s.problems = slices.DeleteFunc(s.problems, func(p tlsdecrypt.Problem) bool {
		here := m.Encrypted
		if p.Offset >= 0 && p.From == m.From && len(m.Records) > 0 {
			here = m.Records[0].Offset >= p.Offset
		} else if p.Offset >= 0 {
			here = p.From == endpoint.Client && s.c.NotTLSFrom == p.From // what came of it is the answer
		}
		if here {
			s.problem(p)
		}
		return here
	})
}

func (s *story) problem(p tlsdecrypt.Problem) {
	s.items = append(s.items, item{text: p.Text, alarm: true})
}

// falseStart adds a line across before the first data of a client that does not
// wait for the server's Finished (RFC 7918).
func (s *story) falseStart(m *tlsdecrypt.Message) {
	early := m.From == endpoint.Client && m.Type == tlswire.ContentTypeApplicationData && s.client.ciphered && !s.server.ciphered
	if early && !s.started && s.c.Version != 0 && !s.tls13() && !s.progress.Lacking {
		s.started = true
		s.across("false start: the client does not wait for the server's Finished (RFC 7918)")
	}
}

// endBefore adds a line across before the first message that a side sent
// although the other had ended the connection, unless it is an alert: that is
// how it ends, too.
func (s *story) endBefore(m *tlsdecrypt.Message) {
	by := s.c.EndedBy
	if s.ended || by == endpoint.Unknown || m.From == by || m.Time.Before(s.c.EndedAt) || m.Type == tlswire.ContentTypeAlert || m.Alert != nil || m.Encrypted && s.tls13() {
		return
	}
	s.ended = true
	how := "FIN"
	if s.c.EndedByReset {
		how = "RST"
	}
	s.across("the %s has ended the connection (%s) before this came", by, how)
}

// isBrokenOff reports whether a side refused the other, for all one can see,
// without an alert.
func (s *story) isBrokenOff() bool {
	v := s.verdict
	return v.How == verdict.Aborted || v.How == verdict.Probably && v.Outcome == verdict.Rejected && !s.progress.Hidden
}

// brokenOff draws who ended a connection in the handshake without an alert.
func (s *story) brokenOff() {
	by := s.c.EndedBy
	if s.ended || by == endpoint.Unknown || !s.isBrokenOff() || s.c.EndedAt.IsZero() {
		return
	}
	how := "closes (FIN)"
	if s.c.EndedByReset {
		how = "breaks off (RST)"
	}
	if !*s.goodbyes.Of(by) {
		how += ", without an alert"
	}
	s.items = append(s.items, item{from: by, time: s.c.EndedAt, name: fmt.Sprintf("the %s %s", by, how), alarm: true})
}

// across adds a line across.
func (s *story) across(format string, args ...any) {
	s.items = append(s.items, item{name: fmt.Sprintf(format, args...)})
}

// joins reports whether a message is a further one of a row that cannot be
// read, and is drawn with the first.
func (s *story) joins(i int) bool {
	if i == 0 {
		return false
	}
	m, before := s.c.Messages[i], s.c.Messages[i-1]
	return m.Encrypted && before.Encrypted && m.From == before.From && m.Type == before.Type && s.mark(m) == s.mark(before)
}

// row is the messages that are drawn together with the one at i.
func (s *story) row(i int) []*tlsdecrypt.Message {
	end := i + 1
	for end < len(s.c.Messages) && s.joins(end) {
		end++
	}
	return s.c.Messages[i:end]
}

// size says how many bytes of records carried a row, and when they are those
// of the message before.
func (s *story) size(i int) string {
	total := 0
	for _, m := range s.row(i) {
		for _, r := range m.Records {
			total += r.Length
		}
	}
	m := s.c.Messages[i]
	if i > 0 && total > 0 {
		before := s.c.Messages[i-1]
		if n := len(before.Records); before.From == m.From && n > 0 && len(m.Records) > 0 && before.Records[n-1] == m.Records[0] {
			return "same rec."
		}
	}
	return bytesOnWire(total)
}

// remember stores what a message shows of its sender.
func (s *story) remember(m *tlsdecrypt.Message) {
	p := s.party(m.From)
	p.ciphered = p.ciphered || m.Type == tlswire.ContentTypeChangeCipherSpec
	p.http = p.http || m.HTTP != nil
	if m.HTTP != nil && m.HTTP.Status == http.StatusSwitchingProtocols {
		s.switched = "other data"
		for _, h := range m.HTTP.Headers {
			if strings.EqualFold(h.Name, "Upgrade") {
				s.switched = short(h.Value)
			}
		}
	}
	*s.goodbyes.Of(m.From) = *s.goodbyes.Of(m.From) || m.Alert != nil && m.Alert.Description == tlswire.AlertCloseNotify
	if m.Handshake == nil {
		return
	}
	switch body := m.Body().(type) {
	case *tlswire.ClientHello:
		if m.From == endpoint.Server { // the client's own, back again
			return
		}
		s.hello = body
		s.hellos++
		if s.client.finished && s.server.finished {
			s.again, s.client.finished, s.server.finished = true, false, false
		}
	case *tlswire.CertificateRequest:
		s.client.finished = false // it is asked once more (RFC 9846 section 4.7.2)
	case *tlswire.NewSessionTicket:
		s.tickets++
		s.ahead = s.ahead || s.client.shown && !s.client.finished
	case *tlswire.NewSessionTicketTLS12:
		s.tickets++
	case *tlswire.RawPublicKeyTLS12:
		p.shown, p.bare = true, true
	case *tlswire.Certificate:
		if p.bare = body.CertificateType == tlswire.CertificateTypeRawPublicKey; p.bare {
			p.shown = true
			return
		}
		p.show(body.Chain())
		p.chain = resultOf(m, "chain")
	case *tlswire.CertificateTLS12:
		p.show(body.Certificates)
		p.chain = resultOf(m, "chain")
	case *tlswire.CertificateVerify:
		p.proof = resultOf(m, "signature")
	case *tlswire.ServerKeyExchange:
		if body.Signed != nil {
			p.proof = resultOf(m, "signature")
		}
	case *tlswire.Finished:
		p.finished = true
	}
}

func (p *party) show(chain [][]byte) {
	p.shown, p.bare, p.odd, p.leaf = true, false, false, nil
	if len(chain) == 0 {
		return
	}
	cert, err := tlswire.ParseCertificate(chain[0])
	p.leaf, p.odd = cert, err != nil
}

// empty reports whether a party sent a Certificate without a certificate.
func (p *party) empty() bool { return p.shown && p.subject() == "" }

// subject returns the subject of a party's certificate, or "".
func (p *party) subject() string {
	switch {
	case p.bare:
		return "a bare public key"
	case p.odd:
		return "the certificate's owner"
	case p.leaf != nil:
		return subjectOf(p.leaf)
	}
	return ""
}

// resultOf returns the result of a check of a message; Unknown if there is none.
func resultOf(m *tlsdecrypt.Message, subject string) tlsdecrypt.Result {
	if check := m.CheckOf(subject); check != nil {
		return check.Result
	}
	return tlsdecrypt.Unknown
}
