package verdict

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// encrypted is why an outcome is not known.
const encrypted = "what would show it is encrypted, and its keys are missing"

// renegotiated is the reason where nothing but another handshake followed.
const renegotiated = "both sides sent Finished; then came another encrypted handshake message, as of a side that wants a second handshake (renegotiation), and no application data: whether the other side refused that is encrypted"

// hidden is the verdict on a connection whose keys are missing.
func (w *wire) hidden() Verdict {
	if w.Version >= tlswire.VersionTLS13 {
		return w.hiddenTLS13()
	}
	unknown := Verdict{Outcome: Unknown, Reason: encrypted, Fix: withKeys}
	switch {
	case w.Lacking || w.Omitted > 0:
	case !w.hasEnded() && w.finished.Client && w.finished.Server && !w.again:
		v := Verdict{Outcome: Accepted, How: Probably, Confirm: w.fixOfCapture(), Reason: "both sides sent Finished, after which TLS 1.2 has nothing left to judge"}
		if w.End != tlsdecrypt.EndedBetween {
			v.Reason += "; what came then is not in the capture"
		}
		return v
	case !w.hasEnded():
	case !*w.finished.Of(w.EndedBy):
		return w.aborted()
	case w.finished.Client && w.finished.Server && !w.data.Server && (!w.data.Client || !w.again):
		v := Verdict{Outcome: Accepted, How: Probably, Reason: "both sides sent Finished", Confirm: withKeys}
		switch {
		case w.again:
			v.Reason = renegotiated
		case w.data.Client:
			v.Reason += ", after which TLS 1.2 has nothing left to judge; the client sent application data, and the server none"
			w.reserve(&v)
			return v
		}
		w.addRefusal(&v)
		return v
	}
	return unknown
}

// hasEnded reports whether the capture shows who ended the connection.
func (w *wire) hasEnded() bool {
	return w.End != tlsdecrypt.StillOpen && w.End != tlsdecrypt.CutOff && w.EndedBy != endpoint.Unknown
}

// hiddenTLS13 is the verdict on a TLS 1.3 connection by the sizes, directions
// and order of its encrypted records and by who closed it. Each rule says what
// it goes by.
func (w *wire) hiddenTLS13() Verdict {
	s := w.sizes()
	switch {
	case w.Lacking:
		return undecided("")
	case w.early && !(w.Resumption == tlsdecrypt.ByPSK && s.asked == no && s.goesOn()): // early data comes first
		return undecided("; the client may have sent early data, whose size says nothing")
	case s.goesOn() && s.sentFinished != no:
		return w.probablyAccepted(s)
	case w.Omitted > 0:
		return undecided("")
	case s.sentFinished == no:
		return w.unfinished(s)
	case s.sentFinished == unclear:
		return undecided("; the records are padded, so that an alert has the size of other messages")
	case s.asked == no && s.leaver == endpoint.Server && s.alerts() > 0:
		return undecided("; " + w.unasked() + "; then the server sent a record of an alert's size: close_notify, or another alert")
	case s.asked == no: // so the server has nothing to judge (RFC 9846 section 4.4.2)
		return w.probablyAccepted(s)
	}
	return w.awaitingJudgement(s)
}

// unfinished is the verdict on a client that sent less than a Finished.
func (w *wire) unfinished(s *sizes) Verdict {
	switch {
	case !w.hasEnded() && len(s.client) == 0:
		return undecided("")
	case len(s.client) == 0 && w.EndedBy == endpoint.Server:
		v := w.aborted()
		if s.flightAlert && v.Code == Closed {
			v.How = ""
			v.because(Reason{Code: Other, Text: "the server ended the connection during the handshake: its last record has the size of an alert, which is encrypted"})
			v.Confirm = getKeys
		}
		return v
	case len(s.client) == 0 && s.flightAlert:
		return undecided("; the server's last record has the size of an alert, and the client closed without one")
	case len(s.client) == 0:
		why := closedBy(endpoint.Client, w.End == tlsdecrypt.ClientReset)
		why.Text += " and without Finished" + closedAfterCertificate
		return w.clientBrokeOff(Aborted, why)
	case !s.soundsAlarm() || w.EndedBy == endpoint.Server && !s.client[0].at.Before(w.EndedAt): // it may answer that
		return undecided("")
	}
	return w.clientBrokeOff(Probably, Reason{Code: RefusedByCertificate,
		Text: "in place of Finished the client sent a record of an alert's size: it refuses the server's certificate, which is encrypted"})
}

