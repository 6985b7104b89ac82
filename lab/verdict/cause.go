package verdict

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

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
		return Reason{Code: NoClientCertificate, Text: noClientCertificate}
	case other.signature == tlsdecrypt.Fails && (alert == nil || isAboutSignature(*alert)) && (other.faultThat(alert) == nil || alert != nil && !alert.RefusesCertificate()):
		return Reason{Code: BadSignature, Text: badSignature(by.Other())}
	}
	if fault := other.faultThat(alert); fault != nil {
		why := Reason{Code: fault.Code, Text: fault.Of("the "+by.Other().String()+"'s certificate", other.leaf)}
		if fault.Open {
			why.Causes = w.causes(by)
		}
		return why
	}
	switch {
	case alert == nil:
		return w.whyClosed(by)
	}
	why := meaning(*alert, by, false)
	switch {
	case *alert == tlswire.AlertProtocolVersion && by == endpoint.Server && len(w.Offers().Versions) > 0:
		why.Text += ", which offers " + strings.Join(w.Offers().Versions, ", ")
	case *alert == tlswire.AlertNoApplicationProtocol && by == endpoint.Server && len(w.Offers().ALPN) > 0:
		why.Text += ": " + strings.Join(w.Offers().ALPN, ", ")
	case *alert == tlswire.AlertUnrecognizedName && w.ServerName != "":
		why.Text += ": " + w.ServerName
	case *alert == tlswire.AlertHandshakeFailure && by == endpoint.Server && !w.answered:
		why.Text = "the server sent handshake_failure: it found nothing that both can do"
	case *alert == tlswire.AlertDecryptError && other.signature == tlsdecrypt.Holds && other.leaf != nil:
		why.Code, why.Text = RefusedByCertificate, fmt.Sprintf("the %v sent decrypt_error, although the %v has signed with the key of its certificate: the signature on that certificate must be wrong for it", by, by.Other())
	}
	if why.Code == chain.Expired && other.leaf != nil { // and its dates are right
		why.Code, why.Text = RefusedByCertificate, why.Text+"; yet its dates are right"
	}
	why.Causes = w.causes(by)
	return why
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
	case by == endpoint.Client && w.shown.Server.seen:
		why.Text += closedAfterCertificate
		why.Causes = w.causes(by)
	case by == endpoint.Server && !w.answered:
		why.Text = "the server ended the connection without an answer to ClientHello, and without an alert"
	case by == endpoint.Server && w.shown.Client.seen:
		why.Causes = w.causes(by)
	}
	return why
}

// addRefusal adds what became of the request of a client that was accepted.
func (w *wire) addRefusal(v *Verdict) {
	m := w.Refusal
	client := &w.shown.Client
	switch {
	case w.Answer == nil && w.closedUnused():
		v.Reason = noRequest
		if fault := w.shown.Server.faultThat(nil); fault != nil {
			v.because(Reason{Code: fault.Code, Text: fault.Of("the server's certificate", w.shown.Server.leaf) + "; and after the handshake there was no request, as of a client that looks at that afterwards (curl)"})
			v.Fix = fix(fault.Code, endpoint.Client)
		}
	case w.Answer != nil && w.Resumption != tlsdecrypt.FullHandshake: // it does not ask anew
		if w.Answer.HTTP.Status == http.StatusForbidden {
			v.because(Reason{Code: NotAuthorised, Text: "the server took up an earlier session, and the client is not allowed what it asked for: the server answered 403"})
		}
	case w.Answer != nil && w.AskedForNone() && isUnauthorised(w.Answer.HTTP.Status):
		v.How = InHTTP
		v.because(*RefuseUnasked(w.Answer.HTTP.Status))
	case m == nil:
	case client.empty:
		v.refuseInHTTP(m, Reason{Code: NoClientCertificate, Text: "the client sent none"})
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

// refuseInHTTP is because for a server that refuses in HTTP.
func (v *Verdict) refuseInHTTP(m *tlsdecrypt.Message, why Reason) {
	v.How = InHTTP
	v.because(*RefuseInHTTP(m.HTTP.Status, why))
}

// closedUnused reports whether the connection ended after the handshake without
// application data of the client.
func (w *wire) closedUnused() bool {
	return !w.data.Client && w.End != tlsdecrypt.StillOpen && w.End != tlsdecrypt.CutOff
}
