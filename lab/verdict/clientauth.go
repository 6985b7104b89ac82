package verdict

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// Whether the server asked for a certificate, and for which.

// wanted returns the CAs that the server wants the client's certificate to be
// of; none: any, or it asked for no certificate.
func (w *wire) wanted() []tlswire.DistinguishedName {
	switch request := w.request.(type) {
	case *tlswire.CertificateRequest:
		if x, ok := tlswire.Lookup[*tlswire.CertificateAuthorities](request.Extensions, tlswire.ExtensionCertificateAuthorities); ok {
			return x.Authorities
		}
	case *tlswire.CertificateRequestTLS12:
		return request.CertificateAuthorities
	}
	return nil
}

// takesKeys says that the server asked for a certificate with a key of one kind;
// "": it takes both RSA and ECDSA, or did not say.
func (w *wire) takesKeys() string {
	var schemes []tlswire.SignatureScheme
	switch request := w.request.(type) {
	case *tlswire.CertificateRequest:
		if x, ok := tlswire.Lookup[*tlswire.SignatureSchemeList](request.Extensions, tlswire.ExtensionSignatureAlgorithms); ok {
			schemes = x.Schemes
		}
	case *tlswire.CertificateRequestTLS12:
		schemes = request.SignatureAlgorithms
	}
	names := tlswire.Names(schemes)
	isFor := func(kind string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, kind) })
	}
	switch rsa, ecdsa := isFor("rsa_"), isFor("ecdsa_"); {
	case rsa && !ecdsa:
		return "signatures of RSA keys alone (" + few(names) + ")"
	case ecdsa && !rsa:
		return "no signatures of RSA keys (" + few(names) + ")"
	}
	return ""
}

// haveIssued reports whether one of the certificates that a client has sent is
// of one of the CAs that the server wants, or may be.
func haveIssued(wanted []tlswire.DistinguishedName, ders [][]byte) bool {
	for _, der := range ders {
		cert, err := tlswire.ParseCertificate(der)
		if err != nil || slices.ContainsFunc(wanted, func(n tlswire.DistinguishedName) bool { return bytes.Equal(n, cert.RawIssuer) }) {
			return true
		}
	}
	return false
}

// showing returns what a side has shown of itself, for what the other side says
// to it.
func (w *wire) showing(side endpoint.Side) Showing {
	c := w.shown.Of(side)
	switch {
	case c.seen && c.empty:
		return SentEmpty
	case c.seen:
		return SentCertificate
	case w.mayResume(): // it has shown what it has in that session
		return MayHaveSent
	case w.isResumed(), !w.Lacking && w.cannotHaveShown(side):
		return SentNothing
	}
	return MayHaveSent
}

// cannotHaveShown reports whether a side that was not seen to show a certificate
// has shown none: all was read, or the server has not asked.
func (w *wire) cannotHaveShown(side endpoint.Side) bool {
	return !w.Hidden || side == endpoint.Client && w.AskedForNone() && !w.mayAskLater()
}

// isResumed reports whether an earlier session was taken up, so that nobody
// shows a certificate.
func (w *wire) isResumed() bool { return w.Resumption != tlsdecrypt.FullHandshake }

// mayAskLater reports whether the server may have asked for a certificate after
// the first handshake: in another one, which is encrypted (RFC 5246 section
// 7.4.1.1).
func (w *wire) mayAskLater() bool { return w.asksLater || w.again }

// isUnasked reports whether the client is known not to have been asked for a
// certificate, in this connection or an earlier one.
func (w *wire) isUnasked() bool {
	return w.AskedForNone() && !w.mayAskLater() && !w.isResumed() && !w.isByPSK()
}

// mayResume reports whether an earlier session was taken up, or whether that may
// have been on its way. A key that both sides were given has no age (RFC 9846
// section 4.3.11).
func (w *wire) mayResume() bool {
	if w.hello == nil || w.shown.Server.seen {
		return w.isResumed()
	}
	psk, offersPSK := tlswire.Lookup[*tlswire.OfferedPSKs](w.hello.Extensions, tlswire.ExtensionPreSharedKey)
	ticket, _ := tlswire.Lookup[*tlswire.SessionTicket](w.hello.Extensions, tlswire.ExtensionSessionTicket)
	switch {
	case offersPSK:
		return len(psk.Identities) > 0 && psk.Identities[0].ObfuscatedTicketAge != 0 && (!w.answered || w.isResumed())
	case w.isTLS13():
		return false
	case w.answered && w.Version < tlswire.VersionTLS13 && len(w.hello.LegacySessionID) > 0:
		return w.isResumed() || bytes.Equal(w.hello.LegacySessionID, w.choice.LegacySessionIDEcho)
	}
	return w.isResumed() || ticket != nil && len(ticket.Ticket) > 0 && !w.AskedForNone()
}

// askedLater explains a server that begins another handshake.
const askedLater = "; servers do so that ask for a certificate for some paths alone (Apache: SSLVerifyClient in a Location)"

// askedAfter is what to add to a refusal by the server after the handshake, if
// it has asked for the certificate by then (RFC 9846 section 4.7.2, RFC 5246
// section 7.4.1.1); "": it has not.
func (w *wire) askedAfter(by endpoint.Side) string {
	switch {
	case by != endpoint.Server || !w.requestedAfter || !w.shown.Client.seen:
		return ""
	case w.Version >= tlswire.VersionTLS13:
		return "; the server had asked for a certificate after the handshake (post-handshake authentication)"
	}
	return "; the server had asked for a certificate in a second handshake (renegotiation)"
}

