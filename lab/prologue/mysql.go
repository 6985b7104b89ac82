package prologue

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
)

// A packet of MySQL and MariaDB has 3 bytes of length, the least first, and a
// number before it (MySQL's manual of its internals, "MySQL Packets"; the
// greeting is there as "Protocol::HandshakeV10").
const mysqlHeader = 4

func startsMySQL(from endpoint.Side, b []byte) (dialect, match) {
	const version10, failure = 10, 0xff
	if from != endpoint.Server {
		return nil, no
	}
	if len(b) <= mysqlHeader {
		if len(b) < 2 || b[1] <= 3 && (len(b) < 3 || b[2] == 0) && (len(b) < 4 || b[3] == 0) {
			return nil, maybe
		}
		return nil, no
	}
	if b[0]|b[1] == 0 || b[1] > 3 || b[2] != 0 || b[3] != 0 || b[4] != version10 && b[4] != failure {
		return nil, no
	}
	return mysql{}, yes
}

// isMySQL reports whether the first bytes of a server are the greeting of MySQL
// or MariaDB.
func isMySQL(b []byte) bool {
	_, got := startsMySQL(endpoint.Server, b)
	return got == yes
}

type mysql struct{}

func (mysql) next(l *layer, from endpoint.Side, b []byte) int {
	if len(b) < mysqlHeader+1 {
		return 0
	}
	size := mysqlHeader + int(b[0]) + int(b[1])<<8 + int(b[2])<<16
	if len(b) < min(size, mysqlHeader+512) {
		return 0
	}
	packet := b[mysqlHeader:min(size, len(b))]
	l.Kind = StartTLS
	if from == endpoint.Server {
		return mysqlServer(l, packet, size, b[3])
	}
	const sslRequestLen, clientSSL = 32, 0x08 // in the second byte of the capabilities
	switch {
	case l.Asked != "":
		return -1
	case len(packet) == sslRequestLen && packet[1]&clientSSL != 0:
		l.ask("SSLRequest", "SSLRequest")
		l.Agreed = true // without an answer
		return size
	}
	l.WentOn = true
	l.say(from, "login without TLS [...]")
	return -1
}

// mysqlErrors are those of a server's answers to a login.
var mysqlErrors = map[uint16]string{1044: "access denied to the database", 1045: "access denied", 1049: "unknown database",
	3159: "connections using insecure transport are prohibited (require_secure_transport)"}

func mysqlServer(l *layer, packet []byte, size int, number byte) int {
	const failure, insecureTransport = 0xff, 3159
	if len(packet) >= 3 && packet[0] == failure {
		code, said := binary.LittleEndian.Uint16(packet[1:]), string(packet[3:])
		if strings.HasPrefix(said, "#") && len(said) >= 6 { // SQLSTATE
			said = said[6:]
		}
		demands := code == insecureTransport || strings.Contains(said, "require_secure_transport")
		if number != 0 { // what the client said may be in it
			said = mysqlErrors[code]
		}
		if l.Protocol == "" {
			l.Protocol = "MySQL"
		}
		if said = fmt.Sprintf("ERROR %d: %s", code, cmp.Or(said, hidden)); demands {
			l.demand(said)
		} else {
			l.say(endpoint.Server, said)
		}
		return size
	}
	if number != 0 || len(packet) == 0 {
		return size
	}
	version, rest, _ := bytes.Cut(packet[1:], []byte{0})
	l.Protocol = "MySQL"
	if bytes.Contains(version, []byte("MariaDB")) {
		l.Protocol = "MariaDB"
	}
	said := "greeting of version " + string(version)
	const capabilities, clientSSL = 4 + 8 + 1, 0x08 // behind the thread's number, the scramble and a zero
	if len(rest) > capabilities+1 && rest[capabilities+1]&clientSSL == 0 {
		said += ", without TLS"
		l.Refused = clean(said)
	}
	l.say(endpoint.Server, said)
	return size
}
