package verdict

import (
	"fmt"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// notTLS returns the verdict on a connection on which a side did not speak TLS
// from the beginning. The other side refuses that, unless it speaks the same.
func (w *wire) notTLS() Verdict {
	from := w.NotTLSFrom
	by := from.Other()
	said, answer := *w.Plain.Of(from), *w.Plain.Of(by)
	if !w.refusesPlain(by, answer) {
		reason := fmt.Sprintf("the %v does not speak TLS", from)
		switch within := w.Prologue.Last(); {
		case within != nil && within != w.Prologue.Layers[0] && w.Prologue.Layers[0].Agreed && within.Protocol != "" && within.Protocol != "HTTP":
			reason = fmt.Sprintf("this is %s through a proxy (%s), without TLS", within.Protocol, w.Prologue.Layers[0].Protocol)
		case said.HTTP && from == endpoint.Server && *w.Gaps.Of(by):
			reason = "the server answered in plain HTTP, and what it answered is not in the capture"
		case said.HTTP:
			reason = "this is plain HTTP"
		}
		return Verdict{Outcome: Unknown, How: NotTLS, Reason: reason}
	}
	v := Verdict{Outcome: Rejected, How: NotTLS, RejectedBy: by}
	var start []byte
	if w.Prologue != nil && w.Prologue.Header() == nil { // the server may take a header: beforeTLS knows where it does not
		start = *w.Prologue.Starts.Of(from)
	}
	v.because(spokeNoTLS(from, said, start))
	switch m := w.Alert; {
	case m != nil && m.From == by:
		v.Alert = newAlert(m.Alert.Description, by)
	case v.Code == SpokeNoTLS && by == endpoint.Server && answer == (tlsdecrypt.Plain{}):
		if prologue.IsGoodbye(said.Line) {
			return Verdict{Outcome: Unknown, How: NotTLS, Reason: "the client does not speak TLS, and ended its session: " + said.Line}
		}
		v.Reason += ", and the server closed without an answer, as one does that expects TLS"
		v.Confirm = "see whether the server speaks TLS on this port: openssl s_client -connect HOST:PORT, or the server's log"
	}
	return v
}

// refusesPlain reports whether a side cannot take that the other does not speak
// TLS: it does so itself, says 400, or closes without an answer.
func (w *wire) refusesPlain(by endpoint.Side, answer tlsdecrypt.Plain) bool {
	for _, m := range w.Messages {
		if m.From == by {
			return !*w.Gaps.Of(by) // which the other side may have answered
		}
	}
	switch {
	case w.Lacking || by == endpoint.Client:
		return false
	case answer.Line != "":
		return answer.HTTP && isBadRequest(answer.Line)
	}
	return w.EndedBy == by
}

// isBadRequest reports whether a response's first line says 400, with which
// servers answer plain HTTP where they want TLS.
func isBadRequest(line string) bool {
	_, status, _ := strings.Cut(line, " ")
	return strings.HasPrefix(status, "400")
}
