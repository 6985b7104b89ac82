package verdict

import (
	"crypto/x509"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

// What the messages of a connection show of its outcome, by hand-made ones.
func TestJudgeWire(t *testing.T) {
	const v12, v13 = tlswire.VersionTLS12, tlswire.VersionTLS13
	server, client := endpoint.Server, endpoint.Client
	begun := talk(v13, hello(), serverHello(), shows(server, nil))
	flight := talk(v13, hello(), serverHello(), shows(server, nil), finished(server))
	nothing := talk(0)
	for name, test := range map[string]struct {
		c    *tlsdecrypt.Connection
		want string
	}{
		"accepted, 1.2":                                   {ended(handshake(v12)(request(), answer(200)), client), "accepted"},
		"accepted, 1.3":                                   {ended(handshake(v13)(request(), answer(200)), client), "accepted"},
		"accepted, and still open":                        {handshake(v13)(), "accepted"},
		"close_notify is no refusal":                      {ended(handshake(v13)(request(), answer(200), warning(server, tlswire.AlertCloseNotify), warning(client, tlswire.AlertCloseNotify)), server), "accepted"},
		"nor is it before Finished":                       {ended(flight(warning(client, tlswire.AlertCloseNotify)), client), "rejected (aborted) by client: closed"},
		"nor is a warning of 1.2":                         {ended(handshake(v12)(warning(server, tlswire.AlertNoRenegotiation), request(), answer(200)), client), "accepted"},
		"a client that was asked, and not yet judged":     {asked(flight)(shows(client, nil), finished(client)), "open"},
		"a client that was asked, and is taken":           {asked(flight)(shows(client, nil), finished(client), ticket()), "accepted"},
		"a client that was asked, and is refused in HTTP": {asked(flight)(shows(client, nil), finished(client), request(), answer(200)), "accepted"},

		"the server rejects":               {ended(asked(flight)(shows(client), finished(client), alert(server, tlswire.AlertCertificateRequired)), server), "rejected by server: no_client_certificate; server's certificate_required"},
		"the client rejects":               {ended(flight(alert(client, tlswire.AlertUnknownCA)), client), "rejected by client: unknown_ca; client's unknown_ca"},
		"at ClientHello":                   {ended(talk(0, hello())(alert(server, tlswire.AlertProtocolVersion)), server), "rejected by server: no_common_version; server's protocol_version"},
		"user_canceled ends 1.2":           {ended(talk(v12, hello(), serverHello())(alert(client, tlswire.AlertUserCanceled)), client), "rejected by client: canceled; client's user_canceled"},
		"an alert after success":           {ended(handshake(v12)(request(), alert(server, tlswire.AlertBadRecordMAC)), server), "broken: other; server's bad_record_mac"},
		"a refusal after success":          {ended(handshake(v13)(alert(server, tlswire.AlertBadCertificate)), server), "broken: other; server's bad_certificate"},
		"of a client that was asked":       {ended(asked(handshake(v13))(sealed(client, 900), alert(server, tlswire.AlertBadCertificate)), server), "rejected by server: certificate_refused; server's bad_certificate"},
		"an alert that answers a FIN":      {answersFIN(flight(), tlswire.AlertDecodeError), "rejected (aborted) by client: closed"},
		"an alert before the FIN":          {ended(flight(alert(server, tlswire.AlertDecodeError)), client), "rejected by server: other; server's decode_error"},
		"an answer to a FIN that is plain": {answersFIN(flight(), tlswire.AlertUnknownCA), "rejected by server: other; server's unknown_ca"},

		"under way":                      {begun(), "open"},
		"nothing said so far":            {nothing(), "open"},
		"cut off":                        {endsWith(begun(), tlsdecrypt.CutOff), "unknown (cut off)"},
		"an end of nobody":               {endsWith(begun(), tlsdecrypt.Closed), "unknown (cut off)"},
		"nobody spoke":                   {ended(nothing(), client), "unknown (not TLS): closed"},
		"the server answers the end":     {answersFIN(nothing(), tlswire.AlertHandshakeFailure), "unknown (not TLS): closed"},
		"and a ClientHello":              {answersFIN(talk(0, hello())(), tlswire.AlertHandshakeFailure), "rejected by server: other; server's handshake_failure"},
		"nobody spoke for long":          {endedAfter(nothing(), server, 5*time.Second), "rejected (aborted) by server: too_slow"},
		"a client that waits, and goes":  {endedAfter(talk(0, hello())(), client, 3*time.Second), "rejected (aborted) by client: too_slow"},
		"a server that waits, and goes":  {endedAfter(flight(), server, patience), "rejected (aborted) by server: too_slow"},
		"not long enough":                {endedAfter(flight(), server, patience-time.Nanosecond), "rejected (aborted) by server: closed"},
		"who is to speak does not wait":  {endedAfter(flight(), client, time.Minute), "rejected (aborted) by client: closed"},
		"a server that does not answer":  {ended(talk(0, hello())(), server), "rejected (aborted) by server: closed"},
		"a client that goes after hello": {ended(talk(0, hello())(), client), "rejected (aborted) by client: closed"},
		"a client that resets":           {endsWith(ended(begun(), client), tlsdecrypt.ClientReset), "rejected (aborted) by client: closed"},

		"HTTP to a server that closes":        {plain(ended(nothing(), server), client, tlsdecrypt.Plain{HTTP: true, Line: "GET / HTTP/1.1"}, tlsdecrypt.Plain{}), "rejected (not TLS) by server: not_tls"},
		"HTTP to a server that says 400":      {plain(ended(nothing(), client), client, tlsdecrypt.Plain{HTTP: true, Line: "GET / HTTP/1.1"}, tlsdecrypt.Plain{HTTP: true, Line: "HTTP/1.1 400 Bad Request"}), "rejected (not TLS) by server: not_tls"},
		"HTTP to a server that takes it":      {plain(ended(nothing(), server), client, tlsdecrypt.Plain{HTTP: true, Line: "GET / HTTP/1.1"}, tlsdecrypt.Plain{HTTP: true, Line: "HTTP/1.1 200 OK"}), "unknown (not TLS)"},
		"status 4000 is not 400":              {plain(ended(nothing(), server), client, tlsdecrypt.Plain{HTTP: true, Line: "GET / HTTP/1.1"}, tlsdecrypt.Plain{HTTP: true, Line: "HTTP/1.1 200 400"}), "unknown (not TLS)"},
		"text that both speak":                {plain(ended(nothing(), server), server, tlsdecrypt.Plain{Line: "EHLO me"}, tlsdecrypt.Plain{Line: "220 mail"}), "unknown (not TLS)"},
		"garbage to a server that closes":     {plain(ended(nothing(), server), client, tlsdecrypt.Plain{}, tlsdecrypt.Plain{}), "rejected (not TLS) by server: not_tls"},
		"garbage of a client that goes":       {plain(ended(nothing(), client), client, tlsdecrypt.Plain{}, tlsdecrypt.Plain{}), "unknown (not TLS)"},
		"garbage, answered with an alert":     {plain(ended(nothing(alert(server, tlswire.AlertUnexpectedMessage)), server), client, tlsdecrypt.Plain{}, tlsdecrypt.Plain{}), "rejected (not TLS) by server: not_tls; server's unexpected_message"},
		"TLS to a server of HTTP":             {plain(ended(nothing(hello()), client), server, tlsdecrypt.Plain{}, tlsdecrypt.Plain{HTTP: true, Line: "HTTP/1.1 400 Bad Request"}), "rejected (not TLS) by client: not_tls"},
		"TLS to it, and an alert":             {plain(ended(nothing(hello(), alert(client, tlswire.AlertRecordOverflow)), client), server, tlsdecrypt.Plain{}, tlsdecrypt.Plain{HTTP: true, Line: "HTTP/1.1 400 Bad Request"}), "rejected (not TLS) by client: not_tls; client's record_overflow"},
		"a greeting, and no word of a client": {plain(ended(nothing(), client), server, tlsdecrypt.Plain{}, tlsdecrypt.Plain{Line: "220 mail"}), "unknown (not TLS)"},
		"something else after success":        {plain(ended(handshake(v13)(request(), answer(200)), client), server, tlsdecrypt.Plain{}, tlsdecrypt.Plain{}), "accepted"},
	} {
		v := judgeWire(test.c)
		if got := brief(v); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		if v.Outcome != Accepted && v.Reason == "" || (v.Code == "" && v.How != CutOff) != (v.Fix == "") {
			t.Errorf("%s: reason %q, code %q, fix %q", name, v.Reason, v.Code, v.Fix)
		}
	}
}

// lateHello is a connection on which the ClientHello comes when the server has
// closed, which waited that long.
func lateHello(waited time.Duration) *tlsdecrypt.Connection {
	c := endedAfter(talk(0, hello())(), endpoint.Server, 0)
	c.EndedAt = c.Opened.Add(waited)
	c.Messages[0].Time, c.Ended = c.EndedAt.Add(step), c.EndedAt.Add(2*step)
	return c
}

// How the ends of a handshake without an alert read.
func TestJudgeWireReasons(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	flight := talk(tlswire.VersionTLS13, hello(), serverHello(), shows(server, nil), finished(server))
	http := tlsdecrypt.Plain{HTTP: true, Line: "GET / HTTP/1.1"}
	part := ended(talk(0)(), client)
	part.Problems = []tlsdecrypt.Problem{{From: client, Text: "ends within a record"}}
	for want, c := range map[string]*tlsdecrypt.Connection{
		"the client closed before it had sent a whole ClientHello":                                                                                              part,
		"the client closed without a byte, as a health check or a port scan does":                                                                               ended(talk(0)(), client),
		"the client was silent for too long: the server waited 5s, and closed":                                                                                  endedAfter(talk(0)(), server, 5*time.Second),
		"the client was silent for too long: the server waited 3s, and closed":                                                                                  lateHello(3 * time.Second),
		"the server was silent for too long: the client waited 300ms, and closed":                                                                               endedAfter(talk(0, hello())(), client, 250*time.Millisecond),
		"the server ended the connection without an answer to ClientHello, and without an alert":                                                                ended(talk(0, hello())(), server),
		"the server closed the connection before anything was said, as a rule on addresses does, a limit on connections, or a forwarder with nothing behind it": lateHello(step),
		"the client broke off the connection without an alert" + closedAfterCertificate:                                                                         endsWith(ended(flight(), client), tlsdecrypt.ClientReset),
		"the client closed the connection during the handshake, without an alert" + closedAfterCertificate:                                                      endsWith(ended(flight(), client), tlsdecrypt.ServerReset),
		"the server closed the connection during the handshake, without an alert":                                                                               ended(flight(), server),
		"the server broke off the connection without an alert":                                                                                                  endsWith(ended(flight(), server), tlsdecrypt.ServerReset),
		"the handshake is not done yet":                 flight(),
		"how the handshake ended is not in the capture": endsWith(flight(), tlsdecrypt.CutOff),
		"the client did not speak TLS, but plain HTTP, and the server closed without an answer, as one does that expects TLS": plain(ended(talk(0)(), server), client, http, tlsdecrypt.Plain{}),
		"the client did not speak TLS, and the server closed without an answer, as one does that expects TLS":                 plain(ended(talk(0)(), server), client, tlsdecrypt.Plain{}, tlsdecrypt.Plain{}),
		"the client does not speak TLS, and ended its session: QUIT":                                                          plain(ended(talk(0)(), server), client, tlsdecrypt.Plain{Line: "QUIT"}, tlsdecrypt.Plain{}),
		"this is plain HTTP":            plain(ended(talk(0)(), client), client, http, tlsdecrypt.Plain{HTTP: true, Line: "HTTP/1.1 200 OK"}),
		"the server does not speak TLS": plain(ended(talk(0)(), client), server, tlsdecrypt.Plain{}, tlsdecrypt.Plain{Line: "220 mail"}),
	} {
		if v := judgeWire(c); v.Reason != want {
			t.Errorf("%q, want %q", v.Reason, want)
		}
	}
}

// What becomes of the request of a client that was accepted.
func TestJudgeWireInHTTP(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	leaf := newCertificate(t, nil)
	expired := &chain.Fault{Code: chain.Expired, Cert: leaf, Text: "has expired"}
	with := func(m *tlsdecrypt.Message) func(...*tlsdecrypt.Message) *tlsdecrypt.Connection {
		return asked(talk(tlswire.VersionTLS13, hello(), serverHello(), shows(server, nil), finished(server), m, finished(client), ticket()))
	}
	good := with(checkedAs(shows(client, leaf.Raw), tlsdecrypt.Holds))
	none := with(shows(client))
	bad := with(checkedAs(shows(client, leaf.Raw), tlsdecrypt.Fails, expired))
	doubtful := with(checkedAs(shows(client, leaf.Raw), tlsdecrypt.Unknown, &chain.Fault{Code: chain.UnknownCA, Cert: leaf, Text: "leads elsewhere"}))
	both := with(checkedAs(checkedAs(shows(client, leaf.Raw), tlsdecrypt.Unknown, &chain.Fault{Code: chain.UnknownCA, Cert: leaf, Text: "leads elsewhere"}), tlsdecrypt.Fails, expired))
	unchecked := with(shows(client, leaf.Raw))
	for name, test := range map[string]struct {
		c    *tlsdecrypt.Connection
		want string
	}{
		"answered":                        {good(request(), answer(200)), "accepted"},
		"400 after 100 Continue":          {none(request(), answer(100), answer(400)), "accepted (refused in HTTP): no_client_certificate"},
		"100 Continue is no answer":       {none(request(), answer(100)), "accepted"},
		"an interim answer, then 200":     {none(request(), answer(103), answer(200)), "accepted"},
		"400 later than the first answer": {none(request(), answer(200), answer(400)), "accepted"},
		"400 without a certificate":       {none(request(), answer(400)), "accepted (refused in HTTP): no_client_certificate"},
		"403 without a certificate":       {none(request(), answer(403)), "accepted (refused in HTTP): no_client_certificate"},
		"500 without a certificate":       {none(request(), answer(500)), "accepted"},
		"403 to a good certificate":       {good(request(), answer(403)), "accepted (refused in HTTP): not_authorised"},
		"401 to a good certificate":       {good(request(), answer(401)), "accepted (refused in HTTP): not_authorised"},
		"401 to a bad one":                {bad(request(), answer(401)), "accepted (refused in HTTP): expired"},
		"403 to an unchecked one":         {unchecked(request(), answer(403)), "accepted (refused in HTTP): not_authorised"},
		"403 to a bad one":                {bad(request(), answer(403)), "accepted (refused in HTTP): expired"},
		"400 to a bad one":                {bad(request(), answer(400, nginx)), "accepted (refused in HTTP): expired"},
		"403 to a doubtful one":           {doubtful(request(), answer(403)), "accepted (refused in HTTP): refused_in_http"},
		"403 to a doubtful and bad one":   {both(request(), answer(403)), "accepted (refused in HTTP): expired"},
		"400 of nginx to a good one":      {good(request(), answer(400, nginx)), "accepted (refused in HTTP): refused_in_http"},
		"400 of somebody to a good one":   {good(request(), answer(400)), "accepted"},
		"495 of somebody to a good one":   {good(request(), answer(495)), "accepted (refused in HTTP): refused_in_http"},
	} {
		v := judgeWire(ended(test.c, client))
		if got := brief(v); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		if v.Code != "" && v.Fix != fix(v.Code, server) && !strings.Contains(v.Fix, "the server's log") && !strings.Contains(v.Fix, "the application's log") {
			t.Errorf("%s: fix %q", name, v.Fix)
		}
	}
	v := judgeWire(ended(bad(request(), answer(400, nginx)), client))
	if want := "the server asked for a certificate, and refuses in HTTP with 400: the client's certificate has expired"; v.Reason != want {
		t.Errorf("%q, want %q", v.Reason, want)
	}
	if v := judgeWire(ended(good(request(), answer(400, nginx)), client)); len(v.Causes) == 0 {
		t.Error("a refusal that says nothing has no causes")
	}
}

// A client that closes without a request may have looked at the certificate
// afterwards.
func TestJudgeWireWithoutRequest(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	leaf := newCertificate(t, nil)
	wrong := &chain.Fault{Code: chain.WrongHost, Cert: leaf, Text: "is not for example.net"}
	with := func(m *tlsdecrypt.Message) *tlsdecrypt.Connection {
		return talk(tlswire.VersionTLS13, hello(), serverHello(), m, finished(server), finished(client))()
	}
	if v := judgeWire(ended(with(shows(server, leaf.Raw)), client)); brief(v) != "accepted" || v.Reason != noRequest {
		t.Errorf("%s, %q", brief(v), v.Reason)
	}
	for address, want := range map[string]int{"192.0.2.1:443": 1, "192.0.2.2:443": 0} { // that is called without a name
		for name, want := range map[string]int{"": want, "example.org": 0} {
			c := ended(with(shows(server, newCertificate(t, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 2)} }).Raw)), client)
			c.Server, c.ServerName = netip.MustParseAddrPort(address), name
			if v := judgeWire(c); brief(v) != "accepted" || len(v.Causes) != want || want > 0 && v.Causes[0].Code != chain.WrongHost {
				t.Errorf("%s, name %q: %s, causes %v", address, name, brief(v), v.Causes)
			}
		}
	}
	long := checkedAs(shows(server, leaf.Raw), tlsdecrypt.Unknown, &chain.Fault{Code: chain.PathTooLong, Cert: leaf, Text: "is below too many CAs"})
	if v := judgeWire(ended(with(long), client)); brief(v) != "accepted" || v.Doubt == nil || !strings.HasPrefix(v.Reason, noRequest) || !strings.HasSuffix(v.Reason, "is below too many CAs") {
		t.Errorf("a doubt: %s, %q", brief(v), v.Reason)
	}
	for _, result := range []tlsdecrypt.Result{tlsdecrypt.Unknown, tlsdecrypt.Holds} { // by CAs that the client may not know
		named := newCertificate(t, func(c *x509.Certificate) { c.DNSNames = []string{"example.net"} })
		c := ended(with(checkedAs(shows(server, named.Raw), result, nil)), client)
		c.ServerName = "example.net"
		if v := judgeWire(c); brief(v) != "accepted" || v.Reason != noRequestNamed {
			t.Errorf("of a chain that is %s: %s, %q", result, brief(v), v.Reason)
		}
	}
	v := judgeWire(ended(with(checkedAs(shows(server, leaf.Raw), tlsdecrypt.Fails, wrong)), client))
	if brief(v) != "accepted: wrong_host" || !strings.HasPrefix(v.Reason, "then the client closed without a request") || !strings.HasSuffix(v.Reason, "the server's certificate is not for example.net") || v.Fix != fix(chain.WrongHost, client) {
		t.Errorf("%s, %q, %q", brief(v), v.Reason, v.Fix)
	}
	for name, c := range map[string]*tlsdecrypt.Connection{
		"open":    with(shows(server, leaf.Raw)),
		"cut off": endsWith(with(shows(server, leaf.Raw)), tlsdecrypt.CutOff),
	} {
		if v := judgeWire(c); brief(v) != "accepted" || v.Reason != "" {
			t.Errorf("%s: %s, %q", name, brief(v), v.Reason)
		}
	}
}