// clientBrokeOff is the verdict on a client that does not take what the server
// has shown.
func (w *wire) clientBrokeOff(how How, why Reason) Verdict {
	v := Verdict{Outcome: Rejected, How: how, RejectedBy: endpoint.Client}
	why.Causes = w.causes(endpoint.Client)
	v.because(why)
	v.Confirm = getKeys
	return v
}

// probablyAccepted is the verdict on a handshake that came to its end on both
// sides.
func (w *wire) probablyAccepted(s *sizes) Verdict {
	v := Verdict{Outcome: Accepted, How: Probably, Confirm: getKeys}
	unused := s.leaver == endpoint.Client && s.requests == 0
	switch {
	case s.goesOn() && s.requests > 0:
		v.Reason = "after its Finished the client sent application data, and the server records larger than an alert, such as session tickets or an answer: what is in them is encrypted"
	case s.goesOn() && s.leaver == endpoint.Client:
		v.Reason = "after the client's Finished the server sent records larger than an alert, such as session tickets"
	case s.goesOn():
		v.Reason = "after the client's Finished the server sent records larger than an alert, such as session tickets: what is in them is encrypted"
	case s.leaver == endpoint.Server && s.requests == 0:
		v.Reason = w.unasked() + "; after it the server closed before the client had sent a request"
	case s.leaver == endpoint.Server:
		v.Reason = w.unasked() + "; after it the server closed without an answer to what the client had sent"
	default:
		v.Reason = w.unasked()
	}
	switch {
	case !s.goesOn(), s.empty:
	case s.asked == no && w.Resumption == tlsdecrypt.FullHandshake:
		v.Reason += "; by the sizes the client was not asked for a certificate in the handshake"
	case s.asked == yes && s.requests > 0:
		v.Confirm = w.readAnswer() + v.Confirm
	}
	if unused {
		v.Reason += "; " + w.noRequest()
		if !w.showsNone() {
			v.Causes = w.lookedAtLater()
		}
	}
	if s.goesOn() && s.empty {
		w.reserveFor(&v, NoClientCertificate, noClientCertificate+", by the size of its Certificate")
	}
	return v
}

// unasked is why the client's Finished ended the handshake.
func (w *wire) unasked() string {
	if w.Resumption != tlsdecrypt.FullHandshake {
		return "the client sent its Finished, by its size, and in a session that is taken up no certificate is asked for"
	}
	return "the first that the client sent has the size of Finished: it was not asked for a certificate, and the handshake was done"
}

// lookedAtLater are the likeliest causes for which a client closes after the
// handshake.
func (w *wire) lookedAtLater() (causes []Cause) {
	all := w.causes(endpoint.Client)
	for _, code := range []Code{chain.WrongHost, chain.UnknownCA} {
		if i := slices.IndexFunc(all, func(c Cause) bool { return c.Code == code }); i >= 0 {
			causes = append(causes, all[i])
		}
	}
	return causes
}

// awaitingJudgement is the verdict on a client that sent its certificate, or
// that it has none, and to whom the server sent nothing more than alerts.
func (w *wire) awaitingJudgement(s *sizes) Verdict {
	alerts := s.alerts()
	took, paused := s.paused()
	switch {
	case !w.hasEnded() || s.leaver == endpoint.Unknown:
		return undecided("")
	case s.leaver == endpoint.Client:
		return w.leftBeforeJudgement(s)
	case s.waited() >= idle && s.requests == 0, s.waited() >= 3*idle:
		return undecided("; " + idleServer(s.waited()))
	case alerts > 0 && s.padding.blurs():
		return undecided("; the server's records are padded, so that its answer has the size of an alert")
	case paused && !w.speaksHTTP():
		v := undecided(fmt.Sprintf("; the server answered ClientHello in %v, and took %v after the client's flight: it refused the client late, or ended an exchange of few bytes",
			s.helloTook.Round(10*time.Microsecond), took.Round(time.Millisecond)))
		v.Causes = w.refusals(s)
		return v
	case alerts > 1 && s.spoke && !w.speaksHTTP() && !w.leavesUnread(s): // GnuTLS sends two
		v := undecided("; all that the server sent after the client's last flight has the size of alerts, or of as little data")
		v.Causes = w.refusals(s)
		return v
	case alerts > 0:
		return w.probablyRefused(s, "the server answered the client's last flight with a record of an alert's size, and closed")
	}
	if w.Prologue.ThroughProxy() {
		return undecided("; nothing came after the client's last flight: the server ended the connection, or the proxy")
	}
	return w.probablyRefused(s, "the server closed without a record after the client's last flight")
}

