package tlsdecrypt

import (
	"slices"
	"strings"
	"testing"
)

// describe is a message in one line: who, what, and under which key.
func describe(m *Message) string {
	s := m.From.String() + " "
	switch {
	case m.Encrypted:
		s += "encrypted " + m.Type.String()
	case m.Handshake != nil:
		s += m.Handshake.Name()
	case m.Alert != nil:
		s += m.Alert.Description.String()
	case m.HTTP != nil:
		s += m.HTTP.Line
	default:
		s += strings.TrimSpace(m.Type.String() + " " + string(m.Data))
	}
	switch {
	case m.Key.Generation > 0:
		s += " [" + m.Key.Secret + " " + string(rune('0'+m.Key.Generation)) + "]"
	case m.Key.Secret != "":
		s += " [" + m.Key.Secret + "]"
	}
	return s
}

// expect compares the messages of a connection, and wants no problem in it.
func expect(t *testing.T, c *Connection, want ...string) {
	t.Helper()
	var got []string
	for _, m := range c.Messages {
		got = append(got, describe(m))
		if m.Err != nil {
			t.Errorf("%s: %v", describe(m), m.Err)
		}
		if len(m.Records) == 0 || m.Time.IsZero() {
			t.Errorf("%s has records %v, time %v", describe(m), m.Records, m.Time)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("messages\n got %q\nwant %q", got, want)
	}
	for _, p := range c.Problems {
		t.Errorf("problem: %+v", p)
	}
}

func TestTLS13Mutual(t *testing.T) {
	c := record(t, serverConfig(), clientConfig()).dissect(t, Options{})
	expect(t, c,
		"client ClientHello", "server ServerHello", "server change_cipher_spec",
		"server EncryptedExtensions [server_handshake_traffic_secret]",
		"server CertificateRequest [server_handshake_traffic_secret]",
		"server Certificate [server_handshake_traffic_secret]",
		"server CertificateVerify [server_handshake_traffic_secret]",
		"server Finished [server_handshake_traffic_secret]",
		"client change_cipher_spec",
		"client Certificate [client_handshake_traffic_secret]",
		"client CertificateVerify [client_handshake_traffic_secret]",
		"client Finished [client_handshake_traffic_secret]",
		"client GET /hello HTTP/1.1 [client_application_traffic_secret]",
		"server HTTP/1.1 200 OK [server_application_traffic_secret]",
		"client close_notify [client_application_traffic_secret]",
		"server close_notify [server_application_traffic_secret]")
}
