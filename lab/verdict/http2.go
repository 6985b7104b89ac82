package verdict

import (
	"fmt"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/text"
)

// RefuseByReset returns the reason of a server that gives up a request of HTTP/2
// because of TLS; nil: it does so for another reason. asked says that it has
// asked for a certificate.
func RefuseByReset(r httpwire.Reset, asked bool) *Reason {
	const speakHTTP11 = "try HTTP/1.1 (lab client --http 1.1, curl --http1.1)"
	switch r.Error {
	case httpwire.HTTP11Required:
		why := Reason{Code: RefusedInHTTP, Fix: speakHTTP11 + "; the server's log says why it wants that",
			Text: "the server gives up the request over HTTP/2 and wants it over HTTP/1.1 (" + r.Error + "); servers do so that ask for a certificate for some paths alone (Apache: SSLVerifyClient in a Location), which HTTP/2 forbids, or for a password by NTLM"}
		if !asked {
			why.Code, why.Text, why.Fix = NotAsked, neverAsked+"; "+why.Text, askInHandshake+"; or "+speakHTTP11
		}
		return &why
	case httpwire.InadequateSecurity:
		return &Reason{Code: RefusedInHTTP, Text: "the server does not speak HTTP/2 over this version or cipher suite of TLS (" + r.Error + ")",
			Fix: "allow TLS 1.3 on both sides, or in TLS 1.2 a cipher suite with ECDHE and GCM or ChaCha20; or " + speakHTTP11}
	}
	return nil
}

// reset returns how the server gave up a request of HTTP/2: because of TLS, or
// else the first time; nil: it did not.
func (w *wire) reset() *httpwire.Reset {
	var first *httpwire.Reset
	for _, m := range w.Messages {
		for i := range m.Resets {
			r := &m.Resets[i]
			switch {
			case m.From != endpoint.Server:
			case RefuseByReset(*r, true) != nil:
				return r
			case first == nil:
				first = r
			}
		}
	}
	return first
}

// unanswered is the note on a request that the server gave up for a reason that
// is not about TLS.
func unanswered(r *httpwire.Reset) string {
	if r.StreamID == 0 {
		return fmt.Sprintf("the server ended the connection without an answer (HTTP/2: GOAWAY, %s)", r.Error)
	}
	return fmt.Sprintf("the server gave up the request without an answer (HTTP/2: RST_STREAM, %s)", r.Error)
}

// refusedCall explains a server that refuses a call of gRPC, or its client.
func (w *wire) refusedCall(g *httpwire.GRPC) Reason {
	answered := fmt.Sprintf("in gRPC with %s (%d)", g.Name(), g.Status)
	if g.Message != "" {
		answered += ": " + text.Unicode.Cut(text.Clean(g.Message), 80)
	}
	switch {
	case w.AskedForNone() && !w.mayAskLater() && !w.isResumed() && !w.isByPSK():
		return Reason{Code: NotAsked, Text: neverAsked + ", and refuses " + answered}
	case w.shown.Client.empty:
		return Reason{Code: NoClientCertificate, Text: "the server asked for a certificate, the client sent none, and the server refuses " + answered}
	case g.Status == httpwire.Unauthenticated:
		return Reason{Code: NotAuthorised, Text: "the server let the client pass in TLS, and refuses it " + answered,
			Fix: "see what the server wants besides, such as a token in the call's metadata; its log knows"}
	}
	return Reason{Code: NotAuthorised, Text: "the server let the client pass in TLS, and refuses what it asked for " + answered}
}
