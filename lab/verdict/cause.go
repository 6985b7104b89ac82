package verdict

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// why says why a side ended the handshake, by its alert, if there was one, and
// by what the other side showed of itself.
func (w *wire) why(by endpoint.Side) Reason {
	other := *w.shown.Of(by.Other())
	alert := w.alertOf(by)
	switch {
	case other.empty && (alert == nil || alert.WantsCertificate() || *alert == tlswire.AlertDecodeError): // the last is GnuTLS in TLS 1.2, and any client's
		if by == endpoint.Client {
			return Reason{Code: Other, Text: "the server sent no certificate"}
		}
		return Reason{Code: NoClientCertificate, Text: noClientCertificate + w.silently(by)}
	case other.signature == tlsdecrypt.Fails && (alert == nil || isAboutSignature(*alert)) && (other.faultThat(alert) == nil || alert != nil && !alert.RefusesCertificate()):
		return Reason{Code: BadSignature, Text: badSignature(by.Other())}
	}
	if fault := other.faultThat(alert); fault != nil {
		why := Reason{Code: fault.Code, Text: fault.Of("the "+by.Other().String()+"'s certificate", other.leaf) + w.silently(by)}
		if fault.Open {
			why.Causes = w.causes(by)
		}
		return why
	}
	switch {
	case alert == nil:
		return w.whyClosed(by)
	case w.stays == by.Other():
		return Reason{Code: Other, Text: fmt.Sprintf("the %v wanted to renegotiate, which the %v does not do (no_renegotiation), and so the %v sent %v", by, by.Other(), by, *alert)}
	}
	why := meaning(*alert, by, false)
	switch {
	case *alert == tlswire.AlertDecryptError && (other.empty || !other.seen && !w.Hidden), *alert == tlswire.AlertIllegalParameter && by == endpoint.Server && !w.answered && w.offersPSK:
		return Reason{Code: Other, Text: fmt.Sprintf("the %v sent %v: a checksum of the %v's is wrong, as when the two were given different pre-shared keys (PSK)", by, *alert, by.Other())}
	case other.bare && why.Code == RefusedByCertificate:
		why.Text += "; the " + by.Other().String() + " showed a bare public key (RFC 7250), which the " + by.String() + " must know"
		return why
	case *alert == tlswire.AlertProtocolVersion && by == endpoint.Server && len(w.Offers().Versions) > 0:
		why.Text += ": it offers " + strings.Join(w.Offers().Versions, ", ")
	case *alert == tlswire.AlertNoApplicationProtocol && by == endpoint.Server && len(w.Offers().ALPN) > 0:
		why.Text += ": " + strings.Join(w.Offers().ALPN, ", ")
	case *alert == tlswire.AlertUnrecognizedName && w.ServerName != "":
		why.Text += ": " + w.ServerName
	case *alert == tlswire.AlertHandshakeFailure && by == endpoint.Server && !w.answered:
		why.Text = "the server sent handshake_failure: it found nothing that both can do"
	case *alert == tlswire.AlertDecryptError && other.signature == tlsdecrypt.Holds && other.leaf != nil:
		why.Code, why.Text = RefusedByCertificate, fmt.Sprintf("the %v sent decrypt_error, although the %v has signed with the key of its certificate: the signature on that certificate must be wrong for it", by, by.Other())
	}
	if why.Code == chain.Expired && other.isInDate() {
		why.Code, why.Text = RefusedByCertificate, why.Text+"; yet its dates are right"
	}
	why.Causes = w.causes(by)
	return why
}

// silently is what to add to a fault of the other side that a side has not
// complained about: it, or something between the two, has closed.
func (w *wire) silently(by endpoint.Side) string {
	if w.alertOf(by) != nil {
		return ""
	}
	return ", and the " + by.String() + " closed the connection without an alert"
}

// faultThat returns the first fault of a certificate that an alert may answer,
// or without an alert the first; nil: there is none.
func (c *certificate) faultThat(alert *tlswire.AlertDescription) *chain.Fault {
	for _, f := range c.faults {
		if alert == nil || mayMean(*alert, f.Code) {
			return f
		}
	}
	return nil
}

// isInDate reports whether a certificate that can be read was valid when it was
// shown, as far as the capture has times.
func (c *certificate) isInDate() bool {
	return c.leaf != nil && c.at.Unix() > 0 && !c.at.Before(c.leaf.NotBefore) && !c.at.After(c.leaf.NotAfter)
}

