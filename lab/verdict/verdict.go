package verdict

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// Outcome is how an exchange ended.
type Outcome string

// The outcomes.
const (
	Accepted Outcome = "accepted" // the handshake succeeded, whatever HTTP status followed
	Rejected Outcome = "rejected" // one side ended the handshake
	Broken   Outcome = "broken"   // the handshake succeeded, and an alert ended the connection later
	Open     Outcome = "open"     // it goes on
	Unknown  Outcome = "unknown"  // it cannot be known; see Verdict.Reason
)

// How refines an outcome. It is empty for what is plain.
type How string

// The refinements.
const (
	NotTLS   How = "not TLS"            // a side spoke something else from the first byte on, and did not come to TLS by it
	Aborted  How = "aborted"            // the connection ended during the handshake without an alert
	CutOff   How = "cut off"            // the capture lacks what would show it
	Probably How = "very probably"      // the sizes of encrypted records say so, which are no proof
	InHTTP   How = "refused in HTTP"    // by the server, after a handshake that succeeded
	Inside   How = "refused inside TLS" // likewise, in another protocol
)

// Verdict is what became of an exchange. Its JSON form is part of the command
// line's contract.
type Verdict struct {
	Outcome    Outcome       `json:"outcome"`
	How        How           `json:"how,omitempty"`
	RejectedBy endpoint.Side `json:"rejected_by,omitempty"` // of Rejected
	Reason     string        `json:"reason,omitempty"`      // why, in one sentence without a full stop
	Alert      *Alert        `json:"alert,omitempty"`       // nil when none was sent, or none is known
	Code       Code          `json:"code,omitempty"`        // why, for programs
	Fix        string        `json:"fix,omitempty"`         // what to change, in words
	Confirm    string        `json:"confirm,omitempty"`     // how to make sure of an outcome that is only very probable
	Doubt      *Doubt        `json:"doubt,omitempty"`       // what one side may have refused after the handshake; nil: nothing is known
	Causes     []Cause       `json:"causes,omitempty"`      // what may be behind it where Code does not say, the likeliest first
	Offers     *Offers       `json:"offers,omitempty"`      // what each side offered, where they may have found nothing in common

	// Mutual reports of an accepted client whether it has shown a certificate in
	// the handshake; nil: that is not known, or was in an earlier session.
	Mutual *bool `json:"mutual,omitempty"`

	unasked bool // Reason is that the server never asked for a certificate, and no more
	known   bool // Reason comes from the side that rejected
	settled bool // there is nothing to explain by checks: Reason is a note
}

// IsVague reports whether the verdict says that a side was refused, but not
// why.
func (v *Verdict) IsVague() bool {
	return (v.Outcome == Rejected || v.IsDenied()) && isVague(v.Code)
}

// IsGuessed reports whether the reason of a refusal does not come from the side
// that refused: the certificates that were shown may say more.
func (v *Verdict) IsGuessed() bool {
	return (v.Outcome == Rejected || v.IsDenied()) && !v.known
}

// RefusedLater is the outcome, as lab explain --list has it, of what IsDenied.
const RefusedLater = "refused"

// OutcomeWord returns the outcome in a word, RefusedLater among them.
func (v *Verdict) OutcomeWord() string {
	if v.IsDenied() {
		return RefusedLater
	}
	return string(v.Outcome)
}

// IsDenied reports whether the server took the client in TLS and then refused
// it: for its certificate, or because it does not allow that client what it
// asked for, as 401 and 403 say.
func (v *Verdict) IsDenied() bool { return v.How == InHTTP || v.How == Inside }

// NeverAsked reports whether the reason is that the server never asked for a
// certificate, and no more.
func (v *Verdict) NeverAsked() bool { return v.unasked }

// OfAlert returns what the alert says, if the reason is that; false: the reason
// comes from something else.
func (v *Verdict) OfAlert() (said string, ok bool) {
	if v.Alert == nil {
		return "", false
	}
	return strings.CutPrefix(v.Reason, sentence(v.Alert.SentBy, v.Alert.Name)+": ")
}

// NamesAlert reports whether the reason begins with the name of the alert and
// of its sender.
func (v *Verdict) NamesAlert() bool {
	return v.Alert != nil && strings.HasPrefix(v.Reason, sentence(v.Alert.SentBy, v.Alert.Name))
}