// Who left first after the handshake, and what was said until then.
func TestJudgeWireLeaving(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	data := func(from endpoint.Side) *tlsdecrypt.Message {
		return &tlsdecrypt.Message{From: from, Type: tlswire.ContentTypeApplicationData, Data: []byte("hello")}
	}
	said := handshake(tlswire.VersionTLS13)
	const unanswered = "the server closed without an answer to what the client had sent"
	for name, test := range map[string]struct {
		c    *tlsdecrypt.Connection
		want string
	}{
		"the client, without a request": {ended(said(), client), noRequest},
		"the server, without a request": {ended(said(), server), "after the handshake the server closed before the client had sent a request"},
		"the client says goodbye first": {ended(said(warning(client, tlswire.AlertCloseNotify)), server), noRequest},
		"the server does not answer":    {ended(said(request()), server), unanswered},
		"nor what is no HTTP":           {ended(said(data(client)), server), unanswered},
		"it answers what is no HTTP":    {ended(said(data(client), data(server)), server), ""},
		"the client does not wait":      {ended(said(request()), client), ""},
		"a server that speaks first":    {ended(said(data(server)), server), ""},
		"cut off after its goodbye":     {endsWith(said(warning(server, tlswire.AlertCloseNotify)), tlsdecrypt.CutOff), ""},
		"a request and its answer":      {ended(said(request(), answer(204)), server), ""},
	} {
		if v := judgeWire(test.c); brief(v) != "accepted" || v.Reason != test.want {
			t.Errorf("%s: %s, %q, want %q", name, brief(v), v.Reason, test.want)
		}
	}
}

