package verdict

import (
	"fmt"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// beforeTLS returns the verdict on a connection that failed by what was said
// before TLS; false: it did not.
func (w *wire) beforeTLS() (Verdict, bool) {
	if w.Prologue == nil || w.answered {
		return Verdict{}, false
	}
	if h := w.Prologue.Header(); h != nil {
		if tripped, how := w.trippedOverHeader(h); tripped {
			v := Verdict{Outcome: Rejected, How: how, RejectedBy: endpoint.Server}
			v.because(putBeforeTLS(h.Source))
			if m := w.Alert; m != nil {
				v.Alert = newAlert(m.Alert.Description, m.From)
			}
			return v, true
		}
		if h == w.Prologue.Last() && h.Source == "" && w.NotTLSFrom == endpoint.Client {
			return Verdict{Outcome: Unknown, How: NotTLS, Reason: "this is a connection of a load balancer's own, such as a health check: there is a PROXY line and no TLS"}, true
		}
	}
	if why, ok := w.notHello(); ok {
		v := Verdict{Outcome: Unknown, How: NotTLS}
		v.because(why)
		return v, true
	}
	for _, l := range w.Prologue.Layers {
		if len(w.Messages) > 0 && l.Refused == "" { // some clients (openssl s_client) send ClientHello although they were refused
			continue
		}
		if why, how := w.whyPlain(l); why.Text != "" {
			v := Verdict{Outcome: Unknown, How: how}
			v.because(why)
			if l.Demanded != "" {
				v.Outcome, v.RejectedBy = Rejected, endpoint.Server
			}
			return v, true
		}
	}
	return Verdict{}, false
}

// notHello reports whether the client's ClientHello is none: it came amid another
// protocol, in which it had not asked for TLS, and the server went on in plain.
func (w *wire) notHello() (Reason, bool) {
	l := w.Prologue.Last()
	switch {
	case w.ClientRandom == nil || w.Prologue.Bytes.Client == 0 || w.Lacking:
	case l.Asked != "" || l.Kind == prologue.Header || l.Messages.Client == 0:
	case w.NotTLSFrom == endpoint.Server || w.Plain.Server != (tlsdecrypt.Plain{}):
		return Reason{Text: "bytes like those of ClientHello came amid another protocol, and the server went on in it: they are not known to be TLS"}, true
	}
	return Reason{}, false
}

// trippedOverHeader reports whether the server ended the connection as one does
// that takes the header of the PROXY protocol for TLS. It is certain of an
// alert about the form of a message, and of HTTP's 400 where the client has
// begun TLS or has sent nothing but the header. An alert about the version, and
// an end without an answer, have other causes as well.
func (w *wire) trippedOverHeader(h *prologue.Layer) (tripped bool, how How) {
	begun := w.ClientRandom != nil
	if w.Alert != nil {
		if w.Alert.From != endpoint.Server {
			return false, ""
		}
		switch w.Alert.Alert.Description {
		case tlswire.AlertUnexpectedMessage, tlswire.AlertDecodeError, tlswire.AlertRecordOverflow, tlswire.AlertBadRecordMAC:
			return true, NotTLS
		case tlswire.AlertProtocolVersion: // OpenSSL's for what is no record
			return !begun || len(w.offer().Versions) > 1, Probably
		}
		return false, ""
	}
	if answer := w.Plain.Server; answer.HTTP && isBadRequest(answer.Line) {
		alone := h.Source != "" && w.Prologue.Last().Messages.Client == 0 // nothing else that it may mind
		return begun || alone, NotTLS
	}
	if !begun && (w.Prologue.Last() != h || h.Source == "") {
		return false, "" // something else follows the header, or it is a health check's
	}
	return !w.Lacking && w.EndedBy == endpoint.Server && w.Plain.Server == (tlsdecrypt.Plain{}), Probably
}

// putBeforeTLS is why a server ends a connection that begins with the header of
// the PROXY protocol; source is the address in it, "" if that is not known.
func putBeforeTLS(source string) Reason {
	text := "a load balancer has put a PROXY line before TLS, and the server does not expect one"
	if source != "" {
		text += "; the line says that the client is " + source
	}
	return Reason{Code: ProxyHeader, Text: text}
}

// headerOfItsOwn is that why where the client is the lab's.
var headerOfItsOwn = Reason{Code: ProxyHeader, Text: "the client began with a PROXY line (--proxy-protocol), and the server does not expect one",
	Fix: "leave --proxy-protocol out, or have the server expect it (nginx: listen ... proxy_protocol)"}

// gssEncryption is the request of PostgreSQL's clients for the encryption of
// Kerberos.
const gssEncryption = "GSSENCRequest"

// whyPlain says why a layer that could have led to TLS did not; without a text:
// it could not.
func (w *wire) whyPlain(l *prologue.Layer) (why Reason, how How) {
	after := ""
	if l.WentOn {
		after = "; the client went on without TLS"
	}
	switch {
	case l.Refused != "" && l.Kind == prologue.Proxy:
		to := ""
		if l.Target != "" {
			to = " to " + l.Target
		}
		return Reason{Code: ProxyRefused, Text: fmt.Sprintf("the proxy refused the way%s: %s", to, l.Refused), Fix: fixOfProxy(l)}, NotTLS
	case l.Refused != "" && l.Asked == "" && l.WentOn:
		return Reason{Text: fmt.Sprintf("this is %s without TLS, which the server does not offer", l.Protocol)}, NotTLS
	case l.Refused != "" && l.Asked == "":
		return Reason{Code: TLSRefused, Text: "the server does not offer TLS: " + l.Refused}, NotTLS
	case l.Asked == gssEncryption && (l.Agreed || l.Refused != ""):
		return Reason{Text: fmt.Sprintf("this is %s, and the client asked for the encryption of Kerberos (%s), not for TLS%s", l.Protocol, l.Asked, after)}, NotTLS
	case l.Refused != "" && (l.Offered || strings.HasPrefix(l.Refused, "503")): // a bad sequence of commands (RFC 5321 section 4.2.2)
		return Reason{Code: TLSRefused, Text: fmt.Sprintf("the server refused %s: %s%s", l.Asked, l.Refused, after),
			Fix: "have the client ask for TLS where the server takes it: behind its EHLO, and when the server has offered it"}, NotTLS
	case l.Refused != "":
		return Reason{Code: TLSRefused, Text: fmt.Sprintf("the server refused %s: %s%s", l.Asked, l.Refused, after)}, NotTLS
	case l.Demanded != "":
		if l.Protocol == "PostgreSQL" { // that there is an entry for TLS is not known
			return Reason{Code: SpokeNoTLS, Text: "the client did not begin TLS, and the server does not let it in without: " + l.Demanded,
				Fix: "have the client ask for TLS (psql: sslmode=verify-full); the server then needs an entry for it in pg_hba.conf (hostssl)"}, NotTLS
		}
		return Reason{Code: SpokeNoTLS, Text: fmt.Sprintf("the client did not begin TLS, which the server demands: %s", l.Demanded),
			Fix: "have the client begin TLS on this connection (STARTTLS), or call the port where TLS comes first"}, NotTLS
	case l.Asked == "" && l.Kind == prologue.StartTLS && l.Messages.Client == 0 && l.Messages.Server > 0:
		return Reason{Text: fmt.Sprintf("the server greeted as %s does, and the client said nothing", l.Protocol)}, NotTLS
	case l.Asked == "" && l.Kind == prologue.StartTLS && l.Messages.Server > 0:
		return Reason{Text: fmt.Sprintf("this is %s without TLS, for which the client did not ask", l.Protocol)}, NotTLS
	case l.Asked == "" || l.Agreed && l.Kind == prologue.Proxy && l != w.Prologue.Last():
		return Reason{}, ""
	}
	return w.whyUnfinished(l)
}

// whyUnfinished says why nothing came of what the client had asked for.
func (w *wire) whyUnfinished(l *prologue.Layer) (why Reason, how How) {
	asked := "STARTTLS"
	if l.Asked != "" {
		asked = l.Asked
	}
	peer := "the server"
	if l.Kind == prologue.Proxy {
		peer = "the proxy"
	}
	ended := w.EndedBy != endpoint.Unknown && w.End != tlsdecrypt.CutOff && !w.Lacking
	switch {
	case !ended && l.Agreed:
		return Reason{Text: fmt.Sprintf("%s agreed to %s, and what came after that is not in the capture", peer, asked)}, CutOff
	case !ended:
		return Reason{Text: fmt.Sprintf("%s's answer to %s is not in the capture", peer, asked)}, CutOff
	case l.Agreed && l.Kind == prologue.Proxy && l.Asked != "CONNECT" && w.Prologue.Last() == l:
		return Reason{Text: fmt.Sprintf("the proxy agreed to %s, which is for no TLS on this connection", strings.TrimPrefix(asked, l.Protocol+": "))}, NotTLS
	case l.Agreed && l.WentOn:
		return Reason{Text: fmt.Sprintf("%s agreed to %s, but the client went on without TLS", peer, asked)}, NotTLS
	case l.Agreed:
		return Reason{Text: fmt.Sprintf("%s agreed to %s, and then the %v closed before TLS had begun", peer, asked, w.EndedBy)}, NotTLS
	case w.EndedBy == endpoint.Server:
		return Reason{Code: TLSRefused, Text: fmt.Sprintf("%s closed without an answer to %s", peer, asked), Fix: "look into the log of " + peer}, NotTLS
	}
	return Reason{Text: fmt.Sprintf("the client closed before %s had answered %s", peer, asked),
		Fix: fmt.Sprintf("find out why %s does not answer: its log says more; or the client waits for less long than it needs", peer)}, NotTLS
}

// fixOfProxy says what to change when a proxy refuses; "": what its code says.
func fixOfProxy(l *prologue.Layer) string {
	switch l.Refusal {
	case prologue.NotLoggedIn:
		return "give the client the proxy's user name and password (curl: --proxy-user)"
	case prologue.NotReachable:
		return "find out why the proxy cannot reach that host and port: the name, the port, a firewall between the two"
	}
	return ""
}

// greets says what a server speaks that greets in plain text; false: that is
// not known. start are its first bytes, of which there may be few.
func greets(start []byte) (Reason, bool) {
	protocol, command := prologue.GreetingOf(start)
	if protocol == "" {
		return Reason{}, false
	}
	why := Reason{Code: SpokeNoTLS, Text: "the server did not speak TLS, but greeted in plain text, as " + protocol + " does"}
	if command != "" {
		why.Fix = fmt.Sprintf("have the client begin TLS by %s (openssl s_client -starttls, curl --ssl-reqd), or call the port where TLS comes first", command)
	} else {
		why.Fix = "find the port where the server speaks TLS"
	}
	return why, true
}

// What may be behind a server that closes as soon as it has a ClientHello.
var (
	notYetTLS = &suspect{SpokeNoTLS, "the server does not speak TLS on this port, or not from the first byte on",
		"its configuration, or its answer to openssl s_client -starttls"}
	headerMissing = &suspect{ProxyHeader, "the server expects the PROXY line of a load balancer before TLS, and got none",
		"its configuration (nginx: listen ... proxy_protocol), or its answer to curl --haproxy-protocol"}
	silentRefusal = &suspect{NoCommonVersion, "the server refuses the versions or the cipher suites of the client, or cannot use its own certificate and key, and sends no alert, as Dovecot does",
		"its log, and what openssl s_client gets with other versions (-tls1_2, -tls1_3)"}
	noBinding = &suspect{UnrecognizedName, "the server has no certificate for the host that the client asks for (server_name), and sends no alert, as IIS does",
		"its answer to openssl s_client -servername with a name that it has"}
)

// unanswering are those of them that a connection leaves, the likeliest first.
func (w *wire) unanswering() []*suspect {
	if w.Prologue != nil && slices.ContainsFunc(w.Prologue.Layers, func(l *prologue.Layer) bool { return l.Kind == prologue.StartTLS && l.Agreed }) {
		return []*suspect{silentRefusal, noBinding}
	}
	return []*suspect{notYetTLS, silentRefusal, noBinding, headerMissing}
}
