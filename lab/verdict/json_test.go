package verdict

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// The JSON form of a verdict: what is not known is left out.
func TestVerdictJSON(t *testing.T) {
	arrived := true
	for want, v := range map[string]Verdict{
		`{"outcome":"accepted"}`:                                                                                                        {Outcome: Accepted},
		`{"outcome":"unknown","how":"cut off","reason":"why"}`:                                                                          {Outcome: Unknown, How: CutOff, Reason: "why"},
		`{"outcome":"rejected","how":"not TLS","rejected_by":"server"}`:                                                                 {Outcome: Rejected, How: NotTLS, RejectedBy: endpoint.Server},
		`{"outcome":"broken","alert":{"code":20,"name":"bad_record_mac","sent_by":"client"}}`:                                           {Outcome: Broken, Alert: newAlert(tlswire.AlertBadRecordMAC, endpoint.Client)},
		`{"outcome":"open","alert":{"code":0,"name":"a","sent_by":"server","arrived":true}}`:                                            {Outcome: Open, Alert: &Alert{Name: "a", SentBy: endpoint.Server, Arrived: &arrived}},
		`{"outcome":"accepted","how":"refused in HTTP","code":"expired","fix":"f","causes":[{"code":"revoked","text":"t","tell":"l"}]}`: {Outcome: Accepted, How: InHTTP, Code: chain.Expired, Fix: "f", Causes: []Cause{{chain.Revoked, "t", "l"}}},
	} {
		got, err := json.Marshal(v)
		if err != nil || string(got) != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	for how, want := range map[How]string{NotTLS: "not TLS", Aborted: "aborted", CutOff: "cut off", Probably: "very probably", InHTTP: "refused in HTTP"} {
		if string(how) != want {
			t.Errorf("%q, want %q", how, want)
		}
	}
}

// A connection and its verdict are one object.
func TestAccountJSON(t *testing.T) {
	c := ended(talk(0, hello())(alert(endpoint.Server, tlswire.AlertProtocolVersion)), endpoint.Server)
	v := judgeWire(c)
	for scenario, want := range map[string]string{
		"client-too-old": "alert client_addr client_random code connection end ended fix messages offers outcome reason rejected_by scenario server_addr time",
		"":               "alert client_addr client_random code connection end ended fix messages offers outcome reason rejected_by server_addr time",
	} {
		b, err := json.Marshal(Account{Connection: c, Verdict: &v, Scenario: scenario})
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(b, &fields); err != nil {
			t.Fatal(err)
		}
		var names []string
		for name := range fields {
			names = append(names, name)
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if string(fields["outcome"]) != `"rejected"` || string(fields["code"]) != `"no_common_version"` {
			t.Errorf("%s", b)
		}
	}
}

// Of checks certificates only where the verdict leaves something open.
func TestOfChecksWhereItMustOnly(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	for name, test := range map[string]struct {
		c    *tlsdecrypt.Connection
		want bool
	}{
		"plain success":     {ended(handshake(tlswire.VersionTLS13)(request(), answer(200)), client), false},
		"no request":        {ended(handshake(tlswire.VersionTLS13)(), client), true},
		"an alert":          {ended(talk(0, hello())(alert(server, tlswire.AlertUnknownCA)), server), true},
		"a lost connection": {ended(talk(0, hello())(), server), true},
		"under way":         {talk(0, hello())(), true},
	} {
		asked := false
		v := Of(test.c, func() *chain.Trust { asked = true; return nil })
		if asked != test.want {
			t.Errorf("%s: %s: the CAs were asked for: %v", name, brief(v), asked)
		}
	}
}