// A server that closes after the handshake may do so for the client's
// certificate, which it checks only then.
func TestJudgeWireSilence(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	empty := asked(talk(tlswire.VersionTLS12, hello(), serverHello(), shows12(client), finished(client), finished(server)))
	const may = "; the client sent no certificate when it was asked, and some servers close so for that"
	for name, test := range map[string]struct {
		c    *tlsdecrypt.Connection
		want string
	}{
		"without a request":               {ended(empty(), server), "after the handshake the server closed before the client had sent a request" + may},
		"without an answer":               {ended(empty(request()), server), "the server closed without an answer to what the client had sent" + may},
		"before the request":              {endedAfter(empty(request()), server, -step), "the server closed before a request of the client came" + may},
		"without having asked the client": {ended(talk(tlswire.VersionTLS12, hello(), serverHello(), finished(client), finished(server))(request()), server), "the server closed without an answer to what the client had sent"},
	} {
		v := judgeWire(test.c)
		if brief(v) != "accepted" || v.Reason != test.want {
			t.Errorf("%s: %s, %q, want %q", name, brief(v), v.Reason, test.want)
		}
		doubted := v.Doubt != nil && *v.Doubt == Doubt{server, NoClientCertificate} && v.Fix == fix(NoClientCertificate, server)
		if doubted != strings.HasSuffix(test.want, may) {
			t.Errorf("%s: %v, fix %q", name, v.Doubt, v.Fix)
		}
		if own := Judge(nil, clientSees(nil), 0, test.c); doubted && (own.Doubt == nil || own.Fix != v.Fix) {
			t.Errorf("%s, where the client is the lab's: %v, fix %q", name, own.Doubt, own.Fix)
		}
	}
}