// Judge joins what is known of one exchange: what each side saw, and what was
// said on the wire. Each of the three may be nil. status is that of the first
// response, 0 if there is none: the wire may show a later one that counts.
//
// What a side says of itself counts for more than what the wire shows, but for
// alerts: crypto/tls does not say which one it has sent. Where a side has only
// received the refusal, the wire may show why.
func Judge(server, client *View, status int, c *tlsdecrypt.Connection) Verdict {
	seen := Verdict{Outcome: Unknown, Reason: "nothing was seen of it"}
	var w wire
	if c != nil {
		w.read(c)
		seen = w.judge()
		if w.Answer != nil {
			status = w.Answer.HTTP.Status
		}
	}
	if server == nil && client == nil {
		return seen
	}
	v := judgeViews(server, client)
	if server != nil && status == http.StatusForbidden { // it knows whether the client was authenticated
		v.addStatus(status)
		v.known = v.known || v.Code == NotAuthorised
	}
	if c != nil {
		v.addWire(seen)
		v.addTakes(server)
		v.nameGroup(c)
		v.fixForProtocol(c.Prologue.Last())
	}
	asked := c != nil || client != nil && client.Unanswered != nil // it is known whether there was a request
	if status != 0 || !asked {
		v.addStatus(status)
	}
	if c != nil {
		w.noteClaims(&v)
	}
	if server == nil && v.Code == ProxyHeader {
		v.because(headerOfItsOwn)
	}
	v.noteUnanswered(client)
	return v
}

// noteUnanswered adds why an accepted client has no whole answer, if there is no
// more to say.
func (v *Verdict) noteUnanswered(client *View) {
	if client == nil || v.Outcome != Accepted || v.Code != "" {
		return
	}
	_, isReset := httpwire.ResetOf(client.Unanswered)
	if v.Reason != "" && !v.unasked && (client.Unanswered == nil || isReset) { // the wire shows as much
		return
	}
	before := ""
	if v.unasked {
		before = v.Reason
	}
	if err := cmp.Or(client.Unanswered, client.Err); err != nil {
		v.Reason, v.unasked = joined(before, "the client has no whole answer to its request: "+text.Clean(err.Error())), false
		v.Fix = "look into the log of the server; if it does not speak the client's protocol there, call the port where it does"
	}
}

// judgeViews joins what the two sides saw, one of which may be nil: another
// program's.
func judgeViews(server, client *View) Verdict {
	if (server == nil || server.Err == nil) && (client == nil || client.Err == nil) {
		return acceptedBy(server, client)
	}
	if client == nil && server.isLeftUnsaid() {
		if !server.Silent {
			return leftInHello()
		}
		return leftSilently(0)
	}
	v := Verdict{Outcome: Rejected, RejectedBy: rejecter(server, client)}
	own, other := server, client
	if v.RejectedBy == endpoint.Client {
		own, other = client, server
	}
	for _, view := range []*View{other, own} { // what arrived counts for more than what was sent
		if v.Alert == nil && view != nil && view.Alert != nil && view.Alert.SentBy == v.RejectedBy {
			alert := *view.Alert
			v.Alert = &alert
			if other != nil {
				arrived := view == other
				alert.Arrived = &arrived
			}
		}
	}
	switch {
	case own != nil && own.Refused:
		v.because(Explain(own.Err, v.RejectedBy))
		v.known = true
	default:
		v.because(explainFromAfar(other, v))
		v.known = other != nil && errors.As(other.Err, new(Misbehaviour)) // that side caused it itself
	}
	switch v.Code {
	case SpokeNoTLS, ProxyHeader:
		v.How = NotTLS
	case Closed, TooSlow:
		v.How = Aborted
	}
	return v
}

// acceptedBy returns the verdict on a handshake that both sides completed. A
// server knows better than its client why it refuses in HTTP.
func acceptedBy(server, client *View) Verdict {
	v := Verdict{Outcome: Accepted, Mutual: client.mutual()}
	for _, view := range []*View{server, client} {
		if view != nil && view.InHTTP != nil {
			v.becauseInHTTP(*view.InHTTP)
			v.known = view == server
			return v
		}
	}
	switch {
	case client == nil || !client.Unasked:
		return v
	case client.WantsMutual:
		v.because(Reason{Code: NotAsked, Text: neverAsked})
		v.known = true
	default:
		v.Reason = neverAsked
	}
	v.unasked = true
	return v
}

// mutual reports whether a client that was accepted has shown a certificate;
// nil: not known.
func (v *View) mutual() *bool {
	switch {
	case v == nil:
		return nil
	case v.Unasked, v.Showing == SentEmpty:
		return new(bool)
	case v.Showing == SentCertificate:
		mutual := true
		return &mutual
	}
	return nil
}

// rejecter returns the side that refused the other. An alert that the client
// received counts for more than its own error: it may have failed to write
// first.
func rejecter(server, client *View) endpoint.Side {
	switch {
	case client != nil && client.Alert != nil && client.Alert.SentBy == endpoint.Server:
		return endpoint.Server
	case server != nil && server.Refused:
		return endpoint.Server
	case client != nil && client.Refused:
		return endpoint.Client
	case server != nil && server.Err != nil:
		return endpoint.Client // it sent an alert to the server, or went away
	}
	return endpoint.Server
}