// leftBeforeJudgement is the verdict on a client that closed before the server
// had said anything: a refusal of its certificate comes too late to make it
// close. What comes then has the size of an alert, or there is nothing. Servers
// that take a certificate mostly send session tickets first.
func (w *wire) leftBeforeJudgement(s *sizes) Verdict {
	why := "; after its Finished, and before the server had said anything more, "
	ofItself := s.requests == 0 && !s.empty // openssl s_client without a certificate closes at the end of its input
	switch {
	case ofItself:
		why += w.left()
	case s.requests == 0:
		why += "the client closed without a request"
	default:
		why += "the client closed"
	}
	if s.alerts() > 0 {
		why += "; all that the server sent then has the size of an alert: a refusal of the client, or close_notify of a server that sends no session tickets"
	} else {
		why += "; no record shows whether the server takes the client"
	}
	if s.empty {
		why += "; the client's Certificate has the size of an empty one"
	}
	v := undecided(why)
	if ofItself && !w.showsNone() {
		v.Causes = w.lookedAtLater()
	}
	if s.alerts() > 0 {
		v.Causes = append(v.Causes, w.refusals(s)...)
	}
	return v
}

// speaksHTTP reports whether the client offers HTTP alone, whose answers are
// longer than an alert.
func (w *wire) speaksHTTP() bool {
	offers := w.OfferedALPN()
	return len(offers) > 0 && !slices.ContainsFunc(offers, func(name string) bool { return name != "h2" && name != "http/1.1" && name != "http/1.0" })
}

// leavesUnread reports whether the server reset the connection before the
// client answered: the kernel does so where a program closes a connection, and
// has not read all that came (RFC 2525 section 2.17).
func (w *wire) leavesUnread(s *sizes) bool {
	return w.End == tlsdecrypt.ServerReset && w.EndedBy == endpoint.Server && !s.client[len(s.client)-1].at.After(s.serverLeft)
}

// probablyRefused is the verdict on a client that gets no answer, by how the
// server ended the connection.
func (w *wire) probablyRefused(s *sizes, how string) Verdict {
	v := Verdict{Outcome: Rejected, How: Probably, RejectedBy: endpoint.Server}
	why := Reason{Code: RefusedByCertificate, Causes: w.refusals(s)}
	switch {
	case s.empty:
		why = Reason{Code: NoClientCertificate, Text: "the client sent no certificate: its Certificate has the size of an empty one, and " + how}
	case s.asked == unclear:
		why.Text = "the server refuses the client: " + how + "; whether the client sent a certificate is encrypted, and its records are padded or joined"
	default:
		why.Text = "the server refuses the client's certificate: " + how + "; why is encrypted"
	}
	v.because(why)
	v.Confirm = getKeys
	return v
}

// refusals are what may be behind a refusal of the client, by the size of its
// Certificate.
func (w *wire) refusals(s *sizes) (causes []Cause) {
	for _, cause := range w.causes(endpoint.Server) {
		if s.asked == unclear || s.empty == (cause.Code == NoClientCertificate) {
			causes = append(causes, cause)
		}
	}
	return causes
}

// undecided is the verdict where more than one outcome has the same sizes.
func undecided(why string) Verdict {
	return Verdict{Outcome: Unknown, Reason: encrypted + why, Fix: getKeys}
}

// What to do where keys would show what became of a connection, and where TLS
// 1.3 hides it.
const (
	withKeys = "record it again with the keys of one of the two programs (SSLKEYLOGFILE, or lab exec -- PROGRAM)"
	getKeys  = withKeys + ", or once with TLS 1.2, in which certificates and alerts can be read"
)

// AdviseUnlogged replaces the advice to record a connection with keys, for those
// who have just had the program log them.
func (v *Verdict) AdviseUnlogged(instead string) {
	for _, advice := range []*string{&v.Fix, &v.Confirm} {
		*advice = strings.Replace(*advice, getKeys, instead+"; or run it with TLS 1.2, in which certificates and alerts can be read", 1)
		*advice = strings.Replace(*advice, withKeys, instead, 1)
	}
}

// idleServer is what a server that waited may have done.
func idleServer(waited time.Duration) string {
	return fmt.Sprintf("the server ended the connection %v after the client's last message: one that refuses the client does so at once, one that closes an idle connection waits", waited.Round(100*time.Millisecond))
}
