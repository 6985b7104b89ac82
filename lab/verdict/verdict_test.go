package verdict

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// brief is a verdict in a line: outcome, how, the rejecting side, code, and
// alert.
func brief(v Verdict) string {
	s := string(v.Outcome)
	if v.How != "" {
		s += " (" + string(v.How) + ")"
	}
	if v.RejectedBy != endpoint.Unknown {
		s += " by " + v.RejectedBy.String()
	}
	if v.Code != "" {
		s += ": " + string(v.Code)
	}
	if v.Alert != nil {
		s += fmt.Sprintf("; %v's %s", v.Alert.SentBy, v.Alert.Name)
		if v.Alert.Arrived != nil {
			s += map[bool]string{true: " arrived", false: " was lost"}[*v.Alert.Arrived]
		}
	}
	return s
}

// Errors of crypto/tls.
type alertError uint8

func (alertError) Error() string { return "tls: alert" }

func remote(d tlswire.AlertDescription) error {
	return &net.OpError{Op: "remote error", Err: alertError(d)}
}

var (
	errAuthority = &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	errNone      = errors.New("tls: client didn't provide a certificate")
	errReset     = &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}
	errBadRecord = &net.OpError{Op: "local error", Err: alertError(tlswire.AlertBadRecordMAC)}
	errHTTP      = tls.RecordHeaderError{RecordHeader: [5]byte{'G', 'E', 'T', ' ', '/'}}
	errGarbage   = tls.RecordHeaderError{RecordHeader: [5]byte{0, 1, 2, 3, 4}}
)

// misbehaves is a side that does on purpose what no TLS program does.
type misbehaves struct {
	code   Code
	hungUp bool
}

func (m misbehaves) Error() string                         { return string(m.code) }
func (m misbehaves) Why(side endpoint.Side) (Code, string) { return m.code, side.String() + " did it" }
func (m misbehaves) HungUp() bool                          { return m.hungUp }

// view is that of a side whose program ended with err; sent is the alert that
// it was seen to send, 0 if none.
func view(side endpoint.Side, err error, sent tlswire.AlertDescription) *View {
	var seen Seen
	if sent != 0 {
		seen.Sent = &sent
	}
	v := NewView(side, err, seen)
	return &v
}

func serverSees(err error, sent ...tlswire.AlertDescription) *View {
	return view(endpoint.Server, err, append(sent, 0)[0])
}

func clientSees(err error, sent ...tlswire.AlertDescription) *View {
	return view(endpoint.Client, err, append(sent, 0)[0])
}

