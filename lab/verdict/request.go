package verdict

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// A handshake that succeeds is not the end of it: the server may leave the
// request without an answer, or refuse it in HTTP.

// addRefusal adds what became of the request of a client that was accepted.
func (w *wire) addRefusal(v *Verdict) {
	m := w.Refusal
	client := &w.shown.Client
	if why, ok := w.refusedBehind(); ok {
		v.becauseInHTTP(why)
		return
	}
	if r, ok := w.refusedInside(); ok {
		v.How = Inside
		v.because(w.whyInside(r))
		return
	}
	if why, ok := w.refusedCall(); ok {
		v.becauseInHTTP(why)
		return
	}
	reset := w.reset()
	if why, ok := w.refusedByReset(reset); ok {
		v.becauseInHTTP(why)
		return
	}
	switch {
	case w.Answer == nil && reset != nil:
		v.Reason = unanswered(reset)
	case w.Answer == nil && w.unused() && w.leaver == endpoint.Server:
		v.Reason = joined(v.Reason, "after the handshake the server closed before the client had sent a request")
		w.addSilence(v)
	case w.Answer == nil && w.unused():
		w.addLeaving(v)
	case w.Answer == nil && w.data.Client && !w.data.Server && w.leaver == endpoint.Server:
		v.Reason = "the server closed without an answer to what the client had sent"
		if w.cameLate() {
			v.Reason = "the server closed before a request of the client came"
		}
		w.addSilence(v)
	case w.Answer == nil && w.asked() && w.leaver == endpoint.Server && !w.Hidden && !w.Lacking && !w.goesOn():
		v.Reason = "the server closed without an answer to the request"
		if w.data.Server && w.ALPN != "h2" {
			v.Reason = "the server's answer to the request is not HTTP"
		}
	case w.Answer != nil && !w.ClientAuth && w.Resumption != tlsdecrypt.FullHandshake: // it does not ask anew
		switch w.Answer.HTTP.Status {
		case http.StatusUnauthorized:
			v.becauseInHTTP(*RefuseBehindTLS(true, w.Answer.HTTP.Authenticate()))
		case http.StatusForbidden:
			v.becauseInHTTP(Reason{Code: NotAuthorised, Text: "the server took up an earlier session, and the client is not allowed what it asked for: the server answered 403",
				Fix: "look at the connection in which the session began: whether the client has shown a certificate there, and which; or ask the server's owner to allow it"})
		}
	case w.Answer != nil && w.AskedForNone() && isUnauthorised(w.Answer.HTTP.Status):
		why := *RefuseUnasked(w.Answer.HTTP.Status, w.Answer.HTTP.Authenticate())
		switch {
		case why.Code != NotAsked:
		case w.isByPSK(): // by which the server knows the client
			why = notAuthorised
		case w.mayAskLater():
			why.Text = fmt.Sprintf("%s; it refuses in HTTP with %d", w.notMutual(), w.Answer.HTTP.Status)
		case w.cannotBeAsked():
			why.Text += notToBeAsked
			why.Fix = askInHandshake
		}
		v.becauseInHTTP(why)
	case m == nil:
	case client.empty:
		v.refuseInHTTP(m, Reason{Code: NoClientCertificate, Text: "the client sent none"})
	case isUnauthorised(m.HTTP.Status) && (m.HTTP.Status == http.StatusForbidden || m.HTTP.Authenticate() == "") && len(client.doubts) > 0 && client.chain != tlsdecrypt.Fails:
		v.becauseInHTTP(w.doubted(client, fmt.Sprintf("refuses in HTTP with %d", m.HTTP.Status)))
	case m.HTTP.Status == http.StatusForbidden && client.chain != tlsdecrypt.Fails && w.takesAny():
		v.becauseInHTTP(Reason{Code: NotAuthorised, Text: "the handshake succeeded with the client's certificate, and the server refuses in HTTP with 403: it does not allow the client what it asked for, or verifies certificates only there, and does not take this one",
			Fix: "look into the log of the server: it says which; then have it allow the name in the certificate, or use another certificate"})
	case m.HTTP.Status == http.StatusForbidden && client.chain != tlsdecrypt.Fails:
		v.becauseInHTTP(notAuthorised)
	case m.HTTP.Status == http.StatusUnauthorized && client.seen && client.chain != tlsdecrypt.Fails && client.faultThat(nil) == nil:
		why := *RefuseBehindTLS(false, w.Answer.HTTP.Authenticate())
		if w.takesAny() && w.Answer.HTTP.Authenticate() == "" {
			why.Text += "; or it verifies certificates only in HTTP, and does not take this one"
		}
		v.becauseInHTTP(why)
	case client.faultThat(nil) != nil:
		fault := client.faultThat(nil)
		v.refuseInHTTP(m, Reason{Code: fault.Code, Text: fault.Of("the client's certificate", client.leaf), Fix: fault.Fix})
	case m.HTTP.RefusesCertificate() && client.seen:
		v.refuseInHTTP(m, Reason{Text: "it does not take the one that the client sent, or cannot read the request, and only its own log knows",
			Fix: "look into the server's log (nginx: ssl_verify_client): it says which", Causes: w.causes(endpoint.Server)})
	}
}

