package tlsdecrypt

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

// smtp is what is said before STARTTLS takes effect.
func smtp() []wiretap.Event {
	return []wiretap.Event{
		data(endpoint.Server, []byte("220 mail.example ESMTP\r\n")),
		data(endpoint.Client, []byte("EHLO me\r\n")),
		data(endpoint.Server, []byte("250-mail.example\r\n250 STARTTLS\r\n")),
		data(endpoint.Client, []byte("STARTTLS\r\n")),
		data(endpoint.Server, []byte("220 go ahead\r\n")),
	}
}

// behind returns a recording with something said before its first byte.
func behind(r *recording, before ...wiretap.Event) []wiretap.Event {
	events := append(slices.Clone(r.events[:1]), before...)
	return append(events, r.events[1:]...)
}

// TLS behind a prologue is what it is without one, but for the offsets.
func TestTLSBehindPrologue(t *testing.T) {
	for name, r := range flows(t) {
		whole := r.dissect(t, Options{})
		gaps := []wiretap.Event{gap(endpoint.Client, -1), gap(endpoint.Server, -1)}
		for how, before := range map[string][]wiretap.Event{
			"SMTP":                         smtp(),
			"SMTP, without the SYN":        append(slices.Clone(gaps), smtp()...),
			"the end of SMTP":              append(slices.Clone(gaps), smtp()[3:]...),
			"SMTP with a hole":             append(append(smtp()[:2:2], gap(endpoint.Server, 35)), smtp()[3:]...),
			"something not known":          {data(endpoint.Server, []byte("\x00\x01")), data(endpoint.Client, []byte("\x02"))},
			"PROXY, then SMTP":             append([]wiretap.Event{data(endpoint.Client, []byte("PROXY UNKNOWN\r\n"))}, smtp()...),
			"a PROXY line cut in two":      {data(endpoint.Client, []byte("PRO")), data(endpoint.Client, []byte("XY UNKNOWN\r\n"))},
			"SMTP whose answer comes late": append(smtp()[:4:4], data(endpoint.Server, []byte("220 go\r\n"))),
		} {
			c := dissect(t, behind(r, before...))
			c.Check(trust())
			if got, want := summary(c), summary(whole); !slices.Equal(got, want) {
				t.Errorf("%s behind %s: %q, want %q", name, how, got, want)
			}
			if len(c.Problems) > 0 || c.NotTLSFrom != endpoint.Unknown || c.Plain != (endpoint.Pair[Plain]{}) || !c.Progress().Succeeded || c.Progress().Lacking {
				t.Errorf("%s behind %s: problems %q, not TLS from the %v, %+v", name, how, problems(c), c.NotTLSFrom, c.Progress())
			}
			for i, m := range c.Messages {
				if shift := *c.Prologue.Bytes.Of(m.From); m.Records[0].Offset != whole.Messages[i].Records[0].Offset+shift {
					t.Fatalf("%s behind %s: message %d is at %d, behind %d bytes; without them it was at %d", name, how, i, m.Records[0].Offset, shift, whole.Messages[i].Records[0].Offset)
				}
			}
			for _, result := range results(c) {
				if strings.HasSuffix(result, string(Fails)) {
					t.Errorf("%s behind %s: %s", name, how, result)
				}
			}
		}
	}
}

// The first record may come with the last line, and in pieces.
func TestHelloBesidePrologue(t *testing.T) {
	r := flows(t)["TLS 1.3"]
	line := "PROXY UNKNOWN\r\n"
	for _, cut := range []int{0, 1, 5, len(line), len(line) + 1, len(line) + 4, len(line) + 8, len(line) + 100} {
		first := true
		events := r.change(func(e wiretap.Event) []wiretap.Event {
			if e.Kind != wiretap.Data || e.From != endpoint.Client || !first {
				return []wiretap.Event{e}
			}
			first = false
			joined := append([]byte(line), e.Data...)
			before, after := e, e
			before.Data, after.Data = joined[:cut], joined[cut:]
			return []wiretap.Event{before, after}
		})
		c := events.dissect(t, Options{})
		if !slices.Equal(summary(c), summary(r.dissect(t, Options{}))) || len(c.Problems) > 0 {
			t.Errorf("cut at %d: %q, problems %q", cut, summary(c), problems(c))
		}
	}
}

// If ServerHello is missing behind a prologue, that is said, and not that the
// server does not speak TLS.
func TestServerHelloIsMissingBehindPrologue(t *testing.T) {
	events := behind(&recording{events: records(t, "TLS 1.3")}, smtp()...)
	i := nth(t, events, endpoint.Server, tlswire.ContentTypeHandshake, 0)
	c := dissect(t, slices.Replace(slices.Clone(events), i, i+1, gap(endpoint.Server, int64(len(events[i].Data)))))
	wantPart(t, problems(c), "a packet is missing here: it had ServerHello")
	if c.NotTLSFrom != endpoint.Unknown || !c.Progress().Lacking {
		t.Errorf("not TLS from the %v, %+v", c.NotTLSFrom, c.Progress())
	}
}

// What a side says in place of TLS may hold a secret, which is in no problem
// and not in JSON.
func TestSecretsOfPlainTextAreLeftOut(t *testing.T) {
	for _, from := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		for _, said := range []string{
			"GET /login?password=swordfish HTTP/1.1\r\n\r\n", "swordfish\r\n", "swordfish", "login:joe password=swordfish\r\n",
			"swordfish</auth>", "CONNECT joe:swordfish@h:443 HTTP/1.1\r\n\r\n", "pässwörd=swordfish\r\n", "\x00\x00swordfish\x00",
		} {
			for where, before := range map[string][]wiretap.Event{
				"first":         {{}},
				"in the middle": {{}, gap(endpoint.Client, -1), gap(endpoint.Server, -1)},
				"after TLS":     open(records(t, "TLS 1.3")),
			} {
				c := dissect(t, append(slices.Clone(before), data(from, []byte(said)), wiretap.Event{Kind: wiretap.Close, From: from}))
				if where == "after TLS" && len(c.Problems) == 0 {
					t.Errorf("%v, %s, %q: nothing is said of it", from, where, said)
				}
				out, err := json.Marshal(c)
				if err != nil {
					t.Fatal(err)
				}
				if all := string(out) + fmt.Sprint(problems(c)); strings.Contains(all, "swordfish") || strings.Contains(all, fmt.Sprintf("% x", "swordf")) {
					t.Errorf("%v, %s, %q: %s", from, where, said, all)
				}
			}
		}
	}
}

// open are the events of a connection before its end.
func open(events []wiretap.Event) []wiretap.Event {
	return slices.DeleteFunc(events, func(e wiretap.Event) bool { return e.Kind == wiretap.Close })
}

// A server that goes on in plain text after ClientHello does not speak TLS.
func TestServerGoesOnInPlainText(t *testing.T) {
	c := dissect(t, append(append([]wiretap.Event{{}}, smtp()...), firstHello(t), data(endpoint.Server, []byte("500 what?\r\n")), wiretap.Event{Kind: wiretap.Close, From: endpoint.Client}))
	wantPart(t, problems(c), "the server does not speak TLS: it sent text: 500 [...]")
	if c.NotTLSFrom != endpoint.Server {
		t.Errorf("not TLS from the %v", c.NotTLSFrom)
	}
}
