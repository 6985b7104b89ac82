package web

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/check"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// KeepBytes is how many bytes of each side's stream the page shows: far more
// than a handshake has.
const KeepBytes = 32 << 10

// detail is all that the page shows of one exchange.
type detail struct {
	row
	File   string           `json:"file"` // what files of it are called, without their ending
	Lesson []Paragraph      `json:"lesson,omitempty"`
	Wire   *verdict.Account `json:"wire,omitempty"`  // as lab explain --json has it
	Alike  []string         `json:"alike,omitempty"` // scenarios that look the same as that of Wire
	Ladder *ladder.Ladder   `json:"ladder,omitempty"`
	// Plain are the bytes of each message of Wire, in hexadecimal, to which its
	// fields refer; Inner those of a certificate that was sent compressed.
	Plain []string `json:"plain,omitempty"`
	Inner []string `json:"inner,omitempty"`
	// Streams are the first bytes of each side as they crossed the wire, to which
	// the records of Wire refer, in hexadecimal.
	Streams      endpoint.Pair[string]              `json:"streams"`
	Certificates endpoint.Pair[[]check.Certificate] `json:"certificates"`
	Arithmetic   []tlsdecrypt.Term                  `json:"arithmetic,omitempty"` // without secrets
	Capture      bool                               `json:"capture,omitempty"`    // it can be had as one
}

// detail returns all of an exchange.
func (p *Page) detail(x *Exchange) detail {
	d := detail{row: x.row(), File: x.fileName()}
	if x.Lesson != nil && p.options.About == nil {
		d.Lesson = x.Lesson.Text
	}
	c := x.Wire
	if c == nil {
		return d
	}
	x.reading.Lock()
	defer x.reading.Unlock()
	c.Check(x.Trust)
	if x.Ladder.Stream {
		d.Title = text.Clean(x.Ladder.Name(c))
	}
	scenario := ""
	if p.options.Showing != nil {
		scenario, d.Alike = p.options.Showing(&x.Verdict, c)
	}
	told := *c
	told.Comments = nil // the verdict says it
	l := ladder.Of(&told, &x.Verdict, x.Ladder)
	d.Ladder = &l
	d.Wire = &verdict.Account{Connection: c, Verdict: &x.Verdict, Scenario: scenario}
	for _, m := range c.Messages {
		d.Plain = append(d.Plain, hex.EncodeToString(plain(m)))
		inner := ""
		if m.Inner != nil {
			inner = hex.EncodeToString(m.Inner.Raw)
		}
		d.Inner = append(d.Inner, inner)
	}
	for side, kept := range c.Kept.All() {
		*d.Streams.Of(side) = hex.EncodeToString(*kept)
	}
	d.Certificates, d.Arithmetic, d.Capture = certificates(c), tlsdecrypt.Hidden(c.Arithmetic()), canRecord(c)
	return d
}

// plain are the bytes of a message, of long data the first ones.
func plain(m *tlsdecrypt.Message) []byte {
	switch {
	case m.Handshake != nil:
		return m.Handshake.Raw
	case m.Alert != nil:
		return m.Alert.Marshal()
	}
	return m.Data
}

// certificates are those that each side has shown last, its own first.
func certificates(c *tlsdecrypt.Connection) (shown endpoint.Pair[[]check.Certificate]) {
	for _, m := range c.Messages {
		ders, ok := m.Certificates()
		if !ok {
			continue
		}
		at := m.Time
		if at.Unix() <= 0 { // the capture does not say when it was made
			at = time.Now()
		}
		var chain []check.Certificate
		for _, der := range ders {
			if cert, err := tlswire.ParseCertificate(der); err == nil {
				chain = append(chain, check.Describe(cert, at))
			}
		}
		*shown.Of(m.From) = chain
	}
	return shown
}

// exchange answers with all of an exchange.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request) {
	x := s.find(r)
	if x == nil {
		http.Error(w, gone, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encode(s.page.detail(x)))
}

// secrets answers with the arithmetic of an exchange, secrets and all.
func (s *Server) secrets(w http.ResponseWriter, r *http.Request) {
	x := s.find(r)
	if x == nil || x.Wire == nil {
		http.Error(w, gone, http.StatusNotFound)
		return
	}
	x.reading.Lock()
	terms := x.Wire.Arithmetic()
	x.reading.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encode(terms))
}

// gone is said of an exchange that is not there.
const gone = "This exchange is not here, or no more: only the last 1,000 are kept."

// find returns the exchange that a request is for; nil: there is none.
func (s *Server) find(r *http.Request) *Exchange {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return nil
	}
	return s.page.exchanges.find(id)
}

// OfConnection returns the exchange that a connection in a capture is, as far
// as the wire shows it.
func OfConnection(c *tlsdecrypt.Connection, v *verdict.Verdict) *lab.Exchange {
	x := &lab.Exchange{
		Number: c.Number, Time: c.Opened.UTC(), ClientAddr: c.Client.String(), ServerAddr: c.Server.String(), Verdict: *v, Wire: c,
		TLS: lab.TLS{ALPN: c.ALPN, ServerName: c.ServerName, Resumed: c.Resumption != tlsdecrypt.FullHandshake},
	}
	if c.Version != 0 {
		x.TLS.Version, x.TLS.CipherSuite = c.Version.String(), c.CipherSuite.String()
	}
	if c.Group != 0 {
		x.TLS.Group = c.Group.String()
	}
	shown := certificates(c)
	for side, party := range map[endpoint.Side]*lab.Party{endpoint.Client: &x.Client, endpoint.Server: &x.Server} {
		if chain := *shown.Of(side); len(chain) > 0 {
			party.Certificate = chain[0].Subject
		}
	}
	if all := c.Statuses(); len(all) > 0 {
		x.HTTP = &lab.HTTP{Status: all[0], Also: all[1:]}
	}
	x.DurationMS = text.Milliseconds(c.Duration())
	return x
}
