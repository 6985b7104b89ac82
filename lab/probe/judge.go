package probe

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/starttls"
	"mtlslab.example/lab/lab/verdict"
)

// baseline is what a good certificate is answered with, which other answers are
// compared with.
type baseline struct {
	response *lab.Response
	// refusesNone is set where a client without a certificate is refused in TLS,
	// so that whoever is answered at all was let in.
	refusesNone bool
}

// event is what happened in an attempt.
type event struct {
	result Result
	when   When
	alert  *verdict.Alert
	status int
	reason string // a sentence without a full stop; "": there is nothing to add
	fix    string
}

// judge says what happened in an attempt.
func (b *baseline) judge(o *outcome) event {
	var (
		dial *lab.DialError
		busy *starttls.BusyError
	)
	switch {
	case o.response != nil:
		return b.judgeAnswer(o)
	case errors.As(o.err, &dial):
		return event{result: Unclear, reason: o.err.Error()}
	case errors.As(o.err, &busy):
		return event{result: Unclear, reason: busy.Error()}
	case o.Exchange == nil && errors.Is(o.err, context.Canceled):
		return event{result: Unclear, reason: "the probe was stopped"}
	case o.Exchange == nil:
		return event{result: Unclear, reason: "nothing was seen of the connection"}
	case o.Exchange.HTTP != nil: // and the response did not come whole
		return b.judgeAnswer(&outcome{Exchange: o.Exchange, response: &lab.Response{Status: o.Exchange.HTTP.Status}})
	}
	x := o.Exchange
	e := event{alert: x.Alert, reason: x.Reason, fix: x.Fix, when: InHandshake}
	if x.Client.State == verdict.StateComplete || x.Client.State == verdict.StateRequestSent || x.Client.Learned == verdict.LearnedAtFirstRead {
		e.when = AfterHandshake
	}
	switch {
	case x.Code == verdict.TLSRefused: // before it could see a certificate
		e.result = Unclear
	case x.Alert != nil && x.Alert.SentBy == endpoint.Server:
		e.result = RefusedTLS
	case x.RejectedBy == endpoint.Server, x.Outcome == verdict.Broken:
		e.result, e.alert = Cut, nil
	case x.Outcome == verdict.Accepted && isClosed(o.err): // OpenLDAP does so with GnuTLS
		e.result, e.when, e.alert = Cut, AfterHandshake, nil
	case x.Outcome == verdict.Accepted:
		e.result, e.reason = Unclear, cmp.Or(x.Reason, "the handshake succeeded, and no answer came in time")
	case x.Code == verdict.TooSlow && e.when == AfterHandshake:
		e.result, e.reason = Unclear, "the handshake succeeded, and no answer came in time"
	default: // the probe itself has ended it
		e.result = Unclear
	}
	return e
}

// isClosed reports whether the server has ended the connection in place of an
// answer.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// refusing are the statuses with which servers refuse a certificate, or its
// absence. 495 and 496 are nginx's.
var refusing = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, 495, 496}

// judgeAnswer compares an answer with that to the good certificate.
func (b *baseline) judgeAnswer(o *outcome) event {
	r := o.response
	e := event{result: LetIn, status: r.Status}
	good := b.response
	switch {
	case good == nil: // this is the good one
	case r.Refusal != "" && good.Refusal == "":
		return event{result: RefusedHTTP, when: AfterHandshake, reason: "the server refuses after the handshake: " + r.Refusal}
	case r.Status == good.Status && slices.Contains(refusing, r.Status) && !b.refusesNone && !bytes.Equal(r.Body, good.Body):
		e.result, e.reason = Unclear, fmt.Sprintf("the good certificate is answered with %d, too: probe a path that it may read", r.Status)
	case r.Status == good.Status && leadsTo(r) != leadsTo(good) && !b.refusesNone:
		e.result, e.reason = Unclear, fmt.Sprintf("the server answers %d, to %q, and to the good certificate to %q", r.Status, r.Location, good.Location)
	case r.Status == good.Status:
		e.reason = sameAnswer(r, good)
	case r.Status == http.StatusTooManyRequests, r.Status >= 500:
		e.result, e.reason = Unclear, fmt.Sprintf("the server answers %d, and %d to the good certificate", r.Status, good.Status)
	case r.Status >= 400:
		e.result, e.when = RefusedHTTP, AfterHandshake
		if o.Exchange != nil {
			e.reason = o.Exchange.Reason
		}
		e.reason = cmp.Or(e.reason, fmt.Sprintf("the server answers %d, and %d to the good certificate", r.Status, good.Status))
	case r.Status >= 300:
		e.result, e.reason = Unclear, fmt.Sprintf("the server answers %d, to %q, and %d to the good certificate", r.Status, r.Location, good.Status)
	default:
		e.reason = fmt.Sprintf("the server answers %d, and %d to the good certificate", r.Status, good.Status)
	}
	return e
}

// leadsTo returns where a redirect leads, without the query, which may be
// another each time; "": it is none.
func leadsTo(r *lab.Response) string {
	to, _, _ := strings.Cut(r.Location, "?")
	return to
}

// sameAnswer says that an answer is the good certificate's, if it is.
func sameAnswer(r, good *lab.Response) string {
	if r != good && bytes.Equal(r.Body, good.Body) {
		return "the answer is that to the good certificate"
	}
	return ""
}
