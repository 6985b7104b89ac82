package verdict

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// The sizes of what a TLS 1.3 connection hides, in bytes of plaintext.
const (
	sizeAlert     = 2
	sizeEmpty     = 8
	sizeFinished  = 36 // SHA-256
	sizeFinished3 = 52 // SHA-384
	padded        = 16 // what Java adds
)

// sealedTLS13 is a connection whose keys are missing: the server's first
// flight, and what the two sides send after it.
func sealedTLS13(suite tlswire.CipherSuite, flight []int, more ...*tlsdecrypt.Message) *tlsdecrypt.Connection {
	c := talk(tlswire.VersionTLS13, hello(), serverHello(), sealed(endpoint.Server, flight...))(more...)
	c.CipherSuite = suite
	return c
}

// slowly has the last message of a connection come a minute late.
func slowly(c *tlsdecrypt.Connection) *tlsdecrypt.Connection {
	last := c.Messages[len(c.Messages)-1]
	last.Time = last.Time.Add(time.Minute)
	return c
}

// late has the server's last message, and the end, come later.
func late(c *tlsdecrypt.Connection, by time.Duration) *tlsdecrypt.Connection {
	if last := c.Messages[len(c.Messages)-1]; last.From == endpoint.Server {
		last.Time = last.Time.Add(by)
	}
	c = ended(c, endpoint.Server)
	c.EndedAt = c.Messages[len(c.Messages)-1].Time.Add(by)
	return c
}