// What two sides saw, either of which may be another program's.
func TestJudgeViews(t *testing.T) {
	const badCertificate, unknownCA = tlswire.AlertBadCertificate, tlswire.AlertUnknownCA
	for name, test := range map[string]struct {
		server, client *View
		want           string
	}{
		"both content":     {serverSees(nil), clientSees(nil), "accepted"},
		"a server content": {serverSees(nil), nil, "accepted"},
		"a client content": {nil, clientSees(nil), "accepted"},

		"the server refuses, and its alert arrives":        {serverSees(errNone), clientSees(remote(badCertificate)), "rejected by server: no_client_certificate; server's bad_certificate arrived"},
		"the server refuses, and its alert is lost":        {serverSees(errNone, badCertificate), clientSees(errReset), "rejected by server: no_client_certificate; server's bad_certificate was lost"},
		"what arrived counts for more than what was sent":  {serverSees(errNone, badCertificate), clientSees(remote(unknownCA)), "rejected by server: no_client_certificate; server's unknown_ca arrived"},
		"a server alone refuses":                           {serverSees(errNone, badCertificate), nil, "rejected by server: no_client_certificate; server's bad_certificate"},
		"a server alone refuses, its alert unseen":         {serverSees(errAuthority), nil, "rejected by server: unknown_ca"},
		"a client alone is refused":                        {nil, clientSees(remote(unknownCA)), "rejected by server: unknown_ca; server's unknown_ca arrived"},
		"the client refuses, and its alert arrives":        {serverSees(remote(badCertificate)), clientSees(errAuthority), "rejected by client: unknown_ca; client's bad_certificate arrived"},
		"the client refuses, and its alert is lost":        {serverSees(io.EOF), clientSees(errAuthority, badCertificate), "rejected by client: unknown_ca; client's bad_certificate was lost"},
		"a client alone refuses":                           {nil, clientSees(errAuthority, badCertificate), "rejected by client: unknown_ca; client's bad_certificate"},
		"a server alone is refused":                        {serverSees(remote(badCertificate)), nil, "rejected by client: certificate_refused; client's bad_certificate arrived"},
		"the client refuses a server that is content":      {serverSees(nil), clientSees(errAuthority), "rejected by client: unknown_ca"},
		"a server that lost the client, which was refused": {serverSees(errReset), clientSees(remote(unknownCA)), "rejected by server: unknown_ca; server's unknown_ca arrived"},
		"a content server, and a client that was refused":  {serverSees(nil), clientSees(remote(unknownCA)), "rejected by server: unknown_ca; server's unknown_ca arrived"},
		"both refuse": {serverSees(errNone), clientSees(errAuthority, badCertificate), "rejected by server: no_client_certificate"},
		"the server refuses, and the client cannot write": {serverSees(errNone), clientSees(&net.OpError{Op: "write", Err: errors.New("broken pipe")}), "rejected by server: no_client_certificate"},

		"a server was only connected to":    {&View{Err: io.EOF, State: StateConnected, NoHello: true, Silent: true}, nil, "unknown (not TLS): closed"},
		"and lost in a ClientHello":         {&View{Err: io.ErrUnexpectedEOF, State: StateConnected, NoHello: true}, nil, "unknown (not TLS): closed"},
		"and hangs up on purpose":           {&View{Err: misbehaves{Closed, true}, Refused: true, NoHello: true, Silent: true}, nil, "rejected (aborted) by server: closed"},
		"a server loses its client":         {serverSees(io.EOF), nil, "rejected (aborted) by client: closed"},
		"a server loses a content client":   {serverSees(io.EOF), clientSees(nil), "rejected (aborted) by client: closed"},
		"a client loses its server":         {nil, clientSees(errReset), "rejected (aborted) by server: closed"},
		"a client loses a content server":   {serverSees(nil), clientSees(errReset), "rejected (aborted) by server: closed"},
		"a client was too slow":             {serverSees(context.DeadlineExceeded), clientSees(io.EOF), "rejected (aborted) by server: too_slow"},
		"a client spoke HTTP":               {serverSees(errHTTP), nil, "rejected (not TLS) by server: not_tls"},
		"a server spoke something":          {nil, clientSees(errGarbage), "rejected (not TLS) by client: not_tls"},
		"a client spoke HTTP on purpose":    {serverSees(errHTTP), clientSees(misbehaves{code: SpokeNoTLS}), "rejected (not TLS) by server: not_tls"},
		"to another program, on purpose":    {nil, clientSees(misbehaves{code: SpokeNoTLS}), "rejected (not TLS) by server: not_tls"},
		"a server was silent on purpose":    {serverSees(misbehaves{code: TooSlow}), clientSees(context.DeadlineExceeded), "rejected (aborted) by client: too_slow"},
		"a client hung up on purpose":       {serverSees(io.EOF), clientSees(misbehaves{Closed, true}), "rejected (aborted) by client: closed"},
		"a server hung up on purpose":       {serverSees(misbehaves{Closed, true}), clientSees(io.EOF), "rejected (aborted) by server: closed"},
		"another program's, after that":     {serverSees(misbehaves{Closed, true}), nil, "rejected (aborted) by server: closed"},
		"silent, to a client that goes":     {serverSees(misbehaves{code: TooSlow}), clientSees(io.EOF), "rejected (aborted) by client: too_slow"},
		"silent, to a client that goes off": {serverSees(misbehaves{code: TooSlow}), nil, "rejected (aborted) by client: too_slow"},
	} {
		v := Judge(test.server, test.client, 200, nil)
		if got := brief(v); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		if (v.Outcome == Accepted) != (v.Reason == "") || (v.Code == "") != (v.Fix == "") {
			t.Errorf("%s: reason %q, code %q, fix %q", name, v.Reason, v.Code, v.Fix)
		}
	}
}