// Bytes that are missing may be an alert: nothing is said of a handshake then.
func TestJudgeWireLacking(t *testing.T) {
	c := read(t, sends(endpoint.Client, helloOf()), wiretap.Event{Kind: wiretap.Gap, From: endpoint.Server, Missing: 100})
	if v := judgeWire(c); brief(v) != "unknown (cut off)" {
		t.Error(brief(v))
	}
	c = read(t, sends(endpoint.Client, []byte("GET / HTTP/1.1\r\n\r\n")), wiretap.Event{Kind: wiretap.Gap, From: endpoint.Server, Missing: 100})
	if v := judgeWire(c); brief(v) != "unknown (not TLS)" {
		t.Error(brief(v))
	}
}

// Not TLS, as it is read from bytes: both sides, one, and in the middle.
func TestJudgeWireOfBytes(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	unexpected := recordOf(tlswire.ContentTypeAlert, []byte{2, 10})
	get, ok := []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	for name, test := range map[string]struct {
		events []wiretap.Event
		want   string
	}{
		"both sides plain":             {[]wiretap.Event{sends(client, get), sends(server, ok)}, "unknown (not TLS)"},
		"refused":                      {[]wiretap.Event{sends(client, get), sends(server, []byte("HTTP/1.1 400 Bad Request\r\n\r\n"))}, "rejected (not TLS) by server: not_tls"},
		"an alert":                     {[]wiretap.Event{sends(client, get), sends(server, recordOf(tlswire.ContentTypeAlert, []byte{2, 70}))}, "rejected (not TLS) by server: not_tls; server's protocol_version"},
		"mid-stream":                   {[]wiretap.Event{sends(client, helloOf()), sends(server, recordOf(tlswire.ContentTypeAlert, []byte{2, 40})), sends(server, ok)}, "rejected by server: other; server's handshake_failure"},
		"an answer to what is missing": {[]wiretap.Event{{Kind: wiretap.Gap, From: client, Missing: 44}, sends(client, helloOf()), sends(server, []byte("HTTP/1.1 400 Bad Request\r\n\r\n"))}, "unknown (not TLS)"},
		"an echo":                      {[]wiretap.Event{sends(client, helloOf()), sends(server, helloOf()), sends(client, unexpected), sends(server, unexpected)}, "rejected (not TLS) by client: not_tls; client's unexpected_message"},
		"an echo, and no alert":        {[]wiretap.Event{sends(client, helloOf()), sends(server, helloOf())}, "rejected (not TLS) by client: not_tls"},
		"a web page":                   {[]wiretap.Event{sends(client, helloOf()), sends(server, []byte("<html>hello</html>"))}, "rejected (not TLS) by client: not_tls"},
	} {
		if got := brief(judgeWire(read(t, test.events...))); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// An echo server is told as one, and what it sends back is no warning.
func TestEcho(t *testing.T) {
	alert := recordOf(tlswire.ContentTypeAlert, []byte{2, 10})
	c := read(t, sends(endpoint.Client, helloOf()), sends(endpoint.Server, helloOf()), sends(endpoint.Client, alert), sends(endpoint.Server, alert))
	if v := judgeWire(c); v.Reason != "the server did not speak TLS, but sends back what it gets, as an echo server does" {
		t.Error(v.Reason)
	}
}

// An alert before any ClientHello is the client's own matter, and an alert that
// comes after it is no warning before it.
func TestInPlaceOfHello(t *testing.T) {
	c := read(t, sends(endpoint.Client, recordOf(tlswire.ContentTypeAlert, []byte{2, 80})), sends(endpoint.Server, recordOf(tlswire.ContentTypeAlert, []byte{2, 10})))
	if v := judgeWire(c); v.Reason != "the client sent internal_error in place of ClientHello" || !strings.Contains(v.Fix, "nothing to offer") {
		t.Errorf("%s; fix: %s", v.Reason, v.Fix)
	}
	late := talk(tlswire.VersionTLS12, hello(), serverHello())(alert(endpoint.Client, tlswire.AlertInternalError), warning(endpoint.Server, tlswire.AlertUnrecognizedName))
	if v := judgeWire(ended(late, endpoint.Client)); strings.Contains(v.Reason, "before that") {
		t.Error(v.Reason)
	}
}

// Data went both ways after what must be Finished, whose keys are missing.
func TestJudgeWireHiddenTLS12(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	data := func(from endpoint.Side) *tlsdecrypt.Message { return sealed(from, 100) }
	leaf := newCertificate(t, func(c *x509.Certificate) { c.NotAfter = start.Add(-time.Hour) })
	expired := &chain.Fault{Code: chain.Expired, Cert: leaf, Text: "has expired"}
	begun := asked(talk(tlswire.VersionTLS12, hello(), serverHello(), shows(server, nil)))
	for name, test := range map[string]struct {
		c            *tlsdecrypt.Connection
		want, reason string
	}{
		"both ways":                         {begun(sealed12(client), sealed12(server), data(client), data(server)), "accepted (very probably)", "after both Finished application data went both ways"},
		"of a client without a certificate": {begun(shows(client), sealed12(client), sealed12(server), data(client), data(server)), "accepted (very probably)", "; yet the client sent no certificate; whether the server then refused that is encrypted"},
		"of a client that has expired":      {begun(checkedAs(shows(client, leaf.Raw), tlsdecrypt.Fails, expired), sealed12(client), sealed12(server), data(client), data(server)), "accepted (very probably)", "; yet the client's certificate has expired; whether the server"},
		"of a doubtful client":              {begun(checkedAs(shows(client, leaf.Raw), tlsdecrypt.Unknown, expired), sealed12(client), sealed12(server), data(client), data(server)), "accepted (very probably)", "; yet the client's certificate has expired; whether the server"},
		"one way":                           {begun(sealed12(client), sealed12(server), data(client)), "accepted (very probably)", "nothing left to judge; the client sent application data, and the server none"},
		"one way, after a second handshake": {begun(sealed12(client), sealed12(server), sealed12(client), data(client)), "unknown", encrypted},
		"no request":                        {begun(sealed12(client), sealed12(server)), "accepted (very probably)", noRequest},
		"a second handshake":                {begun(sealed12(client), sealed12(server), sealed12(client)), "accepted (very probably)", "a second handshake (renegotiation)"},
		"one Finished":                      {begun(sealed12(client)), "unknown", encrypted},
		"data before that":                  {begun(data(client), data(server), sealed12(client), sealed12(server)), "accepted (very probably)", noRequest},
		"the server alone":                  {begun(sealed12(server)), "rejected (aborted) by client: closed", "the client closed"},
	} {
		v := judgeWire(ended(test.c, client))
		if got := brief(v); got != test.want || !strings.Contains(v.Reason, test.reason) {
			t.Errorf("%s: %s, %q, want %s, %q", name, got, v.Reason, test.want, test.reason)
		}
		if (v.How == Probably) != strings.Contains(v.Confirm, "keys") || v.How == Probably && v.Fix != "" && v.Doubt == nil {
			t.Errorf("%s: fix %q, to be sure: %q", name, v.Fix, v.Confirm)
		}
	}
}

// A client of TLS 1.2 that sends its request before the server's Finished is
// judged as any other (RFC 7918), with keys and without.
func TestFalseStart(t *testing.T) {
	client, server := endpoint.Client, endpoint.Server
	hellos := talk(tlswire.VersionTLS12, hello(), serverHello(), shows(server, nil))
	open := ended(hellos(finished(client), request(), finished(server), answer(200)), client)
	if v := judgeWire(open); v.Outcome != Accepted || v.How != "" {
		t.Errorf("with keys: %+v", v)
	}
	data := func(from endpoint.Side) *tlsdecrypt.Message {
		return &tlsdecrypt.Message{From: from, Type: tlswire.ContentTypeApplicationData, Encrypted: true}
	}
	hidden := ended(hellos(sealed12(client), data(client), sealed12(server), data(server)), client)
	if v := judgeWire(hidden); v.Outcome != Accepted || v.How != Probably {
		t.Errorf("without keys: %+v", v)
	}
	refused := ended(hellos(sealed12(client), data(client)), server)
	if v := judgeWire(refused); v.Outcome != Rejected || v.RejectedBy != server {
		t.Errorf("a server that closes: %+v", v)
	}
}

// A client that connects and closes has refused nothing, although OpenSSL
// answers its FIN by an alert.
func TestPortCheck(t *testing.T) {
	c := ended(talk(0)(), endpoint.Client)
	late := *alert(endpoint.Server, tlswire.AlertDecodeError)
	late.Time = c.EndedAt
	c.Messages = append(c.Messages, &late)
	if v := judgeWire(c); v.Code != Closed || !strings.Contains(v.Reason, "as a health check or a port scan does") || !strings.HasPrefix(v.Fix, "nothing, if") {
		t.Errorf("%+v", v)
	}
}