// What the sizes of encrypted records show of an exchange.
func TestHidden(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	sha256, sha384 := tlswire.TLS_AES_128_GCM_SHA256, tlswire.TLS_AES_256_GCM_SHA384
	flight, flight3, java := []int{30, 800, 100, sizeFinished}, []int{30, 800, 100, sizeFinished3}, []int{816, sizeFinished + padded}
	mbed := []int{15, 31, 927, 79, 47}
	from := func(sizes ...int) *tlsdecrypt.Message { return sealed(client, sizes...) }
	says := func(sizes ...int) *tlsdecrypt.Message { return sealed(server, sizes...) }
	with := func(c *tlsdecrypt.Connection, change func(*tlsdecrypt.Connection)) *tlsdecrypt.Connection {
		change(c)
		return c
	}
	const (
		refused = "rejected (very probably) by server: certificate_refused"
		none    = "rejected (very probably) by server: no_client_certificate"
		broke   = "rejected (very probably) by client: certificate_refused"
		aborted = "rejected (aborted) by client: closed"
		taken   = "accepted (very probably)"
		open    = "unknown"
	)
	for name, test := range map[string]struct {
		c    *tlsdecrypt.Connection
		by   endpoint.Side
		want string
	}{
		"request and answer":                     {sealedTLS13(sha256, flight, from(sizeFinished, 60), says(300)), client, taken},
		"with a certificate":                     {sealedTLS13(sha256, flight, from(900, 100, sizeFinished, 60), says(200, 200, 300)), server, taken},
		"in SHA-384":                             {sealedTLS13(sha384, flight3, from(sizeFinished3, 60), says(300)), client, taken},
		"Finished of SHA-256 is none there":      {sealedTLS13(sha384, flight3, from(sizeFinished)), client, open},
		"an alert in place of Finished":          {sealedTLS13(sha256, flight, from(sizeAlert)), client, broke},
		"a padded one":                           {sealedTLS13(sha256, java, from(sizeAlert+padded)), client, broke},
		"closed without a word":                  {sealedTLS13(sha256, flight), client, aborted},
		"by the server":                          {sealedTLS13(sha256, flight), server, "rejected (aborted) by server: closed"},
		"refused by an alert":                    {sealedTLS13(sha256, flight, from(900, 100, sizeFinished), says(sizeAlert)), server, refused},
		"after its request":                      {sealedTLS13(sha256, flight, from(900, 100, sizeFinished, 60), says(sizeAlert)), server, refused},
		"of Java":                                {sealedTLS13(sha256, java, from(900, sizeFinished, 60), says(sizeAlert+padded)), server, refused},
		"of its size without the padding":        {sealedTLS13(sha256, java, from(900, sizeFinished, 60), says(sizeAlert)), server, refused},
		"no alert, with the padding of nobody":   {sealedTLS13(sha256, flight, from(900, sizeFinished, 60), says(sizeAlert+padded)), server, taken},
		"without a certificate":                  {sealedTLS13(sha256, flight, from(sizeEmpty, sizeFinished), says(sizeAlert)), server, none},
		"in one record with Finished":            {sealedTLS13(sha256, flight, from(sizeEmpty+sizeFinished, 60), says(sizeAlert)), server, none},
		"without one, of Java":                   {sealedTLS13(sha256, flight, from(sizeEmpty+padded, sizeFinished+padded), says(sizeAlert)), server, none},
		"without one, in SHA-384":                {sealedTLS13(sha384, flight3, from(sizeEmpty, sizeFinished3), says(sizeAlert)), server, none},
		"a byte more than none":                  {sealedTLS13(sha256, flight, from(sizeEmpty+1, sizeFinished), says(sizeAlert)), server, refused},
		"a byte less than none":                  {sealedTLS13(sha256, flight, from(sizeEmpty-1, sizeFinished), says(sizeAlert)), server, refused},
		"of a client that was not asked":         {sealedTLS13(sha256, flight, from(sizeFinished, 60), says(sizeAlert)), server, open},
		"no record of the server":                {sealedTLS13(sha256, flight, from(900, 100, sizeFinished)), server, refused},
		"no record, and no certificate":          {sealedTLS13(sha256, flight, from(sizeEmpty, sizeFinished)), server, none},
		"the client closes without a request":    {sealedTLS13(sha256, flight, from(sizeFinished)), client, taken},
		"it says close_notify: no refusal":       {sealedTLS13(sha256, flight, from(sizeFinished, sizeAlert), says(200, 200)), client, taken},
		"close_notify is no request":             {sealedTLS13(sha256, flight, from(sizeFinished, sizeAlert), says(sizeAlert)), client, taken},
		"a padded one neither":                   {sealedTLS13(sha256, java, from(sizeFinished+padded, sizeAlert+padded), says(sizeAlert+padded)), client, taken},
		"refused, and all padded":                {sealedTLS13(sha256, []int{127, 895, 127, 127}, from(900, sizeFinished, 60), says(127)), server, open},
		"answered, and all padded":               {sealedTLS13(sha256, []int{127, 895, 127, 127}, from(900, sizeFinished, 60), says(255, 127)), server, taken},
		"a client that pads, refused":            {sealedTLS13(sha256, flight, from(63, 63, 127), says(sizeAlert)), server, refused},
		"a client that pads its alert":           {sealedTLS13(sha256, flight, from(63)), client, open},
		"an idle connection, without tickets":    {slowly(sealedTLS13(sha256, flight, from(900, sizeFinished), says(sizeAlert))), server, open},
		"an answer of an alert's size, and more": {sealedTLS13(sha256, flight, from(900, sizeFinished, 60), says(sizeAlert, 300)), server, taken},

		"an alert in the server's flight":      {sealedTLS13(sha256, []int{30, sizeAlert}), client, open},
		"the client's may answer a FIN":        {with(sealedTLS13(sha256, flight, from(sizeAlert)), func(c *tlsdecrypt.Connection) { c.EndedBy, c.EndedAt, c.End = server, start, tlsdecrypt.Closed }), endpoint.Unknown, open},
		"padded to 16 bytes, as mbedTLS does":  {sealedTLS13(sha256, mbed, from(879, 95, 47, 95), says(15)), server, refused},
		"it has no certificate":                {sealedTLS13(sha256, mbed, from(15, 47, 95), says(15)), server, none},
		"its alert in place of Finished":       {sealedTLS13(sha256, mbed, from(15)), client, broke},
		"no alert there: more than that holds": {sealedTLS13(sha256, mbed, from(879, 95, 47, 95), says(31)), server, taken},
		"all in one record, as of Botan":       {sealedTLS13(sha256, []int{1154}, from(992, 90), says(sizeAlert)), server, refused},
		"and taken":                            {sealedTLS13(sha256, []int{1154}, from(992, 90), says(217, 340, sizeAlert)), client, taken},
		"tickets, and no request":              {sealedTLS13(sha256, flight, from(900, 100, sizeFinished), says(200, 200), from(sizeAlert)), client, taken},
		"the client closes after the alert":    {sealedTLS13(sha256, flight, from(900, 100, sizeFinished), says(sizeAlert)), client, refused},
		"it said close_notify before":          {sealedTLS13(sha256, flight, from(900, 100, sizeFinished, sizeAlert), says(sizeAlert)), client, open},
		"it closed before the server judged":   {sealedTLS13(sha256, flight, from(900, 100, sizeFinished)), client, open},
		"it said so, and the server closed":    {sealedTLS13(sha256, flight, from(900, 100, sizeFinished, sizeAlert)), server, open},
		"tickets before the client's Finished": {sealedTLS13(sha256, []int{30, 800, 100, sizeFinished, 250, 250}, from(sizeFinished, 60), says(300)), client, taken},
		"not asked, and closed without answer": {sealedTLS13(sha256, flight, from(sizeFinished, 60)), server, taken},
		"a ticket is all that is seen":         {with(sealedTLS13(sha256, flight, from(900, 100, sizeFinished), says(200)), func(*tlsdecrypt.Connection) {}), endpoint.Unknown, taken},
		"taken up":                             {with(sealedTLS13(sha256, []int{6, sizeFinished}, from(sizeFinished, 60), says(300)), func(c *tlsdecrypt.Connection) { c.Resumption = tlsdecrypt.ByPSK }), client, taken},

		"two alerts, of GnuTLS, unread request": {endsWith(ended(sealedTLS13(sha256, flight, from(900, 100, sizeFinished, 60), says(sizeAlert, sizeAlert)), server), tlsdecrypt.ServerReset), endpoint.Unknown, refused},
		"before any request":                    {sealedTLS13(sha256, flight, from(900, 100, sizeFinished), says(sizeAlert, sizeAlert)), server, refused},
		"two of an alert's size: who knows":     {sealedTLS13(sha256, flight, from(900, 100, sizeFinished, 60), says(sizeAlert, sizeAlert)), server, open},

		"a pause, then two bytes":               {late(sealedTLS13(sha256, flight, from(900, 100, sizeFinished, 5), says(sizeAlert)), 20*step), endpoint.Unknown, open},
		"a pause, then two bytes of a greeting": {late(sealedTLS13(sha256, flight, from(900, 100, sizeFinished), says(sizeAlert)), 20*step), endpoint.Unknown, open},
		"a pause, and the server closes":        {late(sealedTLS13(sha256, flight, from(900, 100, sizeFinished, 2)), 20*step), endpoint.Unknown, open},
		"no pause":                              {late(sealedTLS13(sha256, flight, from(900, 100, sizeFinished, 5), says(sizeAlert)), 0), endpoint.Unknown, refused},

		"still open":        {with(sealedTLS13(sha256, flight, from(sizeFinished)), func(c *tlsdecrypt.Connection) { c.End = tlsdecrypt.StillOpen }), endpoint.Unknown, taken},
		"cut off":           {endsWith(ended(sealedTLS13(sha256, flight, from(900, sizeFinished), says(sizeAlert)), server), tlsdecrypt.CutOff), endpoint.Unknown, open},
		"messages left out": {with(ended(sealedTLS13(sha256, flight, from(900, sizeFinished), says(sizeAlert)), server), func(c *tlsdecrypt.Connection) { c.Omitted = 1 }), endpoint.Unknown, open},
		"resumed":           {with(ended(sealedTLS13(sha256, flight, from(sizeFinished), says(sizeAlert)), server), func(c *tlsdecrypt.Connection) { c.Resumption = tlsdecrypt.ByPSK }), endpoint.Unknown, open},
	} {
		if test.by != endpoint.Unknown {
			test.c = ended(test.c, test.by)
		}
		v := judgeWire(test.c)
		if got := brief(v); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		if v.Reason == "" || !strings.Contains(v.Fix+v.Confirm, "keys") && v.Code != NoClientCertificate && v.How != Aborted {
			t.Errorf("%s: reason %q, code %q, fix %q", name, v.Reason, v.Code, v.Fix)
		}
	}
}

