package verdict

import (
	"cmp"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/prologue"
)

// What a side may have refused after a handshake that succeeded: a server does
// so in the protocol inside TLS, and a client by closing.

// Doubt is why a side may have refused the other after a handshake that
// succeeded. That is not proven.
type Doubt struct {
	By   endpoint.Side `json:"by"`
	Code Code          `json:"code"`
}

// addLeaving adds to the verdict on a handshake after which the client closed
// without a request for what it may have refused the server.
func (w *wire) addLeaving(v *Verdict) {
	server := &w.shown.Server
	mayTrust := func(f *chain.Fault) bool { return f.Code == chain.SelfSigned } // as any other root
	doubts := slices.DeleteFunc(slices.Clone(server.doubts), mayTrust)
	switch {
	case len(server.faults) > 0:
		fault := server.faults[0]
		left := "then the client closed without a request, as one does that refuses the server only by then (curl, wget, Node.js): " + fault.Of("the server's certificate", server.leaf)
		v.because(Reason{Code: fault.Code, Text: joined(v.Reason, left), Fix: cmp.Or(fault.Fix, fix(fault.Code, endpoint.Client))})
		v.Doubt = &Doubt{endpoint.Client, fault.Code}
		return
	case len(doubts) > 0:
		doubt := doubts[0]
		v.Doubt = &Doubt{endpoint.Client, doubt.Code}
		v.Reason = joined(v.Reason, w.noRequest()+"; "+doubt.Of("the server's certificate", server.leaf))
		return
	case w.isCalledByAddress():
		cause := wrongHost.of(endpoint.Client)
		if said := w.evident(wrongHost, endpoint.Client); said != "" {
			cause.Text = said
			v.Fix = "if the client compares names after the handshake, " + fix(chain.WrongHost, endpoint.Client)
		}
		v.Causes = []Cause{cause}
	}
	v.Reason = joined(v.Reason, w.noRequest())
}

// showsNone reports whether the server has no certificate to show that the
// client could refuse: both were given a key, or nobody shows who it is.
func (w *wire) showsNone() bool {
	return w.showing(endpoint.Server) == SentNothing || w.isByPSK() && !w.shown.Server.seen && !w.Lacking
}

// noRequest says what an accepted handshake without a request may mean.
func (w *wire) noRequest() string { return "after the handshake " + w.left() }

// left says why a client may close after its Finished.
func (w *wire) left() string {
	if w.showsNone() {
		return leftUnshown
	}
	leaf := w.shown.Server.leaf
	if w.calledHost() != "" && leaf != nil && leaf.VerifyHostname(w.calledHost()) == nil {
		return leftNamed
	}
	return left
}

// reserve adds to the verdict on a client that very probably was let in what is
// wrong with its certificate, as far as can be seen without keys.
func (w *wire) reserve(v *Verdict) {
	client := &w.shown.Client
	switch all := slices.Concat(client.faults, client.doubts); {
	case client.empty:
		w.reserveFor(v, NoClientCertificate, noClientCertificate)
	case len(all) > 0:
		w.reserveFor(v, all[0].Code, all[0].Of("the client's certificate", client.leaf))
	case client.seen:
		v.Confirm = w.readAnswer() + v.Confirm
	}
}

// reserveFor adds to the verdict on a client that very probably was let in why
// the server may have refused it later.
func (w *wire) reserveFor(v *Verdict, code Code, why string) {
	within := ""
	if w.within() != "" {
		within = " in " + w.within()
	}
	v.Doubt = &Doubt{endpoint.Server, code}
	v.Reason += "; yet " + why + "; whether the server then refused that" + within + " is encrypted"
	v.Fix = "if it did, " + cmp.Or(w.remedy(code), fix(code, endpoint.Server))
}

// remedy says what to change about a client's certificate where the connection
// says more than the code; "": it does not.
func (w *wire) remedy(code Code) string {
	switch {
	case code == NoClientCertificate && w.within() == "PostgreSQL":
		return "give the client a certificate and its key, of a CA that the server trusts (psql: sslcert, sslkey)"
	case code == chain.UnknownCA && len(w.wanted()) > 0:
		var names []string
		for _, name := range w.wanted() {
			names = append(names, name.String())
		}
		return "give the client a certificate of a CA that the server asks for (" + few(names) + "), or have the server trust that of this one"
	}
	return ""
}

// within returns the protocol inside TLS; "": it is not known.
func (w *wire) within() string {
	if w.Prologue != nil {
		if l := w.Prologue.Last(); l != nil && l.Kind == prologue.StartTLS && l.Protocol != "" {
			return l.Protocol
		}
	}
	if w.ALPN == "h2" || strings.HasPrefix(w.ALPN, "http/1") || w.speaksHTTP() {
		return "HTTP"
	}
	return ""
}

// readAnswer is what to do first to know whether a server has refused in HTTP a
// certificate that it took in the handshake; "": it did not speak HTTP.
func (w *wire) readAnswer() string {
	const look = "see what the client was answered: 400 is how nginx refuses a certificate, after the handshake, and 403 how others do; or "
	switch w.within() {
	case "HTTP":
		return look
	case "":
		return "if it was HTTP, " + look
	}
	return ""
}
