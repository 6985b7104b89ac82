package verdict

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"slices"
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
		why := Reason{Code: NoClientCertificate, Text: noClientCertificate + w.silently(by)}
		if w.request != nil && len(w.wanted()) == 0 { // for which no client keeps one back
			why.Fix = "give the client a certificate and its key, of a CA that the server trusts"
		}
		if keys := w.takesKeys(); keys != "" {
			why.Text += "; the server takes " + keys + ", and a client keeps back a certificate with another key"
			why.Fix = cmp.Or(why.Fix, fix(why.Code, by)) + "; or have the server take signatures of other keys, too"
		}
		return why
	case other.signature == tlsdecrypt.Fails && (alert == nil || isAboutSignature(*alert)) && (other.faultThat(alert) == nil || alert != nil && !alert.RefusesCertificate()):
		return Reason{Code: BadSignature, Text: badSignature(by.Other())}
	}
	if fault := other.faultThat(alert); fault != nil {
		why := Reason{Code: fault.Code, Text: fault.Of("the "+by.Other().String()+"'s certificate", other.leaf) + w.silently(by), Fix: fault.Fix}
		if fault.Reported {
			why.Causes = w.causes(by)
		}
		return why
	}
	switch {
	case alert == nil:
		return w.whyClosed(by)
	case w.refusesRenegotiation == by.Other():
		why := Reason{Code: Other, Text: fmt.Sprintf("the %v wanted to renegotiate, which the %v does not do (no_renegotiation), and so the %v sent %v", by, by.Other(), by, *alert),
			Fix: fmt.Sprintf("have the %v not renegotiate, or the %v allow it", by, by.Other())}
		if by == endpoint.Server && w.AskedForNone() {
			why.Text += askedLater
			why.Fix = "have the server ask for the certificate in the first handshake (Apache: SSLVerifyClient for the whole host), or try a client that renegotiates (curl, openssl s_client)"
		}
		return why
	}
	return w.whyAlert(*alert, by)
}