// because gives the verdict its reason, and what to do about it.
func (v *Verdict) because(why Reason) {
	v.Code, v.Reason, v.Fix, v.Causes = why.Code, why.Text, cmp.Or(why.Fix, fix(why.Code, v.refuser())), why.Causes
	v.unasked = false
}

// refuser returns the side that refuses: in HTTP it is the server.
func (v *Verdict) refuser() endpoint.Side {
	if v.RejectedBy == endpoint.Unknown {
		return endpoint.Server
	}
	return v.RejectedBy
}

// What a connection without a request may mean: also where the certificate is
// for the host's name, and where there is none to look at.
const (
	noRequest      = "after the handshake " + left
	noRequestNamed = "after the handshake " + leftNamed

	left        = "the client closed without a request: one that looks at the server's certificate (wget, Node.js) or the name in it (curl, psql) only then, and refuses, looks like this; a browser's spare connection and a health check too"
	leftNamed   = "the client closed without a request: one that looks at the server's certificate only then (wget, Node.js), and refuses, looks like this; a browser's spare connection and a health check too"
	leftUnshown = "the client closed without a request, as it does with a spare connection or for a health check"
)

// addStatus adds the fate of an accepted client's request: it was not allowed,
// or there was none.
func (v *Verdict) addStatus(status int) {
	switch {
	case v.Outcome != Accepted || v.Code != "":
	case status == 0:
		v.Reason, v.unasked = noRequest, false
	case status == http.StatusForbidden:
		v.becauseInHTTP(notAuthorised)
	case status == http.StatusUnauthorized:
		v.becauseInHTTP(refusedBehindTLS("that it accepted in TLS", ""))
	case status == http.StatusMisdirectedRequest:
		v.becauseInHTTP(misdirected)
	}
}

var notAuthorised = Reason{Code: NotAuthorised, Text: "the client was authenticated, but is not allowed what it asked for: the server answered 403"}

// addTakes adds to what the client offered what the server takes.
func (v *Verdict) addTakes(server *View) {
	if v.Offers != nil && v.Offers.Server == nil && server != nil {
		offers := *v.Offers
		offers.Server = server.Takes
		v.Offers = &offers
		v.Fix = cmp.Or(fixFor(v.Code, offers.Client), v.Fix)
	}
}

// addWire adds what only the wire shows: the alert that was sent, how the
// connection ended, and why, where the sides do not know.
func (v *Verdict) addWire(seen Verdict) {
	switch {
	case v.Outcome == Accepted && seen.Outcome == Broken,
		v.Outcome == Rejected && !v.known && seen.Outcome == Broken && v.Alert != nil && seen.Alert.Code == v.Alert.Code, // the handshake was over by then
		v.Code == Closed && !v.known && seen.Outcome == Accepted && seen.How != Probably,                                 // closed later than it seemed
		v.Code == Closed && !v.known && seen.isUnbegun(),
		v.Code == SpokeNoTLS && seen.Code == ProxyHeader: // what is not TLS is the answer to the PROXY line
		*v = seen
		return
	case v.Outcome != seen.Outcome, v.RejectedBy != seen.RejectedBy:
		return
	}
	guess := v.known && seen.How == Probably
	if v.Outcome != Accepted && !guess || !v.known && seen.IsDenied() { // that it was accepted, the sides know for certain
		v.How = seen.How
	}
	if seen.Alert != nil {
		alert := *seen.Alert
		if v.Alert != nil {
			alert.Arrived = v.Alert.Arrived
		}
		v.Alert = &alert
	}
	switch {
	case v.known || seen.Code == "":
	case !isVague(seen.Code), v.Code == "", seen.IsDenied(): // the wire has the whole response
		v.Code, v.Reason, v.Fix, v.Causes = seen.Code, seen.Reason, seen.Fix, seen.Causes
		v.Doubt = seen.Doubt
	case v.Code == seen.Code && seen.Alert != nil: // the wire shows more of what the alert may mean
		v.Reason, v.Fix, v.Causes = seen.Reason, seen.Fix, seen.Causes
	case v.Code == seen.Code:
		v.Causes = seen.Causes
	}
	if v.Code == ProxyHeader && seen.Code == v.Code {
		v.Reason = seen.Reason // with the address in the line
	}
	v.Offers = seen.Offers
	if seen.How != Probably && (v.Reason == "" || v.unasked && v.Code == "" && seen.Reason != "") {
		v.Reason, v.unasked = seen.Reason, seen.unasked
		if v.Code == "" {
			v.Fix, v.Doubt = cmp.Or(v.Fix, seen.Fix), cmp.Or(v.Doubt, seen.Doubt)
		}
	}
	if v.Mutual == nil {
		v.Mutual = seen.Mutual
	}
}
