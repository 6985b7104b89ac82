package verdict

import (
	"cmp"
	"fmt"

	"mtlslab.example/lab/lab/httpwire"
)

// A server may refuse in HTTP what it cannot have seen on this connection: then
// it stands behind what ends TLS here. nginx says so in the title of its answer.

// refusedBehind returns why a server behind the one of this connection refuses
// in HTTP; false: that is not known to be.
func (w *wire) refusedBehind() (Reason, bool) {
	if w.Answer == nil {
		return Reason{}, false
	}
	said, client := w.Answer.HTTP, &w.shown.Client
	const passesOn = "the server answered 400 (%s): what ends TLS here "
	if said.Complains(httpwire.PlainToTLS) {
		return Reason{Code: SpokeNoTLS, Text: fmt.Sprintf(passesOn+"calls a server behind it without TLS, and that one wants TLS", httpwire.PlainToTLS),
			Fix: "have what ends TLS here call the server behind it by https (nginx: proxy_pass https://)"}, true
	}
	unasked := w.isUnasked()
	code, other := NotPassedOn, ""
	if host := w.misdirected(); unasked && host != "" { // nginx goes by the name in HTTP where there is none in TLS
		code = NotAsked
		other = fmt.Sprintf("; or this server asks for a certificate for %s alone, and the client asked for %s in TLS (server_name)", host, cmp.Or(w.ServerName, "no host"))
	}
	switch {
	case said.Complains(httpwire.NoCertificate) && unasked:
		return Reason{Code: code, Text: fmt.Sprintf("the server asked for no certificate, and answered 400 (%s): a server behind it wants one, and what ends TLS here shows it none", httpwire.NoCertificate) + other}, true
	case said.Complains(httpwire.NoCertificate) && client.seen && !client.empty:
		return Reason{Code: NotPassedOn, Text: fmt.Sprintf("the client sent its certificate, and the server answered 400 (%s): a server behind it wants one too, and what ends TLS here shows it none", httpwire.NoCertificate)}, true
	case said.Complains(httpwire.CertificateError) && unasked:
		return Reason{Code: code, Text: fmt.Sprintf("the server asked for no certificate, and answered 400 (%s): a server behind it refuses the one that what ends TLS here shows it", httpwire.CertificateError) + other,
			Fix: "look into the log of the server behind: it says what is wrong with the certificate that it was shown"}, true
	}
	return Reason{}, false
}
