package verdict

import (
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// An answer claims no more than the bytes prove.
func TestClaims(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	psk := said(client, &tlswire.ClientHello{Extensions: []tlswire.Extension{{Type: tlswire.ExtensionPreSharedKey, Body: &tlswire.OfferedPSKs{}}}})
	data := func(from endpoint.Side) *tlsdecrypt.Message {
		return &tlsdecrypt.Message{From: from, Type: tlswire.ContentTypeApplicationData}
	}
	early := data(client)
	early.Key.Secret = "client_early_traffic_secret"
	accepted := talk(tlswire.VersionTLS13, hello(), serverHello(), shows(server, nil), finished(server), finished(client), ticket())
	silent := asked(talk(tlswire.VersionTLS13, hello(), serverHello(), finished(server), shows(client), finished(client)))
	dropped := asked(talk(tlswire.VersionTLS13, hello(), serverHello(), finished(server), shows(client, nil), finished(client), data(client)))
	curve := func(version tlswire.Version) *tlsdecrypt.Connection {
		return ended(talk(version, hello(), serverHello(), shows(client, newCertificate(t, nil).Raw))(alert(server, tlswire.AlertIllegalParameter)), server)
	}
	echo := ended(talk(tlswire.VersionTLS12, hello(), serverHello())(alert(client, tlswire.AlertDecodeError)), client)
	echo.ALPN = "echo/0.1"
	for name, test := range map[string]struct {
		c         *tlsdecrypt.Connection
		want      string
		says, not string
	}{
		"the server is idle, and closes":         {ended(accepted(), server), "accepted", "the server closed before", "the client closed"},
		"it says goodbye, and the client closes": {ended(accepted(alert(server, tlswire.AlertCloseNotify)), client), "accepted", "the server closed before", "the client closed"},
		"the client closes":                      {ended(accepted(), client), "accepted", "the client closed", ""},
		"the server speaks first":                {ended(accepted(data(server)), client), "accepted", "", "request"},
		"early data is a request":                {ended(talk(tlswire.VersionTLS13, hello(), early, serverHello(), finished(server), finished(client))(data(server)), client), "accepted", "", "request"},
		"no answer":                              {ended(accepted(data(client)), server), "accepted", "without an answer", ""},
		"closed at once on no certificate":       {ended(silent(), server), "rejected (aborted) by server: no_client_certificate", "without an alert", ""},
		"closed without an answer to a request":  {ended(dropped(), server), "rejected (very probably) by server: closed", "an answer to the client's request", "handshake"},
		"closed a minute after no certificate":   {endedAfter(silent(), server, time.Minute), "unknown", "idle", "certificate"},
		"another pre-shared key":                 {ended(talk(0, psk)(alert(server, tlswire.AlertIllegalParameter)), server), "rejected by server: other; server's illegal_parameter", "pre-shared", "certificate"},
		"and as the RFC has it":                  {ended(talk(0, psk)(alert(server, tlswire.AlertDecryptError)), server), "rejected by server: other; server's decrypt_error", "pre-shared", "certificate"},
		"a protocol that was not offered":        {echo, "rejected by client: no_common_alpn; client's decode_error", `has chosen "echo/0.1"`, "update"},
		"a curve, in TLS 1.2":                    {curve(tlswire.VersionTLS12), "rejected by server: other; server's illegal_parameter", "the client's key is on P-256", ""},
		"none, in TLS 1.3":                       {curve(tlswire.VersionTLS13), "rejected by server: other; server's illegal_parameter", "not allowed there", "curve"},
		"no renegotiation": {ended(handshake(tlswire.VersionTLS12)(hello(), warning(server, tlswire.AlertNoRenegotiation), alert(client, tlswire.AlertHandshakeFailure)), client),
			"broken: other; client's handshake_failure", "the client wanted to renegotiate", "certificate"},
	} {
		v := judgeWire(test.c)
		if got := brief(v); got != test.want {
			t.Errorf("%s: %s, want %s (%s)", name, got, test.want, v.Reason)
		}
		if !strings.Contains(v.Reason, test.says) || test.not != "" && strings.Contains(v.Reason+v.Fix, test.not) {
			t.Errorf("%s: %q, %q", name, v.Reason, v.Fix)
		}
	}
}