// alertOf is the alert with which a side ended the connection, or nil.
func (w *wire) alertOf(by endpoint.Side) *tlswire.AlertDescription {
	if w.Alert == nil || w.Alert.From != by {
		return nil
	}
	return &w.Alert.Alert.Description
}

// isAboutSignature reports whether an alert may answer a wrong signature.
func isAboutSignature(d tlswire.AlertDescription) bool {
	return d.RefusesCertificate() || slices.Contains([]tlswire.AlertDescription{tlswire.AlertDecryptError, tlswire.AlertHandshakeFailure,
		tlswire.AlertIllegalParameter, tlswire.AlertInternalError, tlswire.AlertDecodeError}, d)
}

// mayMean reports whether an alert may answer a fault of a certificate. Those
// with a name of their own answer no other fault.
func mayMean(d tlswire.AlertDescription, fault Code) bool {
	switch d {
	case tlswire.AlertCertificateExpired:
		return fault == chain.Expired || fault == chain.NotYetValid || fault == chain.CRLStale
	case tlswire.AlertCertificateRevoked:
		return fault == chain.Revoked || fault == chain.IssuerRevoked
	case tlswire.AlertUnknownCA:
		return slices.Contains([]Code{chain.UnknownCA, chain.LookAlikeCA, chain.SelfSigned, chain.NotACA, chain.PathTooLong, chain.Invalid, chain.CRLMissing}, fault)
	case tlswire.AlertDecryptError:
		return fault == chain.LookAlikeCA || fault == chain.UnknownCA
	case tlswire.AlertHandshakeFailure, tlswire.AlertAccessDenied, tlswire.AlertInternalError, tlswire.AlertInsufficientSecurity:
		return true
	}
	return d.RefusesCertificate()
}

// whyClosed says what a connection shows that a side has closed without an
// alert during the handshake.
func (w *wire) whyClosed(by endpoint.Side) Reason {
	reset := w.End == tlsdecrypt.ClientReset && by == endpoint.Client || w.End == tlsdecrypt.ServerReset && by == endpoint.Server
	why := closedBy(by, reset)
	switch {
	case by == endpoint.Client && w.leftBeforeAnswer():
		why.Text = fmt.Sprintf("the client broke off the connection without an alert: it sent %s %v after its ClientHello, before the server's answer", w.howEnded(), w.EndedAt.Sub(w.spoke).Round(time.Millisecond))
	case by == endpoint.Client && w.shown.Server.seen:
		why.Text += closedAfterCertificate
		why.Causes = w.causes(by)
	case by == endpoint.Server && !w.answered:
		why.Text = "the server ended the connection without an answer to ClientHello, and without an alert"
		why.Causes = []Cause{notYetTLS.of(by), headerMissing.of(by)}
	case by == endpoint.Server && w.shown.Client.seen:
		why.Causes = w.causes(by)
	}
	return why
}

// leftBeforeAnswer reports whether the client ended the connection after
// ClientHello, before anything came from the server.
func (w *wire) leftBeforeAnswer() bool {
	return w.EndedBy == endpoint.Client && !w.spoke.IsZero() && !w.inTime
}

// howEnded is how the first end of the connection was said.
func (w *wire) howEnded() string {
	if w.EndedByReset {
		return "RST"
	}
	return "FIN"
}