// whyAlert says what an alert means that no certificate explains.
func (w *wire) whyAlert(d tlswire.AlertDescription, by endpoint.Side) Reason {
	other := *w.shown.Of(by.Other())
	why := meaning(d, by, w.showing(by.Other()))
	early := by == endpoint.Server && !w.answered && w.hello != nil
	add := func(what string, names []string) {
		if len(names) > 0 {
			why.Text += what + few(names)
		}
	}
	switch {
	case w.Messages[0] == w.Alert && !w.NoSYN && !w.Lacking && by == endpoint.Client:
		return Reason{Code: Other, Text: fmt.Sprintf("the client sent %v in place of ClientHello", d),
			Fix: "look into the log of the client: by its own settings it may have nothing to offer (versions, cipher suites, signature algorithms; OpenSSL: MinProtocol, SECLEVEL)"}
	case w.isAboutPSK(d, by):
		why = Reason{Code: Other, Text: fmt.Sprintf("the %v sent %v: a checksum of the %v's is wrong, as when the two were given different pre-shared keys (PSK)", by, d, by.Other()), Fix: compareKeys}
		return why
	case d == tlswire.AlertUnknownPSKIdentity && w.hello != nil && (by == endpoint.Client || !w.namesPSK()):
		why = Reason{Code: Other, Text: fmt.Sprintf("the %v sent %v: that is about pre-shared keys (PSK), of which the %v has named none, or about user names (SRP)", by, d, by.Other()), Fix: fixed(lookIntoLog, by)}
	case other.bare && why.Code == RefusedByCertificate:
		why.Text += "; the " + by.Other().String() + " showed a bare public key (RFC 7250), which the " + by.String() + " must know"
		return why
	case d == tlswire.AlertProtocolVersion && early:
		add(": the client offers ", tlswire.Names(w.offer().Versions))
		if slices.Contains(w.offer().Versions, tlswire.VersionTLS13) {
			why.Fix = "have the server speak TLS 1.3, or the client offer an older version, too"
		}
	case d == tlswire.AlertProtocolVersion && w.answered && !w.again && (by == endpoint.Server || slices.Contains(w.offer().Versions, w.Version)):
		why = Reason{Code: Other, Text: fmt.Sprintf("the %v sent protocol_version, although the two had agreed on %v: to it something that came then is no TLS record, or one of another version", by, w.Version), Fix: fixed(findMeddling, by)}
	case d == tlswire.AlertProtocolVersion && by == endpoint.Client && w.choice != nil:
		why.Text += ": it has chosen " + w.choice.Version().String()
	case by == endpoint.Client && !isAboutCertificate(d) && w.choseUnoffered():
		return Reason{Code: NoCommonALPN, Text: fmt.Sprintf("the client sent %v: the server has chosen %q (ALPN), which the client did not offer", d, w.ALPN),
			Fix: "have the server choose from what the client offers, or the client offer that protocol, too (RFC 7301 section 3.2)"}
	case d == tlswire.AlertNoApplicationProtocol && by == endpoint.Server:
		add(": ", w.offer().ALPN)
		why.Fix = fixFor(why.Code, w.offer())
	case d == tlswire.AlertUnexpectedMessage && by == endpoint.Server && w.early && w.answered && w.Version < tlswire.VersionTLS13: // RFC 9846 appendix E.3
		return Reason{Code: Other, Text: fmt.Sprintf("the server sent unexpected_message: the client offered early data (0-RTT), as to a server that spoke TLS 1.3, and this one has chosen %v, which has none", w.Version),
			Fix: "have the client call again without early data, or the server speak TLS 1.3"}
	case d == tlswire.AlertUnrecognizedName && w.ServerName != "":
		why.Text += ": " + w.ServerName
	case d == tlswire.AlertUnrecognizedName && w.hello != nil:
		why.Text = fmt.Sprintf("the %v sent %v: the client asked for no host by name (server_name), and the server wants one", by, d)
	case d == tlswire.AlertHandshakeFailure && by == endpoint.Server && !w.answered && !w.Lacking:
		why.Text, why.Fix = nothingInCommon, compareOffers
	case d == tlswire.AlertHandshakeFailure && by == endpoint.Server && w.isTLS13() && w.showing(endpoint.Client) == MayHaveSent: // which has certificate_required
		why.Text = "the server sent handshake_failure: it cannot agree to what the client offers or has shown"
	case d == tlswire.AlertIllegalParameter && w.curveOf(other.leaf) != "":
		why.Text += fmt.Sprintf(": in TLS 1.2, OpenSSL says that of a certificate whose key is on a curve that it does not allow (wrong curve), and the %v's key is on %s", by.Other(), w.curveOf(other.leaf))
		why.Fix = fixed("add the curve to those of the {by} (nginx: ssl_ecdh_curve, OpenSSL: Groups or -curves), or give the {other} a certificate whose key is on one of them; if its log says something else, update both programs", by)
	case d == tlswire.AlertInternalError && by == endpoint.Server && early:
		why.Text += ", when it read ClientHello"
	case d == tlswire.AlertDecryptError && other.signature == tlsdecrypt.Holds && other.leaf != nil:
		why.Code, why.Text = RefusedByCertificate, fmt.Sprintf("the %v sent decrypt_error, although the %v has signed with the key of its certificate: the signature on that certificate must be wrong for it, or the message was changed on the way", by, by.Other())
	}
	if why.Code == chain.Expired && other.isInDate() {
		why.Code, why.Text = RefusedByCertificate, why.Text+"; yet the dates of the certificate itself are right"
	}
	if w.answered && w.mayResume() && d.RefusesCertificate() && w.showing(by.Other()) == MayHaveSent {
		why.Text += ofEarlierSession
	}
	if w.leftUnsigned(by) && (d == tlswire.AlertHandshakeFailure || d == tlswire.AlertInternalError) {
		why.Text = fmt.Sprintf("the server sent %v: it does not sign with the key of its certificate, which comes next", d)
	}
	why.Causes = w.causes(by)
	w.addEvident(&why, by)
	w.addMissing(&why, d, by)
	if d := w.warned(by.Other()); d != "" {
		why.Text += fmt.Sprintf("; before that the %v had sent %s as a warning", by.Other(), d)
	}
	return why
}

// curveOf returns the curve that the key of a certificate is on, where the list
// of groups counts for it, too: before TLS 1.3 (RFC 8422 section 5.1.1); "":
// there is none.
func (w *wire) curveOf(leaf *x509.Certificate) string {
	if leaf == nil || w.Version == 0 || w.Version >= tlswire.VersionTLS13 {
		return ""
	}
	if key, ok := leaf.PublicKey.(*ecdsa.PublicKey); ok {
		return key.Params().Name
	}
	return ""
}

// choseUnoffered reports whether the server has chosen an application protocol
// that the client did not offer.
func (w *wire) choseUnoffered() bool {
	return w.ALPN != "" && w.hello != nil && !w.Lacking && !slices.Contains(w.offer().ALPN, w.ALPN)
}