// Early data, whose keys are missing too, comes before all that the client is
// asked for: sizes prove nothing then.
func TestHiddenEarlyData(t *testing.T) {
	c := ended(sealedTLS13(tlswire.TLS_AES_128_GCM_SHA256, []int{30, 800, 100, sizeFinished},
		sealed(endpoint.Client, sizeEmpty, sizeFinished, 60), sealed(endpoint.Server, sizeAlert)), endpoint.Server)
	early := sealed(endpoint.Client, 60)
	early.Time = start
	c.Messages = slices.Insert(c.Messages, 1, early)
	c.Messages[0].Handshake.Body.(*tlswire.ClientHello).Extensions = []tlswire.Extension{{Type: tlswire.ExtensionEarlyData}}
	if v := judgeWire(c); v.Outcome != Unknown {
		t.Errorf("%s, %q", brief(v), v.Reason)
	}
	c.Messages = slices.Insert(c.Messages, 2, hello()) // to a HelloRetryRequest, without early data
	if v := judgeWire(c); v.Outcome != Unknown {
		t.Errorf("after a second ClientHello: %s, %q", brief(v), v.Reason)
	}
}

// A gap may have held what would show it.
func TestHiddenLacking(t *testing.T) {
	w := &wire{Connection: ended(sealedTLS13(tlswire.TLS_AES_128_GCM_SHA256, []int{sizeFinished}, sealed(endpoint.Client, 900, sizeFinished), sealed(endpoint.Server, sizeAlert)), endpoint.Server)}
	if v := w.hidden(); v.Outcome != Rejected {
		t.Error(brief(v))
	}
	w.Lacking = true
	if v := w.hidden(); v.Outcome != Unknown {
		t.Error(brief(v))
	}
}

