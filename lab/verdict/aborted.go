package verdict

import (
	"fmt"
	"slices"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// patience is how long a side at least waits for the other that may have closed
// because that took too long.
const patience = 200 * time.Millisecond

// closedUnsaid is why a connection ended on which nothing was said in time.
const closedUnsaid = "the server closed the connection before anything was said"

// aborted returns the verdict on a connection that ended without an alert
// before the handshake did.
func (w *wire) aborted() Verdict {
	by := w.EndedBy
	if by == endpoint.Server && w.finished.Client && w.finished.Server && w.isIdle() {
		return Verdict{Outcome: Unknown, Reason: w.idleReason()}
	}
	if by == endpoint.Client && !slices.ContainsFunc(w.Messages, func(m *tlsdecrypt.Message) bool { return !w.afterEnd(m) }) {
		return w.leftUnsaid()
	}
	if by == endpoint.Server && w.Prologue.ThroughProxy() { // whose connection this is
		return Verdict{Outcome: Unknown, Reason: "the connection through the proxy ended during the handshake, without an alert: the server ended it, or the proxy",
			Fix: "look into the logs of the proxy and of the server"}
	}
	v := Verdict{Outcome: Rejected, How: Aborted, RejectedBy: by}
	switch {
	case w.waitedFor(by) >= patience:
		why := tooSlow(by.Other())
		why.Text += fmt.Sprintf(": the %v waited %v, and closed", by, w.waitedFor(by).Round(100*time.Millisecond))
		if by == endpoint.Client && !w.answered && w.hello != nil {
			why.Fix = fix(TooSlow, by) + "; or find out whether the port speaks TLS: one that does not may wait for the end of a line"
		}
		v.because(why)
	case w.last == nil:
		v.because(Reason{Code: Closed, Text: closedUnsaid})
	case w.leftAtOnce():
		v.because(Reason{Code: Closed, Text: closedUnsaid + ", as a rule on addresses does, a limit on connections, or a forwarder with nothing behind it",
			Fix: "look into the log of the server, and of what stands before it"})
	default:
		v.because(w.why(by))
		v.Offers = w.offers(by)
	}
	if w.isDropped() {
		v.How = Probably
		v.Confirm = "see whether the server's log has the request: a server that accepts the client, and then drops its request, looks alike"
	}
	return v
}

// leftAtOnce reports whether the server closed a connection as soon as it was
// open: all that the client said came later.
func (w *wire) leftAtOnce() bool {
	return w.EndedBy == endpoint.Server && !w.NoSYN && w.Prologue == nil && len(w.Problems) == 0 &&
		w.Messages[0].Time.After(w.EndedAt) && w.EndedAt.Sub(w.Opened) < patience
}

// isDropped reports whether a server of TLS 1.3 ended the connection, without a
// word, when it had the client's Finished and a request: it refuses the client,
// or has accepted it and does not answer.
func (w *wire) isDropped() bool {
	return w.EndedBy == endpoint.Server && w.Version >= tlswire.VersionTLS13 && w.finished.Client && w.finished.Server && w.data.Client
}

// leftUnsaid is the verdict on a client that connected and closed again without
// a ClientHello.
func (w *wire) leftUnsaid() Verdict {
	if len(w.Problems) > 0 || w.Prologue != nil {
		return leftInHello()
	}
	if w.Opened.IsZero() {
		return leftSilently(0)
	}
	return leftSilently(w.EndedAt.Sub(w.Opened))
}

// answersEnd reports whether an alert is a server's answer to a client that has
// closed without a ClientHello, as Java's servers send it.
func (w *wire) answersEnd(alert *tlsdecrypt.Message) bool {
	return alert.From == endpoint.Server && w.afterEnd(alert) && !w.NoSYN && !w.Lacking && len(w.Problems) == 0 && w.Prologue == nil &&
		!slices.ContainsFunc(w.Messages, func(m *tlsdecrypt.Message) bool { return m.From == endpoint.Client })
}

// leftInHello is the verdict on a client that closed before the end of its
// ClientHello.
func leftInHello() Verdict {
	return unbegun(Reason{Code: Closed, Text: "the client closed before it had sent a whole ClientHello", Fix: fix(Closed, endpoint.Client)})
}

// leftSilently is the verdict on a client that closed, so long after it had
// connected, without a byte.
func leftSilently(waited time.Duration) Verdict {
	why := Reason{Code: Closed, Text: "the client closed without a byte, as a health check or a port scan does",
		Fix: "nothing, if it was such a check; if not, look into the log of the client"}
	if waited >= patience {
		why.Text = fmt.Sprintf("the client closed after %v without a byte, as a health check or a port scan does, or a client that waits for the server to speak first (STARTTLS)", waited.Round(100*time.Millisecond))
		why.Fix += "; one that waits for a greeting must begin with TLS here"
	}
	return unbegun(why)
}

// unbegun is the verdict on a client that left before there was a handshake: it
// refused nothing.
func unbegun(why Reason) Verdict {
	v := Verdict{Outcome: Unknown, How: NotTLS}
	v.because(why)
	return v
}

// isUnbegun reports whether a verdict is of unbegun.
func (v *Verdict) isUnbegun() bool { return v.Outcome == Unknown && v.Code == Closed }

// idle is how long a server at least waits that closes a connection because
// nothing comes. Who refuses a client does so at once.
const idle = time.Second

// isIdle reports whether the server ended the connection long after the
// client's last message.
func (w *wire) isIdle() bool { return w.untilClosed() >= idle }

// untilClosed is how long after the client's last message the server said, in a
// record or by closing, that it ends the connection.
func (w *wire) untilClosed() time.Duration {
	var spoke time.Time
	for _, m := range w.Messages {
		if m.From == endpoint.Client && !w.afterEnd(m) {
			spoke = m.Time
		} else if !spoke.IsZero() && m == w.last {
			return m.Time.Sub(spoke)
		}
	}
	if spoke.IsZero() || w.EndedAt.IsZero() {
		return 0
	}
	return w.EndedAt.Sub(spoke)
}

// afterEnd reports whether a message was sent when the other side had ended the
// connection, as OpenSSL says decode_error to a FIN.
func (w *wire) afterEnd(m *tlsdecrypt.Message) bool {
	return w.EndedBy == m.From.Other() && !m.Time.Before(w.EndedAt)
}

func (w *wire) idleReason() string {
	return idleServer(w.untilClosed())
}

// waitedFor returns how long a side had waited when the connection ended, if it
// was the other one's turn to speak.
func (w *wire) waitedFor(by endpoint.Side) time.Duration {
	since, turn := w.Opened, endpoint.Client
	for _, m := range w.Messages {
		if !w.afterEnd(m) {
			since, turn = m.Time, m.From.Other()
		}
	}
	if by == turn || since.IsZero() || w.EndedAt.IsZero() {
		return 0
	}
	return w.EndedAt.Sub(since)
}
