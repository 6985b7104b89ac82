package verdict

import (
	"encoding/binary"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// postgres is a message of PostgreSQL's server.
func postgres(kind byte, content string) string {
	return string(binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(content)))) + content
}

// pgError is its error.
func pgError(code, message string) string {
	return postgres('E', "SFATAL\x00VFATAL\x00C"+code+"\x00M"+message+"\x00Fauth.c\x00\x00")
}

// mysqlPacket is a packet of MySQL's server.
func mysqlPacket(content string) string {
	return string([]byte{byte(len(content)), 0, 0, 2}) + content
}

// A server of a database that refuses a client inside TLS has not accepted it.
func TestRefusedInside(t *testing.T) {
	const (
		ok      = "\x00\x00\x00\x00"
		notUser = `certificate authentication failed for user "postgres"`
		denied  = "\xff\x15\x04#28000Access denied for user 'lab'@'localhost'"
	)
	server, client := endpoint.Server, endpoint.Client
	leaf := newCertificate(t, nil)
	says := func(data string) *tlsdecrypt.Message {
		return &tlsdecrypt.Message{From: server, Type: tlswire.ContentTypeApplicationData, Data: []byte(data)}
	}
	begun := asked(talk(tlswire.VersionTLS13, hello(), serverHello(), shows(server, nil), finished(server), shows(client, leaf.Raw), finished(client), ticket()))
	startup := &tlsdecrypt.Message{From: client, Type: tlswire.ContentTypeApplicationData, Data: []byte("user")}
	for name, test := range map[string]struct {
		protocol     string
		said         []string
		want, reason string
	}{
		"another user":               {"PostgreSQL", []string{pgError("28000", notUser)}, "accepted (refused inside TLS): not_authorised", notUser + "; the client's certificate is of CN="},
		"no certificate":             {"PostgreSQL", []string{pgError("28000", "connection requires a valid client certificate")}, "accepted (refused inside TLS): no_client_certificate", "(28000)"},
		"no line":                    {"PostgreSQL", []string{pgError("28000", `no pg_hba.conf entry for host "::1", user "a", database "b", SSL encryption`)}, "accepted (refused inside TLS): not_authorised", "pg_hba.conf"},
		"a password":                 {"PostgreSQL", []string{postgres('R', "\x00\x00\x00\x0a"), pgError("28P01", "password authentication failed")}, "accepted (refused inside TLS): refused_inside_tls", "28P01"},
		"a database that is missing": {"PostgreSQL", []string{postgres('R', ok) + pgError("3D000", `database "x" does not exist`)}, "accepted (refused inside TLS): refused_inside_tls", "3D000"},
		"an error in a query":        {"PostgreSQL", []string{postgres('R', ok) + postgres('Z', "I"), pgError("42P01", `relation "x" does not exist`)}, "accepted", ""},
		"the same, clipped":          {"PostgreSQL", []string{postgres('R', ok) + postgres('S', strings.Repeat("x", 300))[:200], pgError("42P01", `relation "x" does not exist`)}, "accepted", ""},
		"control characters":         {"PostgreSQL", []string{pgError("28000", "a\x1b[2Jb")}, "accepted (refused inside TLS): refused_inside_tls", "a\ufffd[2Jb"},
		"by ALPN":                    {"", []string{pgError("28000", notUser)}, "accepted (refused inside TLS): not_authorised", notUser},
		"not an error":               {"PostgreSQL", []string{"E"}, "accepted", ""},
		"of another protocol":        {"SMTP", []string{pgError("28000", notUser)}, "accepted", ""},
		"of SMTP":                    {"SMTP", []string{"250-mx.test\r\n250 PIPELINING\r\n", "421 4.7.1 mx.test Error: Client certificate not trusted\r\n"}, "accepted (refused inside TLS): refused_inside_tls", "refuses in SMTP (421): 4.7.1 mx.test Error: Client certificate not trusted"},
		"of IMAP":                    {"IMAP", []string{"* OK ready\r\n", "a NO [ALERT] Client didn't present valid SSL certificate\r\n"}, "accepted (refused inside TLS): refused_inside_tls", "refuses in IMAP (a NO): [ALERT]"},
		"another reply of SMTP":      {"SMTP", []string{"550 5.1.1 no such user\r\n", "250 the certificate is fine\r\n"}, "accepted", ""},
		"of MySQL":                   {"MySQL", []string{mysqlPacket(denied)}, "accepted (refused inside TLS): refused_inside_tls", "refuses in MySQL (1045): Access denied for user 'lab'"},
		"of MariaDB, after more":     {"MariaDB", []string{mysqlPacket("\xfesha256"), mysqlPacket(denied)}, "accepted (refused inside TLS): refused_inside_tls", "MariaDB"},
		"a query of MySQL":           {"MySQL", []string{mysqlPacket("\x01\x03") + mysqlPacket("\x00\x00\x00"), mysqlPacket(denied)}, "accepted", ""},
	} {
		c := begun(startup)
		for _, data := range test.said {
			c = begun(append(c.Messages[len(begun().Messages):], says(data), startup)...)
		}
		if test.protocol != "" {
			c.Prologue = &prologue.Prologue{Layers: []*prologue.Layer{{Kind: prologue.StartTLS, Protocol: test.protocol, Asked: "TLS", Agreed: true}}}
		} else {
			c.ALPN = "postgresql"
		}
		if v := judgeWire(ended(c, client)); brief(v) != test.want || !strings.Contains(v.Reason, test.reason) || v.Code != "" && v.Fix == "" {
			t.Errorf("%s: %s: %s (%s)", name, brief(v), v.Reason, v.Fix)
		}
	}
}