// A client that closes before the server has said anything has its own reason,
// such as a host's name. One without a certificate, as openssl s_client at the
// end of its input, is not told that first.
func TestHiddenEarlyClose(t *testing.T) {
	for name, test := range map[string]struct {
		sizes []int
		want  []string
	}{
		"without a certificate":                {[]int{sizeEmpty, sizeFinished, sizeAlert}, []string{string(NoClientCertificate)}},
		"with one":                             {[]int{900, 100, sizeFinished, sizeAlert}, []string{string(chain.WrongHost), string(chain.UnknownCA)}},
		"with one, after a request":            {[]int{900, 100, sizeFinished, 60, sizeAlert}, []string{string(chain.UnknownCA)}},
		"without a certificate, in one record": {[]int{sizeEmpty + sizeFinished, sizeAlert}, []string{string(NoClientCertificate)}},
	} {
		v := judgeWire(ended(sealedTLS13(tlswire.TLS_AES_128_GCM_SHA256, []int{30, 800, 100, sizeFinished},
			sealed(endpoint.Client, test.sizes...), sealed(endpoint.Server, sizeAlert)), endpoint.Client))
		codes := codesOf(v.Causes)
		if v.Outcome != Unknown || len(codes) < len(test.want) || !slices.Equal(codes[:len(test.want)], test.want) || len(test.want) > 1 != slices.Contains(codes, string(chain.WrongHost)) {
			t.Errorf("%s: %s, causes %v", name, brief(v), codes)
		}
		if empty := test.sizes[0] < 900; empty != strings.Contains(v.Reason, "the size of an empty one") || (test.want[0] == string(chain.WrongHost)) != strings.Contains(v.Reason, "psql") || !strings.Contains(v.Fix, "keys") {
			t.Errorf("%s: %q, fix %q", name, v.Reason, v.Fix)
		}
	}
}

// A client without a certificate that is answered may be refused in HTTP.
func TestHiddenEmptyCertificate(t *testing.T) {
	v := judgeWire(ended(sealedTLS13(tlswire.TLS_AES_128_GCM_SHA256, []int{30, 800, 100, sizeFinished},
		sealed(endpoint.Client, sizeEmpty, sizeFinished, 60), sealed(endpoint.Server, 200, 300)), endpoint.Client))
	if brief(v) != "accepted (very probably)" || !strings.Contains(v.Reason, "yet the client sent no certificate") || !strings.Contains(v.Reason, "refused that is encrypted") || !strings.Contains(v.Fix, "a certificate and its key") || !strings.Contains(v.Confirm, "keys") {
		t.Errorf("%s: %q, fix %q", brief(v), v.Reason, v.Fix)
	}
}

