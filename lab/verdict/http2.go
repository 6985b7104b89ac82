package verdict

import (
	"fmt"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// RefuseByReset returns the reason of a server that gives up a request of HTTP/2
// because of TLS; nil: it does so for another reason. asked says that it has
// asked for a certificate, or has done so in an earlier session.
func RefuseByReset(r httpwire.Reset, asked bool, version tlswire.Version) *Reason {
	const overHTTP11 = "try HTTP/1.1 with a client that can be asked later (curl --http1.1, browsers; the lab's cannot)"
	switch r.Error {
	case httpwire.HTTP11Required:
		why := Reason{Code: RefusedInHTTP, Fix: overHTTP11 + "; the server's log may say why it wants that",
			Text: "the server gives up the request over HTTP/2 and wants it over HTTP/1.1 (" + r.Error + "); servers do so that want NTLM, or a certificate for some paths alone (Apache: SSLVerifyClient in a Location), for which HTTP/2 forbids to ask"}
		if !asked {
			why.Code, why.Text, why.Fix = NotAsked, neverAsked+"; "+why.Text, askInHandshake+"; or "+overHTTP11
		}
		return &why
	case httpwire.InadequateSecurity:
		fix := "allow TLS 1.3 on both sides, or a cipher suite with ECDHE and GCM or ChaCha20"
		if version >= tlswire.VersionTLS13 {
			fix = "look into the log of the server: it says what it wants"
		}
		return &Reason{Code: RefusedInHTTP, Text: "TLS here does not meet what the server asks of it for HTTP/2 (" + r.Error + ", RFC 9113 section 9.2)",
			Fix: fix + "; or speak HTTP/1.1 (lab client --http 1.1, curl --http1.1)"}
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
			case RefuseByReset(*r, true, 0) != nil:
				return r
			case first == nil:
				first = r
			}
		}
	}
	return first
}

// refusedByReset explains a server that gives up a request because of TLS.
func (w *wire) refusedByReset(r *httpwire.Reset) (why Reason, ok bool) {
	if r == nil || w.Answer != nil && w.Answer.HTTP.Refuses() {
		return Reason{}, false
	}
	reason := RefuseByReset(*r, !w.isUnasked(), w.Version)
	if reason == nil {
		return Reason{}, false
	}
	if request, number := w.requestOf(r); number > 1 {
		reason.Text += ofRequest(request, number)
	}
	return *reason, true
}

// requestOf returns the request that was given up, and its number on the
// connection; 0: that is not known.
func (w *wire) requestOf(r *httpwire.Reset) (request *tlsdecrypt.Message, number int) {
	for _, m := range w.Messages {
		if !m.IsRequest() {
			continue
		}
		if number++; m.HTTP.StreamID == r.StreamID {
			return m, number
		}
	}
	return nil, 0
}

// unanswered is the note on a request that the server gave up for a reason that
// is not about TLS.
func unanswered(r *httpwire.Reset) string {
	if r.StreamID == 0 {
		return fmt.Sprintf("the server ended the connection without an answer (HTTP/2: GOAWAY, %s)", r.Error)
	}
	return fmt.Sprintf("the server gave up the request without an answer (HTTP/2: RST_STREAM, %s)", r.Error)
}

// refusedCall explains a server of gRPC that refuses a call: HTTP says 200.
func (w *wire) refusedCall() (why Reason, ok bool) {
	if w.Answer == nil || w.Answer.HTTP.Status != 200 || !w.Answer.HTTP.GRPC.Refuses() {
		return Reason{}, false
	}
	g, client := w.Answer.HTTP.GRPC, &w.shown.Client
	answered := fmt.Sprintf("refuses in gRPC with %s (%d)", g.Name(), g.Status)
	if g.Message != "" {
		answered += ": " + text.Unicode.Cut(text.Clean(g.Message), 80)
	}
	const token = "a token in the call's metadata"
	switch fault := client.faultThat(nil); {
	case fault != nil:
		return Reason{Code: fault.Code, Text: "the server " + answered + "; " + fault.Of("the client's certificate", client.leaf), Fix: fault.Fix}, true
	case client.empty && !w.bringsToken():
		return Reason{Code: NoClientCertificate, Text: "the server asked for a certificate, the client sent none, and the server " + answered}, true
	case w.isUnasked() && !w.bringsToken():
		return Reason{Code: NotAsked, Text: neverAsked + ", and " + answered, Fix: fix(NotAsked, endpoint.Server) + "; or send the server " + token + ", if it goes by that"}, true
	case w.bringsToken():
		return Reason{Code: NotAuthorised, Text: "the server let the client pass in TLS, and " + answered + "; the call brings " + token + " (authorization)",
			Fix: "see whether the server takes that token, and what it allows to the names in token and certificate; its log knows"}, true
	case g.Status == httpwire.Unauthenticated:
		return Reason{Code: NotAuthorised, Text: "the server let the client pass in TLS, and " + answered,
			Fix: "see what the server wants besides, such as " + token + "; its log knows"}, true
	case len(client.doubts) > 0 && client.chain != tlsdecrypt.Fails:
		return w.doubted(client, answered), true
	}
	return Reason{Code: NotAuthorised, Text: "the server let the client pass in TLS, and " + answered}, true
}

// bringsToken reports whether the call that was refused says itself who makes
// it.
func (w *wire) bringsToken() bool {
	request, _ := w.RequestOf(w.Answer)
	return request != nil && slices.ContainsFunc(request.HTTP.Headers, func(h httpwire.Header) bool { return strings.EqualFold(h.Name, "authorization") })
}