// addRefusal adds what became of the request of a client that was accepted.
func (w *wire) addRefusal(v *Verdict) {
	m := w.Refusal
	client := &w.shown.Client
	switch {
	case w.Answer == nil && w.unused() && w.leaver == endpoint.Server:
		v.Reason = "after the handshake the server closed before the client had sent a request"
	case w.Answer == nil && w.unused():
		v.Reason = noRequest
		if fault := w.shown.Server.faultThat(nil); fault != nil {
			v.because(Reason{Code: fault.Code, Text: fault.Of("the server's certificate", w.shown.Server.leaf) + "; and after the handshake there was no request, as of a client that looks at that afterwards (curl)"})
			v.Fix = fix(fault.Code, endpoint.Client)
		} else if w.isCalledByAddress() {
			v.Causes = []Cause{wrongHost.of(endpoint.Client)}
		}
	case w.Answer == nil && w.data.Client && !w.data.Server && w.leaver == endpoint.Server:
		v.Reason = "the server closed without an answer to what the client had sent"
	case w.Answer != nil && !w.ClientAuth && w.Resumption != tlsdecrypt.FullHandshake: // it does not ask anew
		if w.Answer.HTTP.Status == http.StatusForbidden {
			v.because(Reason{Code: NotAuthorised, Text: "the server took up an earlier session, and the client is not allowed what it asked for: the server answered 403"})
		}
	case w.Answer != nil && w.AskedForNone() && isUnauthorised(w.Answer.HTTP.Status):
		v.How = InHTTP
		v.because(*RefuseUnasked(w.Answer.HTTP.Status, w.authenticate()))
	case m == nil:
	case client.empty:
		v.refuseInHTTP(m, Reason{Code: NoClientCertificate, Text: "the client sent none"})
	case m.HTTP.Status == http.StatusForbidden && len(client.doubts) > 0 && client.chain != tlsdecrypt.Fails:
		v.How = InHTTP
		v.because(w.doubted(client))
	case m.HTTP.Status == http.StatusForbidden && client.chain != tlsdecrypt.Fails:
		v.because(notAuthorised)
	case client.faultThat(nil) != nil:
		fault := client.faultThat(nil)
		v.refuseInHTTP(m, Reason{Code: fault.Code, Text: fault.Of("the client's certificate", client.leaf)})
	case m.HTTP.RefusesCertificate() && client.seen:
		v.refuseInHTTP(m, Reason{Text: "it does not take the one that the client sent, or cannot read the request, and only its own log knows", Causes: w.causes(endpoint.Server)})
	}
}

// reservation says what is wrong with the certificate of a client that was let
// in, as far as can be seen without keys.
func (w *wire) reservation() string {
	client := &w.shown.Client
	why := ""
	switch all := slices.Concat(client.faults, client.doubts); {
	case client.empty:
		why = noClientCertificate
	case len(all) > 0:
		why = all[0].Of("the client's certificate", client.leaf)
	default:
		return ""
	}
	return "; yet " + why + ": whether the server then refused in HTTP is encrypted"
}

// isUnauthorised reports whether a status is about who the client is.
func isUnauthorised(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// isCalledByAddress reports whether the client named no host, as one does that
// calls an IP address (RFC 6066 section 3), and the server's certificate is not
// for its address.
func (w *wire) isCalledByAddress() bool {
	leaf := w.shown.Server.leaf
	return w.ServerName == "" && leaf != nil && w.Server.IsValid() && leaf.VerifyHostname(w.Server.Addr().Unmap().String()) != nil
}

// refuseInHTTP is because for a server that refuses in HTTP.
func (v *Verdict) refuseInHTTP(m *tlsdecrypt.Message, why Reason) {
	v.How = InHTTP
	v.because(*RefuseInHTTP(m.HTTP.Status, why))
}

// authenticate returns WWW-Authenticate of the answer.
func (w *wire) authenticate() string {
	for _, h := range w.Answer.HTTP.Headers {
		if strings.EqualFold(h.Name, "WWW-Authenticate") {
			return h.Value
		}
	}
	return ""
}

// doubted is why HTTP says 403 to a client whose certificate the server may not
// have verified (nginx: ssl_verify_client optional_no_ca).
func (w *wire) doubted(client *certificate) Reason {
	doubt := client.doubts[0]
	return Reason{Code: RefusedInHTTP,
		Text: "the server asked for a certificate, and refuses in HTTP with 403: " + doubt.Of("the client's certificate", client.leaf) + "; or it takes that, and does not allow the request",
		Causes: []Cause{
			{Code: doubt.Code, Text: "the server lets the handshake succeed with any certificate, and did not verify this one", Tell: "its configuration (nginx: ssl_verify_client optional_no_ca, $ssl_client_verify)"},
			{Code: NotAuthorised, Text: "the server has verified it, and does not allow the client what it asked for", Tell: "its log, or a request for something else"},
		}}
}

// unused reports whether the connection was closed after the handshake before a
// side had sent anything.
func (w *wire) unused() bool {
	return !w.data.Client && !w.data.Server && !w.again && w.leaver != endpoint.Unknown && w.End != tlsdecrypt.StillOpen && w.End != tlsdecrypt.CutOff
}