// What a verdict says of a lost connection depends on how it was lost.
func TestJudgeLostConnection(t *testing.T) {
	during, client := serverSees(io.EOF), clientSees(errReset)
	during.State, client.State = StateHandshake, StateHandshake
	for _, test := range []struct {
		server, client *View
		want           string
	}{
		{serverSees(io.EOF), nil, "the client closed the connection during the handshake, without an alert"},
		{serverSees(errReset), nil, "the client broke off the connection without an alert"},
		{during, nil, "the client closed the connection during the handshake, without an alert" + closedAfterCertificate},
		{nil, clientSees(errReset), "the server broke off the connection without an alert"},
		{nil, client, "the server broke off the connection without an alert"},
		{serverSees(misbehaves{Closed, true}), clientSees(io.EOF), "server did it"},
		{nil, clientSees(misbehaves{code: SpokeNoTLS}), "client did it"},
	} {
		if v := Judge(test.server, test.client, 0, nil); v.Reason != test.want {
			t.Errorf("%q, want %q", v.Reason, test.want)
		}
	}
}

// An alert that says that a certificate is missing, to a client that sent none.
func TestJudgeClientWithoutCertificate(t *testing.T) {
	for _, d := range []tlswire.AlertDescription{tlswire.AlertHandshakeFailure, tlswire.AlertBadCertificate, tlswire.AlertCertificateRequired, tlswire.AlertAccessDenied} {
		client := clientSees(remote(d))
		client.Showing = SentEmpty
		want := "the server sent " + d.String() + ": it wants a certificate, and got none"
		if v := Judge(nil, client, 0, nil); v.Code != NoClientCertificate || v.Reason != want {
			t.Errorf("%v: %s, %q", d, v.Code, v.Reason)
		}
	}
	client := clientSees(remote(tlswire.AlertProtocolVersion))
	client.Showing = SentEmpty
	if v := Judge(nil, client, 0, nil); v.Code != NoCommonVersion {
		t.Errorf("protocol_version: %s", v.Code)
	}
}

// What became of the request of a client that was accepted.
func TestJudgeStatus(t *testing.T) {
	refused := func(code Code) *View { return &View{InHTTP: RefuseInHTTP(400, Reason{Code: code, Text: "why"})} }
	for name, test := range map[string]struct {
		server, client *View
		status         int
		want, reason   string
	}{
		"answered":               {&View{}, &View{}, 200, "accepted", ""},
		"not found":              {&View{}, &View{}, 404, "accepted", ""},
		"no request":             {&View{}, &View{}, 0, "accepted", noRequest},
		"no request of another":  {&View{}, nil, 0, "accepted", noRequest},
		"not allowed":            {&View{}, &View{}, 403, "accepted (refused in HTTP): not_authorised", notAuthorised.Text},
		"not allowed, of a peer": {nil, &View{}, 403, "accepted (refused in HTTP): not_authorised", notAuthorised.Text},
		"unauthorised":           {&View{}, &View{}, 401, "accepted (refused in HTTP): not_authorised", "the server refuses in HTTP with 401 a client that it accepted in TLS"},
		"misdirected":            {&View{}, &View{}, 421, "accepted (refused in HTTP): misdirected_request", misdirected.Text},
		"refused in HTTP":        {refused(chain.Expired), &View{}, 400, "accepted (refused in HTTP): expired", "the server asked for a certificate, and refuses in HTTP with 400: why"},
		"the server knows why":   {refused(chain.Expired), refused(""), 400, "accepted (refused in HTTP): expired", "the server asked for a certificate, and refuses in HTTP with 400: why"},
		"the client alone":       {nil, refused(""), 400, "accepted (refused in HTTP): refused_in_http", "the server asked for a certificate, and refuses in HTTP with 400: why"},
		"and 403 is not added":   {refused(NoClientCertificate), nil, 403, "accepted (refused in HTTP): no_client_certificate", "the server asked for a certificate, and refuses in HTTP with 400: why"},
		"nor to a rejection":     {serverSees(errNone), nil, 403, "rejected by server: no_client_certificate", noClientCertificate},
		"nor a missing request":  {serverSees(errNone), nil, 0, "rejected by server: no_client_certificate", noClientCertificate},
	} {
		v := Judge(test.server, test.client, test.status, nil)
		if got := brief(v); got != test.want || v.Reason != test.reason {
			t.Errorf("%s: %s, %q, want %s, %q", name, got, v.Reason, test.want, test.reason)
		}
		if v.Code != "" && test.status != 401 && test.status != 421 && v.Fix != fix(v.Code, endpoint.Server) {
			t.Errorf("%s: fix %q", name, v.Fix)
		}
	}
}