// addSilence adds to the verdict on a server that closed after the handshake,
// without an answer, for what it may have refused the client.
func (w *wire) addSilence(v *Verdict) {
	client := &w.shown.Client
	code, why := NoClientCertificate, "the client sent no certificate when it was asked"
	switch fault := client.faultThat(nil); {
	case fault != nil:
		code, why, v.Fix = fault.Code, fault.Of("the client's certificate", client.leaf), fault.Fix
	case !client.empty:
		return
	}
	v.Fix = cmp.Or(v.Fix, w.remedy(code), fix(code, endpoint.Server))
	v.Reason += "; " + why + ", and some servers close so for that"
	v.Doubt = &Doubt{endpoint.Server, code}
}

// cameLate reports whether the server had closed before the client sent data.
func (w *wire) cameLate() bool {
	return !slices.ContainsFunc(w.Messages, func(m *tlsdecrypt.Message) bool {
		return m.From == endpoint.Client && isData(m) && !w.afterEnd(m)
	})
}

// noteRequest adds to a refusal in HTTP which request of the connection it
// answers, if that is not the first.
func (w *wire) noteRequest(v *Verdict) {
	if !v.IsDenied() || v.How == Inside || w.Answer == nil || !w.Answer.HTTP.Refuses() && w.reset() != nil {
		return
	}
	request, number := w.RequestOf(w.Answer)
	if request == nil || number == 1 {
		return
	}
	v.Reason += ofRequest(request, number)
}

// ofRequest says which request a refusal is about.
func ofRequest(request *tlsdecrypt.Message, number int) string {
	path, _, _ := strings.Cut(request.HTTP.Target, "?") // what follows may be a password
	return fmt.Sprintf("; this answers request %d of the connection, %s", number, text.Unicode.Cut(text.Clean(request.HTTP.Method+" "+path), 60))
}

// becauseInHTTP is because for a server that refuses in HTTP.
func (v *Verdict) becauseInHTTP(why Reason) {
	v.How = InHTTP
	v.because(why)
}

// refuseInHTTP is becauseInHTTP for the client's certificate.
func (v *Verdict) refuseInHTTP(m *tlsdecrypt.Message, why Reason) {
	v.becauseInHTTP(*RefuseInHTTP(m.HTTP.Status, why))
}

// RefuseBehindTLS returns why HTTP says 401 to a client whose certificate, or
// whose earlier session, the server has taken. authenticate is the response's
// WWW-Authenticate.
func RefuseBehindTLS(resumed bool, authenticate string) *Reason {
	who := "whose certificate it took in TLS"
	if resumed {
		who = "whose earlier session it took up, in which nobody is asked for a certificate again"
	}
	why := refusedBehindTLS(who, authenticate)
	return &why
}

// refusedBehindTLS is why HTTP says 401 to a client that the server has let
// pass in TLS: who says how. authenticate is the response's WWW-Authenticate.
func refusedBehindTLS(who, authenticate string) Reason {
	said := "the server refuses in HTTP with 401 a client " + who
	if scheme, _, _ := strings.Cut(authenticate, " "); scheme != "" {
		return Reason{Code: NotAuthorised, Text: said + ": it asks for " + scheme + " besides (WWW-Authenticate)",
			Fix: "send the password or token that the server asks for in HTTP, too"}
	}
	return Reason{Code: NotAuthorised, Text: said,
		Fix: "read the answer and the application's log; if a proxy ends TLS in front of the application, see that it passes on whose certificate it was (nginx: proxy_set_header, which a location with one of its own does not inherit)"}
}

// doubted is why HTTP says 403, or gRPC the same, to a client whose certificate
// the server may not have verified (nginx: ssl_verify_client optional_no_ca).
func (w *wire) doubted(client *certificate, refuses string) Reason {
	doubt := client.doubts[0]
	return Reason{Code: RefusedInHTTP,
		Text: "the server asked for a certificate, and " + refuses + ": " + doubt.Of("the client's certificate", client.leaf) + "; or it takes that, and does not allow the request",
		Causes: []Cause{
			{Code: doubt.Code, Text: "the server lets the handshake succeed with any certificate, and refuses this one in HTTP, verified or not", Tell: "its configuration (nginx: ssl_verify_client optional_no_ca or error_page 495; Node: rejectUnauthorized)"},
			{Code: NotAuthorised, Text: "the server has verified it, and does not allow the client what it asked for", Tell: "its log, or a request for something else"},
		}}
}

// takesAny reports whether a server that refuses in HTTP may have let the
// handshake succeed with any certificate: it names no CA, and the client's
// certificate is of none that is known here.
func (w *wire) takesAny() bool {
	return w.request != nil && len(w.wanted()) == 0 && w.shown.Client.chain != tlsdecrypt.Holds
}

// asked reports whether the client has sent a request.
func (w *wire) asked() bool {
	return slices.ContainsFunc(w.Messages, (*tlsdecrypt.Message).IsRequest)
}

// unused reports whether the connection was closed after the handshake before a
// side had sent anything.
func (w *wire) unused() bool {
	return !w.data.Client && !w.data.Server && !w.again && w.leaver != endpoint.Unknown && w.End != tlsdecrypt.StillOpen && w.End != tlsdecrypt.CutOff
}