// isAboutPSK reports whether an alert says that the other side has not the same
// pre-shared key: some programs say illegal_parameter to a wrong binder.
func (w *wire) isAboutPSK(d tlswire.AlertDescription, by endpoint.Side) bool {
	switch d {
	case tlswire.AlertDecryptError:
		return w.namesPSK() && w.showing(by.Other()) != SentCertificate
	case tlswire.AlertBadRecordMAC: // in TLS 1.2 (RFC 4279 section 2)
		return w.isByPSK() && w.showing(by.Other()) != SentCertificate
	case tlswire.AlertIllegalParameter:
		return by == endpoint.Server && !w.answered && w.offersPSK
	}
	return false
}

// namesPSK reports whether the client may have named a pre-shared key: in
// ClientHello, or in TLS 1.2 after it.
func (w *wire) namesPSK() bool { return w.offersPSK || w.isByPSK() }

// isByPSK reports whether the cipher suite of TLS 1.2 has the two sides prove to
// each other that they have a pre-shared key.
func (w *wire) isByPSK() bool { return w.CipherSuite.Info().KeyExchange.IsPSK() }

// isTLS13 reports whether TLS 1.3 was negotiated, or nothing else was
// w.offer().
func (w *wire) isTLS13() bool {
	switch {
	case w.Version != 0:
		return w.Version >= tlswire.VersionTLS13
	case w.retried:
		return true
	}
	versions := w.offer().Versions
	return len(versions) > 0 && !slices.ContainsFunc(versions, func(v tlswire.Version) bool { return v < tlswire.VersionTLS13 })
}

// warned names the last warning of a side; "": there was none.
func (w *wire) warned(side endpoint.Side) string {
	for _, m := range slices.Backward(w.warnings) {
		if m.From == side && m.Alert.Description != tlswire.AlertUserCanceled {
			return m.Alert.Description.String()
		}
	}
	return ""
}

// silently is what to add to a fault of the other side that a side has not
// complained about: it, or something between the two, has closed.
func (w *wire) silently(by endpoint.Side) string {
	switch {
	case w.alertOf(by) != nil:
		return ""
	case *w.goodbyes.Of(by):
		return ", and the " + by.String() + " closed the connection with close_notify, which gives no reason"
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
	case tlswire.AlertDecodeError:
		return fault == chain.Malformed
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
	if *w.goodbyes.Of(by) {
		why.Text = fmt.Sprintf("the %v closed the connection during the handshake with close_notify, which gives no reason", by)
	}
	switch warned := w.warned(by.Other()); {
	case warned == tlswire.AlertUnrecognizedName.String() && by == endpoint.Client:
		return w.leftForName(why)
	case by == endpoint.Client && w.leftBeforeAnswer() && !*w.goodbyes.Of(by):
		why.Text = fmt.Sprintf("the client broke off the connection without an alert: it sent %s %v after its ClientHello, before the server's answer", w.howEnded(), w.EndedAt.Sub(w.spoke).Round(time.Millisecond))
	case by == endpoint.Client && w.shown.Server.seen:
		explained := closedAfterCertificate
		if w.AskedForNone() {
			explained = closedUnasked
		}
		why.Text += explained
		why.Causes = w.causes(by)
	case by == endpoint.Server && !w.answered && !w.retried:
		why.Text = "the server ended the connection without an answer to ClientHello, and without an alert"
		for _, s := range w.unanswering() {
			why.Causes = append(why.Causes, s.of(by))
		}
		if *w.goodbyes.Of(by) {
			why.Text = "the server ended the connection with close_notify in place of an answer to ClientHello"
			why.Causes = nil // it speaks TLS
		}
	case by == endpoint.Server && w.shown.Client.seen:
		why.Causes = w.causes(by)
	}
	if by == endpoint.Server && w.isDropped() && !*w.goodbyes.Of(by) {
		why.Text = "the server ended the connection without an alert, and without an answer to the client's request"
	}
	return why
}

// leftForName explains a client that leaves after a server's warning that it
// has no such host, and that goes on with another one's certificate.
func (w *wire) leftForName(why Reason) Reason {
	name := w.ServerName
	if name == "" {
		name = "the one that the client asked for"
	}
	return Reason{Code: UnrecognizedName, Text: fmt.Sprintf("the server warned that it has no host of the name %s (unrecognized_name), and %s", name, why.Text), Causes: w.causes(endpoint.Client)}
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
