package ladder

import (
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// A KeyUpdate may ask for another one of the other side.
func TestKeyUpdate(t *testing.T) {
	update := func(from endpoint.Side, request tlswire.KeyUpdateRequest) *tlsdecrypt.Message {
		body := &tlswire.KeyUpdate{RequestUpdate: request}
		return &tlsdecrypt.Message{From: from, Type: tlswire.ContentTypeHandshake, Handshake: &tlswire.Handshake{Type: body.Type(), Body: body}}
	}
	client, server := endpoint.Client, endpoint.Server
	for name, test := range map[string]struct {
		said []*tlsdecrypt.Message
		want []string
	}{
		"asks for nothing": {[]*tlsdecrypt.Message{update(client, 0)}, []string{"made from the old one."}},
		"and is answered": {[]*tlsdecrypt.Message{update(client, 1), update(server, 0)},
			[]string{"and asks the server to do the same before it sends more data.", "made from the old one, as the client has asked."}},
		"and is not": {[]*tlsdecrypt.Message{update(client, 1)}, []string{"before it sends more data. No KeyUpdate of the server follows in the capture."}},
		"of itself, later": {[]*tlsdecrypt.Message{update(client, 1), update(server, 0), update(server, 0)},
			[]string{"more data.", "as the client has asked.", "made from the old one."}},
	} {
		c := replay(t, "tls13-mutual", true)
		c.Messages = append(slices.Clone(c.Messages), test.said...)
		got := strings.Split(sentences(draw(t, c, Options{})), "From here on the ")[1:]
		if len(got) != len(test.want) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i, want := range test.want {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s: %q, want %q", name, got[i], want)
			}
		}
	}
}
