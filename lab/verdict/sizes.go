package verdict

import (
	"slices"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// Without keys, all that follows ServerHello in TLS 1.3 is records whose sizes
// can be seen (RFC 9846 section 5.2). An alert, an empty Certificate and a
// Finished have sizes of their own. Where some of the keys are known, what they
// open counts before what sizes show.

// The sizes, in bytes of plaintext.
const (
	alertSize            = 2
	emptyCertificateSize = 4 + 1 + 3 // type and length, context, list
	maxRecordSize        = 1 << 14
)

// padding is how a side pads its records (RFC 9846 section 5.4). The zero
// padding is none.
type padding struct {
	add      int // bytes to each record, as Java does
	multiple int // up to a multiple of this size, the content type counted, as mbedTLS and OpenSSL do
}

// paddings are those that are looked for.
func paddings() []padding {
	all := []padding{{}}
	for m := 16; m <= maxRecordSize; m *= 2 {
		all = append(all, padding{multiple: m})
	}
	return append(all, padding{add: 16})
}

// of returns the size, without the content type, of n bytes that are padded.
func (p padding) of(n int) int {
	n += p.add
	if p.multiple > 0 {
		n = (n+p.multiple)/p.multiple*p.multiple - 1
	}
	return n
}

// fits reports whether a record may have been padded so.
func (p padding) fits(r sealedRecord) bool {
	return r.size >= p.add && (p.multiple == 0 || (r.size+1)%p.multiple == 0 || r.size == maxRecordSize)
}

// blurs reports whether messages longer than an alert have its size too.
func (p padding) blurs() bool { return p.multiple > 16 }

// sealedRecord is an encrypted record.
type sealedRecord struct {
	from endpoint.Side
	size int // of its plaintext, padding counted
	at   time.Time
}

// yesNo is an answer to what sizes may show.
type yesNo int

// The answers.
const (
	unclear yesNo = iota
	yes
	no
)

// sizes is what the sizes of a TLS 1.3 connection's encrypted records show.
type sizes struct {
	client        []sealedRecord // the client's
	afterFinished []sealedRecord // those after its Finished
	replies       []sealedRecord // the server's after the client's first

	finished     int     // the size of Finished
	padding      padding // of the server's records
	flightAlert  bool    // the server's last record before the client's first has the size of an alert
	clientPads   padding
	sentFinished yesNo // the client
	asked        yesNo // the client was asked for a certificate
	empty        bool  // and sent none
	requests     int   // the client's records after its Finished that are no alerts
	spoke        bool  // the client, after its Finished and before the server left

	firstAlert  int           // the place in replies of the first of those at the end that have the size of an alert
	clientLeft  time.Time     // by a record of an alert's size at its end, or by closing; zero: it did not
	serverLeft  time.Time     // likewise
	leaver      endpoint.Side // who was the first of the two
	helloTook   time.Duration // from ClientHello to ServerHello
	clientSpoke time.Time     // the client's last record before the server left
}

// sizes measures the encrypted records.
func (w *wire) sizes() *sizes {
	info := w.CipherSuite.Info()
	s := &sizes{finished: 4 + 32, helloTook: w.helloTook()}
	if info.Hash == "SHA384" {
		s.finished = 4 + 48
	}
	var flight []sealedRecord // the server's first
	end := -1                 // the client's record with its Finished, if that was opened
	var measured endpoint.Pair[int64]
	for _, m := range w.Messages {
		if !isSealed(m) {
			continue
		}
		for i, span := range m.Records {
			if !m.Encrypted && span.Offset < *measured.Of(m.From) { // it carries an earlier message too
				continue
			}
			*measured.Of(m.From) = span.Offset + int64(span.Length)
			r := sealedRecord{m.From, span.Length - tlswire.RecordHeaderLen - info.TagLen - 1, m.Time} // and the content type
			if i == 0 && !m.Began.IsZero() {
				r.at = m.Began
			}
			switch {
			case r.from == endpoint.Client:
				s.client = append(s.client, r)
			case len(s.client) > 0:
				s.replies = append(s.replies, r)
			default:
				flight = append(flight, r)
			}
		}
		if m.From == endpoint.Client && end < 0 && m.Handshake != nil && m.Handshake.Type == tlswire.TypeFinished {
			end = len(s.client) - 1
		}
	}
	s.padding, _ = s.findFinished(flight)
	if n := len(flight); n > 0 && s.isAlert(flight[n-1]) {
		s.flightAlert = w.EndedBy != endpoint.Client || flight[n-1].at.Before(w.EndedAt) // after that it is an answer
	}
	s.readClient(end, w.request != nil || w.shown.Client.seen)
	if w.shown.Client.seen {
		s.empty = w.shown.Client.empty
	}
	s.findLeaver(w)
	return s
}

// isSealed reports whether a message came in records that are encrypted under
// the keys of the handshake or of what follows it.
func isSealed(m *tlsdecrypt.Message) bool {
	if m.Encrypted {
		return m.Type == tlswire.ContentTypeApplicationData
	}
	return m.Key.Secret != "" && m.Key.Secret != "client_early_traffic_secret"
}

// findFinished returns how a side's records are padded and which is its
// Finished, by the first record that may be that; -1: none, as of a side that
// sends more than one message in a record.
func (s *sizes) findFinished(records []sealedRecord) (padding, int) {
	for _, p := range paddings() {
		i := slices.IndexFunc(records, func(r sealedRecord) bool { return r.size == p.of(s.finished) })
		if i >= 0 && !slices.ContainsFunc(records, func(r sealedRecord) bool { return !p.fits(r) }) {
			return p, i
		}
	}
	return padding{}, -1
}

// readClient finds the end of the client's flight, and what it had to answer.
// opened is the record with its Finished, if there was a key for that, or -1.
// asked reports that the client is known to have been asked for a certificate:
// then its first message is Certificate.
func (s *sizes) readClient(opened int, asked bool) {
	sum := 0
	for _, r := range s.client {
		sum += r.size
	}
	if sum < s.finished {
		s.sentFinished = no
		return
	}
	p, end := s.findFinished(s.client)
	if end == 0 && asked && len(s.client) > 1 {
		if _, later := s.findFinished(s.client[1:]); later >= 0 {
			end = later + 1
		}
	}
	s.clientPads = p
	switch {
	case opened >= 0:
		s.sentFinished, s.asked, end = yes, no, opened
		if asked {
			s.asked = yes
		}
	case end == 0 && asked && !p.blurs():
		s.sentFinished, s.asked = unclear, yes
	case p.blurs(): // its Finished, its alert and an empty Certificate have one size
		if len(s.client) > 1 {
			s.sentFinished = yes
		}
		end = 0
	case end >= 0:
		s.sentFinished, s.asked = yes, no
		if end > 0 {
			s.asked, s.empty = yes, end == 1 && s.client[0].size == p.of(emptyCertificateSize)
		}
	case s.client[0].size == emptyCertificateSize+s.finished:
		s.sentFinished, s.asked, s.empty = yes, yes, true
		end = 0
	default: // joined, or padded
		for end = 0; end < len(s.client)-1 && s.client[end].size >= maxRecordSize-256; {
			end++
		}
		s.sentFinished = yes
		if !slices.ContainsFunc(s.client, func(r sealedRecord) bool { return (r.size+1)%16 != 0 }) {
			s.sentFinished = unclear
			break
		}
		if s.client[0].size > 2*s.finished {
			s.asked = yes
		}
	}
	s.afterFinished = s.client[end+1:]
	for i, r := range s.afterFinished {
		if !s.isAlert(r) || i < len(s.afterFinished)-1 && !s.clientPads.blurs() { // an alert ends what a side sends
			s.requests++
		}
	}
}

// pause is a time after the client's flight in which a server has judged it.
const pause = 20 * time.Millisecond

// paused reports whether the server ended the connection so long after the
// client's flight, which goes out at once, that it did more than judge it: it
// had answered ClientHello many times faster.
func (s *sizes) paused() (took time.Duration, ok bool) {
	if len(s.client) == 0 || s.serverLeft.IsZero() {
		return 0, false
	}
	took = s.serverLeft.Sub(s.client[0].at)
	return took, took >= pause && took >= 10*s.helloTook
}

// helloTook returns how long the server took to answer ClientHello, in the
// capture.
func (w *wire) helloTook() time.Duration {
	var asked time.Time
	for _, m := range w.Messages {
		switch {
		case m.Encrypted:
			return 0
		case m.From == endpoint.Client:
			asked = m.Time
		case !asked.IsZero():
			return m.Time.Sub(asked)
		}
	}
	return 0
}

// findLeaver finds who was the first to end the connection.
func (s *sizes) findLeaver(w *wire) {
	if n := len(s.afterFinished); n > 0 && s.isAlert(s.afterFinished[n-1]) && !s.clientPads.blurs() {
		s.clientLeft = s.afterFinished[n-1].at
	}
	s.firstAlert = len(s.replies)
	for s.firstAlert > 0 && s.isAlert(s.replies[s.firstAlert-1]) {
		s.firstAlert--
	}
	if s.firstAlert < len(s.replies) {
		s.serverLeft = s.replies[s.firstAlert].at
	}
	earlier := func(left *time.Time) {
		if left.IsZero() || w.EndedAt.Before(*left) {
			*left = w.EndedAt
		}
	}
	switch w.EndedBy {
	case endpoint.Client:
		earlier(&s.clientLeft)
	case endpoint.Server:
		earlier(&s.serverLeft)
	}
	switch {
	case w.End == tlsdecrypt.EndedBetween:
	case !s.clientLeft.IsZero() && (s.serverLeft.IsZero() || s.clientLeft.Before(s.serverLeft) || s.clientLeft.Equal(s.serverLeft)): // a tie proves nothing of the server
		s.leaver = endpoint.Client
	case !s.serverLeft.IsZero():
		s.leaver = endpoint.Server
	}
	for _, r := range s.client {
		if s.serverLeft.IsZero() || r.at.Before(s.serverLeft) {
			s.clientSpoke = r.at
		}
	}
	s.spoke = s.requests > 0 || len(s.afterFinished) > 0 && s.leaver == endpoint.Server && s.afterFinished[0].at.Before(s.serverLeft)
}

// isAlert reports whether a record has the size of an alert.
func (s *sizes) isAlert(r sealedRecord) bool {
	p := s.padding
	if r.from == endpoint.Client {
		p = s.clientPads
	}
	return r.size == alertSize || r.size == p.of(alertSize)
}

// soundsAlarm reports whether all records of the client have the size of an
// alert, padded in some way.
func (s *sizes) soundsAlarm() bool {
	for _, r := range s.client {
		if !slices.ContainsFunc(paddings(), func(p padding) bool { return r.size == p.of(alertSize) }) {
			return false
		}
	}
	return true
}

// goesOn reports whether the server sent after the client's first record what
// is no alert: session tickets or data.
func (s *sizes) goesOn() bool { return s.firstAlert > 0 }

// alerts is how many records of an alert's size are all that the server sent
// after the client's first record; 0 if there is more, or nothing.
func (s *sizes) alerts() int {
	if s.goesOn() {
		return 0
	}
	return len(s.replies)
}

// waited is how long the client had been silent when the server ended the
// connection.
func (s *sizes) waited() time.Duration {
	if s.clientSpoke.IsZero() || s.serverLeft.IsZero() {
		return 0
	}
	return s.serverLeft.Sub(s.clientSpoke)
}