// What is known of the wire besides.
func TestJudgeWithWire(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	none := asked(talk(tlswire.VersionTLS13, hello(), serverHello(), shows(server, nil), finished(server), shows(client), finished(client)))
	refuses := func(d tlswire.AlertDescription) *tlsdecrypt.Connection { return ended(none(alert(server, d)), server) }
	success := handshake(tlswire.VersionTLS13)
	for name, test := range map[string]struct {
		server, client *View
		wire           *tlsdecrypt.Connection
		want           string
	}{
		"nobody but the wire":                      {nil, nil, refuses(tlswire.AlertCertificateRequired), "rejected by server: no_client_certificate; server's certificate_required"},
		"the wire knows which alert a server sent": {serverSees(errNone), nil, refuses(tlswire.AlertCertificateRequired), "rejected by server: no_client_certificate; server's certificate_required"},
		"the alert of the wire counts":             {serverSees(errNone, tlswire.AlertBadCertificate), clientSees(io.EOF), refuses(tlswire.AlertCertificateRequired), "rejected by server: no_client_certificate; server's certificate_required was lost"},
		"whether it arrived is the sides'":         {serverSees(errNone), clientSees(remote(tlswire.AlertCertificateRequired)), refuses(tlswire.AlertCertificateRequired), "rejected by server: no_client_certificate; server's certificate_required arrived"},
		"a known reason stays":                     {serverSees(errAuthority), nil, refuses(tlswire.AlertBadCertificate), "rejected by server: unknown_ca; server's bad_certificate"},
		"even a vague one of the rejecter's":       {serverSees(errors.New("tls: internal error")), nil, refuses(tlswire.AlertInternalError), "rejected by server: other; server's internal_error"},
		"the wire knows why a client was refused":  {nil, clientSees(remote(tlswire.AlertBadCertificate)), refuses(tlswire.AlertBadCertificate), "rejected by server: no_client_certificate; server's bad_certificate arrived"},
		"nor does a guess of another's alert":      {nil, clientSees(remote(tlswire.AlertUnknownCA)), refuses(tlswire.AlertUnknownCA), "rejected by server: no_client_certificate; server's unknown_ca arrived"},
		"another rejecter is another story":        {serverSees(io.EOF), nil, refuses(tlswire.AlertBadCertificate), "rejected (aborted) by client: closed"},
		"another outcome too":                      {serverSees(nil), nil, refuses(tlswire.AlertBadCertificate), "accepted"},
		"success, and then an alert":               {serverSees(nil), clientSees(nil), ended(success(alert(client, tlswire.AlertBadRecordMAC)), client), "broken: other; client's bad_record_mac"},
		"a rejection after success stays one":      {serverSees(errNone), nil, ended(success(alert(client, tlswire.AlertBadRecordMAC)), client), "rejected by server: no_client_certificate"},
		"accepted by all":                          {serverSees(nil), clientSees(nil), ended(success(request(), answer(200)), client), "accepted"},
		"a refusal in HTTP that nobody knew of":    {serverSees(nil), nil, ended(asked(handshakeWithout(tlswire.VersionTLS13))(request(), answer(400)), server), "accepted (refused in HTTP): no_client_certificate"},
	} {
		v := Judge(test.server, test.client, 200, test.wire)
		if got := brief(v); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		if (v.Code == "") != (v.Fix == "") {
			t.Errorf("%s: code %q, fix %q", name, v.Code, v.Fix)
		}
	}
}