// What a verdict by sizes says, and what may be behind it.
func TestHiddenReasons(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	suite, flight := tlswire.TLS_AES_128_GCM_SHA256, []int{30, 800, 100, sizeFinished}
	said := func(by endpoint.Side, more ...*tlsdecrypt.Message) *Verdict {
		v := judgeWire(ended(sealedTLS13(suite, flight, more...), by))
		return &v
	}
	closed := ended(sealedTLS13(suite, flight, sealed(server, sizeAlert)), client)
	closed.EndedAt = closed.Messages[len(closed.Messages)-1].Time
	answered := judgeWire(closed) // as OpenSSL answers FIN
	for want, v := range map[string]*Verdict{
		"the server refuses the client's certificate: the server answered the client's last flight with a record of an alert's size, and closed; why is encrypted": said(server, sealed(client, 900, sizeFinished), sealed(server, sizeAlert)),
		"the server refuses the client's certificate: the server closed without a record after the client's last flight; why is encrypted":                         said(server, sealed(client, 900, sizeFinished)),
		"close_notify, or another alert": said(server, sealed(client, sizeFinished, 60), sealed(server, sizeAlert)),
		"the client closed the connection during the handshake, without an alert and without Finished" + closedAfterCertificate:     said(client),
		"during the handshake, without an alert and without Finished" + closedAfterCertificate:                                      &answered,
		"the server's last record has the size of an alert, and the client closed without one":                                      said(client, sealed(server, sizeAlert)),
		"in place of Finished the client sent a record of an alert's size: it refuses the server's certificate, which is encrypted": said(client, sealed(client, sizeAlert)),
		left + "; no record shows whether the server takes the client":                                                              said(client, sealed(client, 900, sizeFinished)),
		"it was not asked for a certificate, and the handshake was done; " + noRequest:                                              said(client, sealed(client, sizeFinished)),
	} {
		if !strings.HasSuffix(v.Reason, want) {
			t.Errorf("%q, want %q", v.Reason, want)
		}
	}
	if v := said(server, sealed(client, 900, sizeFinished), sealed(server, sizeAlert)); len(v.Causes) == 0 || slices.Contains(codesOf(v.Causes), string(NoClientCertificate)) {
		t.Errorf("a certificate was sent: %v", v.Causes)
	}
	if got := codesOf(said(client, sealed(client, sizeFinished)).Causes); !slices.Equal(got, []string{string(chain.WrongHost), string(chain.UnknownCA)}) {
		t.Errorf("a client that looks at the certificate later: %v", got)
	}
	if got := codesOf(said(client, sealed(client, sizeAlert)).Causes); len(got) == 0 || got[0] != string(chain.UnknownCA) {
		t.Errorf("a client that refuses: %v", got)
	}
}

// TestAdviseUnlogged: who has just had a program log its keys is not advised to
// do so.
func TestAdviseUnlogged(t *testing.T) {
	flight := []int{30, 800, 100, sizeFinished}
	for name, c := range map[string]*tlsdecrypt.Connection{
		"unknown":       sealedTLS13(tlswire.TLS_AES_128_GCM_SHA256, flight),
		"very probably": sealedTLS13(tlswire.TLS_AES_128_GCM_SHA256, flight, sealed(endpoint.Client, sizeAlert)),
	} {
		v := Judge(nil, nil, 0, ended(c, endpoint.Client))
		if !strings.Contains(v.Fix+v.Confirm, "lab exec -- PROGRAM") {
			t.Errorf("%s: %q, %q", name, v.Fix, v.Confirm)
		}
		v.AdviseUnlogged("read what it printed")
		if said := v.Fix + v.Confirm; strings.Contains(said, "lab exec") || !strings.Contains(said, "read what it printed") {
			t.Errorf("%s: %q, %q", name, v.Fix, v.Confirm)
		}
	}
}

// An answer to a request shows that the handshake was complete, but not one to
// early data.
func TestAnswersRequest(t *testing.T) {
	early := request()
	early.Key.Secret = "client_early_traffic_secret"
	for name, test := range map[string]struct {
		said []*tlsdecrypt.Message
		want bool
	}{
		"answered":      {[]*tlsdecrypt.Message{opened(request()), opened(answer(200))}, true},
		"not yet":       {[]*tlsdecrypt.Message{opened(request())}, false},
		"to early data": {[]*tlsdecrypt.Message{early, opened(answer(200))}, false},
		"before asked":  {[]*tlsdecrypt.Message{opened(answer(200)), opened(request())}, false},
		"in plain HTTP": {[]*tlsdecrypt.Message{request(), answer(200)}, false},
	} {
		w := wire{Connection: talk(tlswire.VersionTLS13, hello(), serverHello())(test.said...)}
		if got := w.answersRequest(); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