// ofEarlierSession is what to add to what a side says of a certificate, when the
// other one has shown it in the session that was taken up: nobody is asked
// again.
const ofEarlierSession = "; the two took up an earlier session, in which it was shown"

// neverAsked is the reason of a verdict on a client that was accepted, and was
// not asked for a certificate.
const neverAsked = "not mutual: the server never asked for a certificate"

// mutual reports whether a client that was accepted has shown a certificate in
// this connection; nil: not known, or it may still be asked.
func (w *wire) mutual() *bool {
	showed := w.shown.Client.seen && !w.shown.Client.empty
	switch {
	case (w.isResumed() || w.isByPSK()) && !showed: // the client is known otherwise
		return nil
	case w.shown.Client.seen:
		return &showed
	case !w.AskedForNone(), w.mayAskLater() && w.Hidden, w.goesOn():
		return nil
	}
	return &showed
}

// goesOn reports whether what came later is not in the capture, or has not
// happened yet.
func (w *wire) goesOn() bool {
	return w.End == tlsdecrypt.StillOpen || w.End == tlsdecrypt.CutOff
}

// noteUnasked adds to the verdict on a client that was accepted that it was not
// asked for a certificate, if there is no more to say.
func (w *wire) noteUnasked(v *Verdict) {
	if v.Outcome != Accepted {
		return
	}
	v.Mutual = w.mutual()
	if said := w.notMutual(); v.Code == "" && said != "" {
		v.unasked = v.Reason == "" && said == neverAsked
		v.Reason = joined(v.Reason, said)
	}
}

// notMutual says that a client which was accepted has not been asked for a
// certificate; "" if it was, or if that is not known.
func (w *wire) notMutual() string {
	switch {
	case w.isResumed(), w.isByPSK(), !w.AskedForNone():
		return ""
	case w.asksLater && w.refusesRenegotiation == endpoint.Client:
		return "not mutual: the server asked for no certificate in the handshake, and the client refused another one (no_renegotiation)"
	case w.mayAskLater() && w.Hidden:
		return "the server asked for no certificate in the first handshake; there was another, which is encrypted"
	case w.asksLater && !w.again:
		return "not mutual: the server asked for no certificate in the handshake; it wanted another one (HelloRequest), which did not follow"
	case w.goesOn():
		return "not mutual so far: the server has not asked for a certificate"
	}
	return neverAsked
}

// notToBeAsked is what to add to a refusal of a client that was not asked, and
// that does not offer to be asked after the handshake (RFC 9846 section 4.3.6).
const notToBeAsked = "; nor could it ask later, which the client does not offer (post_handshake_auth)"

// askers are what has servers ask for a certificate, by what they speak.
var askers = map[string]string{
	"PostgreSQL": "have the server ask for a certificate: ssl_ca_file in postgresql.conf, and clientcert=verify-full on its hostssl line in pg_hba.conf",
	"MySQL":      "have the server ask for a certificate: ssl_ca in its configuration, and REQUIRE X509 for the account",
	"MariaDB":    "have the server ask for a certificate: ssl_ca in its configuration, and REQUIRE X509 for the account",
	"SMTP":       "have the server ask for a certificate (Postfix: smtpd_tls_ask_ccert, and smtpd_tls_req_ccert to refuse who has none; Exim: tls_verify_hosts)",
	"IMAP":       "have the server ask for a certificate (Dovecot: auth_ssl_require_client_cert)",
	"POP3":       "have the server ask for a certificate (Dovecot: auth_ssl_require_client_cert)",
	"LDAP":       "have the server ask for a certificate (OpenLDAP: TLSVerifyClient demand)",
}

// fixForProtocol says how a server is made to ask for a certificate that speaks
// something else than HTTP.
func (v *Verdict) fixForProtocol(within *prologue.Layer) {
	if v.Code == NotAsked && within != nil && v.Fix == fix(NotAsked, endpoint.Server) {
		v.Fix = cmp.Or(askers[within.Protocol], v.Fix)
	}
}

// askInHandshake is what to change at a server that asks a client of TLS 1.3 too
// late, or never.
const askInHandshake = "have the server ask for a certificate in the handshake (nginx: ssl_verify_client; Apache: SSLVerifyClient outside of Location and Directory, in which it asks after the request; Node: requestCert; Java: setNeedClientAuth)"

// cannotBeAsked reports whether the client has said that it cannot be asked for
// a certificate after the handshake.
func (w *wire) cannotBeAsked() bool {
	return w.Version >= tlswire.VersionTLS13 && w.hello != nil && !tlswire.Has(w.hello.Extensions, tlswire.ExtensionPostHandshakeAuth)
}

// RefuseUnasked returns the reason of a refusal in HTTP of a client that was not
// asked for a certificate; nil: the status is not about who the client is.
// authenticate is the response's WWW-Authenticate (RFC 9110 section 11.6.1).
func RefuseUnasked(status int, authenticate string) *Reason {
	if !isUnauthorised(status) {
		return nil
	}
	if scheme, _, _ := strings.Cut(strings.TrimSpace(authenticate), " "); scheme != "" {
		return &Reason{Code: RefusedInHTTP, Text: fmt.Sprintf("the server refuses in HTTP with %d, and asks for %s in place of a certificate (WWW-Authenticate)", status, scheme),
			Fix: "send the password or token that the server asks for in HTTP; if it is to go by certificates, have it ask for one (nginx: ssl_verify_client)"}
	}
	return &Reason{Code: NotAsked, Text: fmt.Sprintf("%s, and refuses in HTTP with %d", neverAsked, status),
		Fix: fix(NotAsked, endpoint.Server) + "; if it goes by something else, its log says why it refuses"}
}

// isUnauthorised reports whether a status is about who the client is.
func isUnauthorised(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}