// That an exchange was accepted, and refused in HTTP, the sides know for
// certain, though the wire may not show it.
func TestJudgeAcceptedWithWire(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	leaf := newCertificate(t, nil)
	said := asked(talk(tlswire.VersionTLS13, hello(), serverHello(), shows(server, nil), finished(server), shows(client, leaf.Raw), finished(client), ticket()))
	answered := func(status int) *tlsdecrypt.Connection { return ended(said(request(), answer(status)), server) }
	revoked := ended(asked(talk(tlswire.VersionTLS13, hello(), serverHello(), shows(server, nil), finished(server),
		checkedAs(shows(client, leaf.Raw), tlsdecrypt.Fails, &chain.Fault{Code: chain.Revoked, Cert: leaf, Text: "was revoked"}), finished(client)))(request(), answer(403)), server)
	unseen := ended(talk(tlswire.VersionTLS12, hello(), serverHello())(sealed12(client), sealed12(server), sealed(client, 60), sealed(server, 60)), client)
	refused := &View{InHTTP: RefuseInHTTP(400, Reason{Code: chain.Expired, Text: "why"})}
	challenge := answer(401, httpwire.Header{Name: "WWW-Authenticate", Value: "Basic realm=a"})
	for name, test := range map[string]struct {
		server, client *View
		status         int
		wire           *tlsdecrypt.Connection
		want           string
	}{
		"refused in HTTP, without nginx's name": {refused, &View{}, 400, answered(400), "accepted (refused in HTTP): expired"},
		"refused in HTTP, and no keys":          {refused, nil, 400, unseen, "accepted (refused in HTTP): expired"},
		"accepted, and no keys":                 {&View{}, nil, 200, unseen, "accepted"},
		"not allowed by a server that knows":    {&View{}, nil, 403, revoked, "accepted (refused in HTTP): not_authorised"},
		"not allowed, or revoked":               {nil, &View{}, 403, revoked, "accepted (refused in HTTP): revoked"},
		"403 to a client without a certificate": {nil, &View{}, 403, ended(asked(handshakeWithout(tlswire.VersionTLS13))(request(), answer(403)), server), "accepted (refused in HTTP): no_client_certificate"},
		"403 that the wire does not show":       {nil, &View{}, 403, unseen, "accepted (refused in HTTP): not_authorised"},
		"403 to a later request":                {&View{}, &View{}, 200, ended(said(request(), answer(200), request(), answer(403)), server), "accepted (refused in HTTP): not_authorised"},
		"401 to the first of two":               {&View{}, &View{}, 401, ended(said(request(), challenge, request(), answer(200)), server), "accepted"},
		"no request":                            {nil, &View{}, 0, ended(said(), client), "accepted"},
	} {
		v := Judge(test.server, test.client, test.status, test.wire)
		if got := brief(v); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		if test.status == 0 && v.Reason != noRequest {
			t.Errorf("%s: %q", name, v.Reason)
		}
	}
}

// The alert of a view is the view's: a verdict has its own.
func TestJudgeLeavesViewsAlone(t *testing.T) {
	server, client := serverSees(errNone, tlswire.AlertBadCertificate), clientSees(remote(tlswire.AlertUnknownCA))
	_ = Judge(server, client, 0, nil)
	_ = Judge(server, nil, 0, nil)
	if client.Alert.Arrived != nil || server.Alert.Arrived != nil {
		t.Error("Judge changed what a side saw")
	}
}

// The causes of a rejection are taken over from the wire where the sides know
// no more than it does.
func TestJudgeTakesCauses(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	wire := ended(talk(tlswire.VersionTLS13, hello(), serverHello(), shows(server, nil))(alert(client, tlswire.AlertBadCertificate)), client)
	v := Judge(serverSees(remote(tlswire.AlertBadCertificate)), nil, 0, wire)
	if v.Code != RefusedByCertificate || len(v.Causes) == 0 {
		t.Errorf("%s, causes %v", v.Code, v.Causes)
	}
	if v := Judge(serverSees(remote(tlswire.AlertBadCertificate)), clientSees(errAuthority), 0, wire); v.Code != chain.UnknownCA || len(v.Causes) != 0 {
		t.Errorf("of a client that knows: %s, causes %v", v.Code, v.Causes)
	}
}

func TestIsVague(t *testing.T) {
	for want, list := range map[bool][]Verdict{
		true:  {{Outcome: Rejected}, {Outcome: Rejected, Code: Closed}, {Outcome: Rejected, Code: Other}, {Outcome: Rejected, Code: RefusedByCertificate}, {Outcome: Accepted, How: InHTTP, Code: RefusedInHTTP}},
		false: {{Outcome: Accepted}, {Outcome: Accepted, How: InHTTP, Code: NotAuthorised}, {Outcome: Rejected, Code: chain.Expired}, {Outcome: Accepted, How: InHTTP, Code: chain.UnknownCA}, {Outcome: Broken, Code: Other}, {Outcome: Unknown}, {Outcome: Open}},
	} {
		for _, v := range list {
			if v.IsVague() != want {
				t.Errorf("%s: vague %v", brief(v), !want)
			}
		}
	}
}
