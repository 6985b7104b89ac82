package verdict

import (
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// Cause is something that may be behind a rejection.
type Cause struct {
	Code Code   `json:"code"`
	Text string `json:"text"` // a clause
	Tell string `json:"tell"` // what would tell it from the others
}

// why says why a side ended the handshake, by its alert, if there was one, and
// by what the other side showed of itself.
func (w *wire) why(by endpoint.Side) Reason {
	other := *w.shown.Of(by.Other())
	alert := w.alertOf(by)
	switch {
	case by == endpoint.Server && other.empty && (alert == nil || alert.WantsCertificate() || *alert == tlswire.AlertDecodeError): // the last is GnuTLS in TLS 1.2
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
	case w.stays == by.Other():
		return Reason{Code: Other, Text: fmt.Sprintf("the %v wanted to renegotiate, which the %v does not do (no_renegotiation), and so the %v sent %v", by, by.Other(), by, *alert)}
	}
	why := meaning(*alert, by, other.empty)
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
	case w.Answer == nil && w.unused() && w.leaver == endpoint.Server:
		v.Reason = "after the handshake the server closed before the client had sent a request"
	case w.Answer == nil && w.unused():
		v.Reason = noRequest
		if fault := w.shown.Server.faultThat(nil); fault != nil {
			v.because(Reason{Code: fault.Code, Text: fault.Of("the server's certificate", w.shown.Server.leaf) + "; and after the handshake there was no request, as of a client that looks at that afterwards (curl)"})
			v.Fix = fix(fault.Code, endpoint.Client)
		}
	case w.Answer == nil && w.data.Client && !w.data.Server && w.leaver == endpoint.Server:
		v.Reason = "the server closed without an answer to what the client had sent"
	case w.Answer != nil && w.AskedForNone() && isUnauthorised(w.Answer.HTTP.Status):
		v.How = InHTTP
		v.because(w.unasked())
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

// reservation says what is wrong with the certificate of a client that was let in,
// as far as can be seen without keys.
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

// unasked is why HTTP refuses a client that the server has not asked for a
// certificate on this connection.
func (w *wire) unasked() Reason {
	status := w.Answer.HTTP.Status
	for _, h := range w.Answer.HTTP.Headers {
		if strings.EqualFold(h.Name, "WWW-Authenticate") { // RFC 9110 section 11.6.1
			scheme, _, _ := strings.Cut(strings.TrimSpace(h.Value), " ")
			return Reason{Code: RefusedInHTTP, Text: fmt.Sprintf("the server refuses in HTTP with %d, and asks for %s in place of a certificate (WWW-Authenticate)", status, scheme),
				Fix: "send the password or token that the server asks for in HTTP; if it is to go by certificates, have it ask for one (nginx: ssl_verify_client)"}
		}
	}
	if w.Resumption != tlsdecrypt.FullHandshake {
		return Reason{Code: RefusedInHTTP, Text: fmt.Sprintf("the server refuses in HTTP with %d, in a session that was resumed: it goes by the certificate of the handshake before, if there was one", status),
			Fix: "look at the handshake that began the session, and into the log of the server; a new session asks for the certificate again"}
	}
	return Reason{Code: NotAsked, Text: fmt.Sprintf("the server refuses in HTTP with %d, and has not asked for a certificate in the handshake", status)}
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

// causes are what may be behind the refusal of a certificate, the likeliest
// first: without what the capture rules out.
func (w *wire) causes(by endpoint.Side) (likely []Cause) {
	var d tlswire.AlertDescription
	if alert := w.alertOf(by); alert != nil {
		d = *alert
	}
	for _, code := range candidates(d, by, w.answered) {
		if w.rulesOut(code, by) {
			continue
		}
		known := suspicions[code]
		fill := strings.NewReplacer("{by}", by.String(), "{other}", by.Other().String(), "{ca}", map[endpoint.Side]string{endpoint.Server: "client-ca", endpoint.Client: "ca"}[by])
		likely = append(likely, Cause{Code: known.code(code), Text: fill.Replace(known.text), Tell: fill.Replace(known.tell)})
	}
	if len(likely) == 1 && d == 0 {
		return nil
	}
	return likely
}

// candidates are what programs mean by an alert, the likeliest first. OpenSSL,
// Go and rustls tell the causes apart; Java and GnuTLS send one alert for most.
func candidates(d tlswire.AlertDescription, by endpoint.Side, answered bool) []Code {
	names := []Code{chain.WrongHost, chain.NoSAN}
	if by == endpoint.Server {
		names = nil
	}
	switch d {
	case tlswire.AlertUnknownCA:
		if by == endpoint.Server { // the client has sent one of a CA that the server names
			return []Code{chain.LookAlikeCA, chain.UnknownCA, chain.SelfSigned}
		}
		return []Code{chain.UnknownCA, chain.LookAlikeCA, chain.SelfSigned}
	case tlswire.AlertUnsupportedCertificate:
		return []Code{chain.WrongUsage, chain.WrongKeyUsage, chain.WeakKey}
	case tlswire.AlertCertificateExpired:
		return []Code{expiredAbove, wrongClock}
	case tlswire.AlertDecryptError:
		return []Code{BadSignature, chain.LookAlikeCA}
	case tlswire.AlertHandshakeFailure:
		if !answered {
			return []Code{NoCommonCipherSuite, NoCommonGroup, NoCommonSignature, NoCommonVersion}
		}
		if by == endpoint.Server {
			return []Code{NoClientCertificate, chain.UnknownCA, chain.WrongUsage, NoCommonSignature}
		}
		return []Code{chain.UnknownCA, chain.WrongUsage, NoCommonGroup}
	case tlswire.AlertBadCertificate, tlswire.AlertCertificateUnknown, tlswire.AlertAccessDenied, 0:
		list := []Code{chain.UnknownCA, chain.LookAlikeCA}
		if by == endpoint.Server {
			list = []Code{NoClientCertificate, chain.LookAlikeCA, chain.UnknownCA}
		}
		list = append(list, names...)
		list = append(list, chain.Expired, chain.NotYetValid, chain.WrongUsage, chain.SelfSigned, chain.Revoked, BadSignature, chain.WeakKey)
		if by == endpoint.Server {
			list = append(list, chain.CRLMissing, chain.CRLStale)
		}
		return list
	}
	return nil
}

// rulesOut reports whether the capture shows that a cause is none.
func (w *wire) rulesOut(code Code, by endpoint.Side) bool {
	other := *w.shown.Of(by.Other())
	leaf := other.leaf
	switch code {
	case NoClientCertificate:
		return by == endpoint.Client || other.seen && !other.empty
	case BadSignature:
		return other.signature == tlsdecrypt.Holds
	case NoCommonVersion:
		return len(w.Offers().Versions) > 1
	}
	if leaf == nil {
		return false
	}
	usage := x509.ExtKeyUsageClientAuth
	if by == endpoint.Client {
		usage = x509.ExtKeyUsageServerAuth
	}
	switch code {
	case chain.Expired, chain.NotYetValid:
		return chain.IsClock(other.at)
	case chain.WrongUsage:
		return !chain.Forbids(leaf, usage) && len(leaf.ExtKeyUsage) > 0
	case chain.SelfSigned:
		return !chain.IsSelfIssued(leaf)
	case chain.WeakKey:
		key, ok := leaf.PublicKey.(*rsa.PublicKey)
		return !ok || key.N.BitLen() >= 2048
	case chain.NoSAN:
		return len(leaf.DNSNames)+len(leaf.IPAddresses) > 0
	case chain.WrongHost:
		return len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 || w.ServerName != "" && leaf.VerifyHostname(w.ServerName) == nil
	case chain.WrongKeyUsage:
		return leaf.KeyUsage == 0 || leaf.KeyUsage&x509.KeyUsageDigitalSignature != 0
	}
	return false
}

// Causes that are a code's in part.
const (
	expiredAbove Code = "expired "
	wrongClock   Code = "not_yet_valid "
)

// suspicion is a cause in words: {by} has rejected {other}, and {ca} is the flag
// for the CAs that it trusts.
type suspicion struct{ text, tell string }

func (suspicion) code(c Code) Code { return Code(strings.TrimSuffix(string(c), " ")) }

var suspicions = map[Code]suspicion{
	chain.UnknownCA:     {"the {by} does not trust the CA of the {other}'s certificate, or an intermediate certificate was not sent along", "lab explain --{ca} FILE, with the CAs that the {by} trusts"},
	chain.LookAlikeCA:   {"the {by} has a CA of the same name, but with another key", "compare the SHA-256 fingerprints of the CA's certificate on both sides"},
	chain.SelfSigned:    {"the {other}'s certificate is signed by itself", "openssl x509 -noout -subject -issuer -in CERT.pem shows one name twice"},
	chain.WrongHost:     {"the {other}'s certificate is not for the name that the {by} called", "compare the URL with the certificate's subject alternative names"},
	chain.NoSAN:         {"the {other}'s certificate has no subject alternative name", "openssl x509 -noout -ext subjectAltName -in CERT.pem shows none"},
	chain.Expired:       {"the {other}'s certificate has expired", "openssl x509 -noout -dates -in CERT.pem"},
	chain.NotYetValid:   {"the {other}'s certificate is not valid yet, or the {by}'s clock is wrong", "openssl x509 -noout -dates -in CERT.pem, and date on both machines"},
	expiredAbove:        {"a CA above the {other}'s certificate has expired", "openssl x509 -noout -dates -in CA.pem, for each CA of the chain"},
	wrongClock:          {"the {by}'s clock is wrong", "date, on the {by}'s machine"},
	chain.WrongUsage:    {"the {other}'s certificate, or a CA above it, is not for authenticating a {other} (extended key usage)", "openssl x509 -noout -ext extendedKeyUsage -in CERT.pem"},
	chain.WrongKeyUsage: {"the {other}'s certificate is not for signatures (key usage)", "openssl x509 -noout -ext keyUsage -in CERT.pem"},
	chain.WeakKey:       {"the {other}'s key is too short for the {by}", "openssl x509 -noout -text -in CERT.pem shows its size"},
	chain.CRLMissing:    {"the {by} requires a CRL of each CA, and has none of that one", "its settings (OpenSSL: -crl_check, nginx: ssl_crl)"},
	chain.CRLStale:      {"a CRL of the {by} is out of date", "openssl crl -noout -nextupdate -in CRL.pem"},
	chain.Revoked:       {"the {other}'s certificate is on a CRL that the {by} has", "openssl crl -noout -text -in CRL.pem lists its serial number"},
	NoClientCertificate: {"the client sent no certificate", "its own log, or a capture with keys"},
	BadSignature:        {"the {other} has signed with another key than that of its certificate", "openssl pkey -pubout -in KEY.pem and openssl x509 -noout -pubkey -in CERT.pem differ"},
	NoCommonCipherSuite: {"the two have no cipher suite in common, or none that fits the server's key", "the server's configuration, against the suites in ClientHello"},
	NoCommonGroup:       {"the two have no group for the key exchange in common", "the server's configuration, against supported_groups in ClientHello"},
	NoCommonSignature:   {"the two have no signature algorithm in common", "the type of the certificates' keys, against signature_algorithms"},
	NoCommonVersion:     {"the server does not speak the one version that the client offers", "the server's configuration"},
}
