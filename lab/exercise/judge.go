package exercise

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/verdict"
)

// missed returns how an exchange has not ended as the step says that it must,
// as it was seen, and not as it should be; empty: it has. Of one that has ended
// otherwise, no more is said than that.
func (r *run) missed(s *Step, x *Exchange) (seen []string) {
	switch {
	case s.Outcome != "" && !s.Outcome.isOf(x, r.callerOf(s.Call).program != nil),
		s.RejectedBy != endpoint.Unknown && s.RejectedBy != x.refuser():
		return []string{x.Seen()}
	case len(s.Codes) > 0 && !slices.Contains(s.Codes, x.Code):
		return []string{x.Seen() + ", for another reason: " + cmp.Or(string(x.Code), "none is known")}
	}
	for _, c := range []struct {
		missed bool
		seen   string
	}{
		{s.Alert != "" && (x.Alert == nil || s.Alert != x.Alert.Name), "expected: alert " + s.Alert},
		{s.Status != 0 && s.Status != x.status(), fmt.Sprintf("expected: HTTP %d", s.Status)},
		{s.Version != 0 && versions[strings.TrimPrefix(x.TLS.Version, "TLS ")] != s.Version, "expected: " + tls.VersionName(s.Version)},
		{s.Resumed != nil && *s.Resumed && !x.TLS.Resumed, "expected: resumed"},
		{s.Resumed != nil && !*s.Resumed && x.TLS.Resumed, "expected: a full handshake"},
		{s.CipherSuite != "" && s.CipherSuite != x.TLS.CipherSuite, "the cipher suite is " + x.TLS.CipherSuite + "; expected: " + s.CipherSuite},
		{s.Group != "" && s.Group != x.TLS.Group, "the group is " + x.TLS.Group + "; expected: " + s.Group},
		{s.ALPN != "" && s.ALPN != x.TLS.ALPN, "the protocol is " + cmp.Or(x.TLS.ALPN, "not agreed on") + "; expected: " + s.ALPN},
		{s.ForwardSecret != nil && *s.ForwardSecret != x.hasForwardSecrecy(), "the cipher suite is " + x.TLS.CipherSuite + "; expected: forward secrecy"},
		{s.Client != nil && !slices.Equal(s.Client, x.sent(endpoint.Client)), sentInstead(endpoint.Client, x.sent(endpoint.Client), s.Client)},
		{s.Server != nil && !slices.Equal(s.Server, x.sent(endpoint.Server)), sentInstead(endpoint.Server, x.sent(endpoint.Server), s.Server)},
		{s.Current && !r.isCurrent(x), "the server shows another certificate than its file has"},
		{s.Body != "" && !strings.Contains(x.Body, r.values.fill(s.Body)), answered(x.Body, s.Body)},
	} {
		if c.missed {
			seen = append(seen, x.Seen()+"; "+c.seen)
			break
		}
	}
	return seen
}

// sentInstead says which certificates a side has sent in place of those that
// were wanted.
func sentInstead(side endpoint.Side, sent, wanted []string) string {
	switch {
	case len(sent) == 0:
		return fmt.Sprintf("the %s sent no certificate; expected: %s", side, strings.Join(wanted, ", "))
	case len(sent) < len(wanted) && slices.Equal(sent, wanted[:len(sent)]):
		return fmt.Sprintf("the %s sent only %s; expected also %s", side, strings.Join(sent, ", "), strings.Join(wanted[len(sent):], ", "))
	}
	return fmt.Sprintf("the %s sent %s; expected: %s", side, strings.Join(sent, ", "), strings.Join(wanted, ", "))
}

// answered says what was answered in place of what was wanted: the lines of the
// same name, as in "X-Client: CN=shop", or else the first line.
func answered(body, wanted string) string {
	name, _, hasName := strings.Cut(wanted, ": ")
	var lines []string
	for line := range strings.Lines(body) {
		if line = strings.TrimSpace(line); hasName && strings.HasPrefix(line, name+":") {
			lines = append(lines, line)
		}
	}
	switch {
	case len(lines) > 0:
		return "the answer has " + yamldoc.Quoted(strings.Join(lines, ", "))
	case hasName:
		return "the answer has no " + name
	}
	line, _, _ := strings.Cut(strings.TrimSpace(body), "\n")
	return "the answer is " + yamldoc.Quoted(line)
}

// isCurrent reports whether the server has shown a certificate that the folder
// has by now.
func (r *run) isCurrent(x *Exchange) bool {
	shown := x.ders(endpoint.Server)
	if len(shown) == 0 {
		return false
	}
	pairs, _ := r.pairs(false)
	for _, pair := range pairs.Pairs {
		if bytes.Equal(pair.Certificate[0], shown[0]) {
			return true
		}
	}
	return false
}

// isOf reports whether an exchange has ended so. Another program need not have
// spoken HTTP to be accepted.
func (o Outcome) isOf(x *Exchange, byProgram bool) bool {
	inHTTP := x.IsDenied() || x.status() >= http.StatusBadRequest
	switch o {
	case Accepted:
		return x.Outcome == verdict.Accepted && !inHTTP && (byProgram || x.status() != 0)
	case Rejected:
		return x.isRejected()
	}
	return x.isRejected() || inHTTP
}

// isRejected reports whether one side ended the exchange in TLS.
func (x *Exchange) isRejected() bool {
	return x.Outcome == verdict.Rejected || x.Outcome == verdict.Broken
}

// status returns the status of the response; 0: there was none.
func (x *Exchange) status() int {
	if x.HTTP == nil {
		return 0
	}
	return x.HTTP.Status
}

// refuser returns the side that refuses: in HTTP it is the server.
func (x *Exchange) refuser() endpoint.Side {
	if x.RejectedBy == endpoint.Unknown && Refused.isOf(x, true) {
		return endpoint.Server
	}
	return x.RejectedBy
}

// Seen says how the exchange ended, with the code of the reason: what has led
// to it, is to be found out.
func (x *Exchange) Seen() string {
	var said string
	switch {
	case x.isRejected() && x.Alert != nil:
		said = fmt.Sprintf("rejected by the %s, alert %s", x.RejectedBy, x.Alert.Name)
	case x.isRejected():
		said = fmt.Sprintf("rejected by the %s, without an alert", x.RejectedBy)
	case x.Outcome == verdict.Accepted && x.status() >= http.StatusBadRequest:
		said = fmt.Sprintf("refused in HTTP (%d)", x.status())
	case x.Outcome == verdict.Accepted && x.status() != 0:
		said = fmt.Sprintf("accepted, HTTP %d", x.status())
	default:
		said = string(x.Outcome)
	}
	if x.isRejected() && x.Code != "" && (x.Alert == nil || x.Alert.Name != string(x.Code)) {
		said += " (" + string(x.Code) + ")"
	}
	if x.TLS.Version != "" {
		said += ", in " + x.TLS.Version
	}
	if x.TLS.Resumed {
		said += ", resumed"
	}
	return said
}

// subject returns what a step is about.
func (s *Step) subject() string {
	switch {
	case s.Says != "":
		return s.Says
	case s.Call == "none":
		return "a client without a certificate"
	case s.Call == endpoint.Client.String():
		return "the client"
	}
	return s.Call
}

// Title returns what a step is about, and how it must end, in a line.
func (s *Step) Title() string {
	if s.Says != "" {
		return s.Says + s.wanted()
	}
	if s.Probe != nil {
		return "lab probe finds nothing wrong with the server"
	}
	who := s.subject()
	to := ""
	if s.To != "" {
		to = " at " + s.To
	}
	switch {
	case s.Outcome == Accepted:
		return who + " gets in" + to
	case s.RejectedBy == endpoint.Client:
		return who + " refuses " + orServer(s.To)
	}
	return who + " stays out" + to
}

// wanted says how a step must end, behind what it is about.
func (s *Step) wanted() string {
	switch {
	case s.Outcome == Accepted:
		return ": gets in"
	case s.Outcome == "":
		return ""
	case s.RejectedBy == endpoint.Client:
		return ": the client refuses"
	}
	return ": stays out"
}

// orServer names who is called.
func orServer(to string) string {
	if to == "" {
		return "the server"
	}
	return "the server of " + to
}
