package starttls

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// LDAP (RFC 4511 sections 4.2 and 4.14), in the shortest encoding of BER.

const startTLS = "1.3.6.1.4.1.1466.20037"

func beginLDAP(t *talk, _ Session) error {
	if err := t.say("\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + startTLS); err != nil {
		return err
	}
	code, err := t.ldapResult()
	if err == nil && code != 0 {
		return &RefusedError{fmt.Sprintf("LDAP result code %d", code)}
	}
	return err
}

// askLDAP binds without a name (RFC 4513 section 5.1.1), which a server may
// refuse whoever the client is: any answer will do.
func askLDAP(t *talk, _ Session) (Answer, error) {
	if err := t.say("\x30\x0c\x02\x01\x02\x60\x07\x02\x01\x03\x04\x00\x80\x00"); err != nil {
		return Answer{}, err
	}
	code, err := t.ldapResult()
	_ = t.say("\x30\x05\x02\x01\x03\x42\x00") // unbind
	return Answer{Text: fmt.Sprintf("LDAP result code %d", code)}, err
}

// ldapResult reads an LDAPMessage and returns the result code in it.
func (t *talk) ldapResult() (int, error) {
	head, err := t.bytes(2)
	if err != nil {
		return 0, err
	}
	if head[0] != 0x30 {
		return 0, &UnexpectedError{Said: string(head)}
	}
	length := int(head[1])
	if length >= 0x80 {
		more, err := t.bytes(min(length&0x7f, 4))
		if err != nil {
			return 0, err
		}
		length = 0
		for _, b := range more {
			length = length<<8 | int(b)
		}
	}
	body, err := t.bytes(length)
	if err != nil {
		return 0, err
	}
	at := strings.Index(string(body), "\x0a\x01") // ENUMERATED of one octet
	if at < 0 || at+2 >= len(body) {
		return 0, &UnexpectedError{Said: string(body[:min(len(body), maxShown)])}
	}
	return int(body[at+2]), nil
}

// PostgreSQL (its documentation, "Message Formats").

func beginPostgres(t *talk, _ Session) error {
	if err := t.say("\x00\x00\x00\x08\x04\xd2\x16\x2f"); err != nil { // SSLRequest
		return err
	}
	b, err := t.bytes(1)
	switch {
	case err != nil:
		return err
	case b[0] == 'S':
		return nil
	case b[0] == 'N', b[0] == 'E':
		return &RefusedError{"it has no TLS (" + string(b) + ")"}
	}
	return &UnexpectedError{Said: string(b)}
}

func askPostgres(t *talk, s Session) (Answer, error) {
	startup := "\x00\x03\x00\x00user\x00" + s.User + "\x00database\x00postgres\x00application_name\x00lab probe\x00\x00"
	if err := t.say(string(binary.BigEndian.AppendUint32(nil, uint32(4+len(startup)))) + startup); err != nil {
		return Answer{}, err
	}
	head, err := t.bytes(5)
	if err != nil {
		return Answer{}, err
	}
	body, err := t.bytes(int(binary.BigEndian.Uint32(head[1:])) - 4)
	if err != nil {
		return Answer{}, err
	}
	switch head[0] {
	case 'R':
		_ = t.say("X\x00\x00\x00\x04")
		return Answer{Text: "asks how to log in, or has logged in"}, nil
	case 'E':
		fields := map[byte]string{}
		for field := range strings.SplitSeq(string(body), "\x00") {
			if field != "" {
				fields[field[0]] = field[1:]
			}
		}
		a := Answer{Text: fields['C'] + " " + fields['M']}
		if strings.HasPrefix(fields['C'], "53") || strings.HasPrefix(fields['C'], "57") { // insufficient resources, operator intervention
			return Answer{}, &BusyError{a.Text}
		}
		if strings.HasPrefix(fields['C'], "28") { // invalid authorization specification
			a.Refusal = a.Text
		}
		return a, nil
	}
	return Answer{}, &UnexpectedError{Said: string(head[:1])}
}

// MySQL (its documentation, "Connection Phase").

const (
	mysqlProtocol41 = 1 << 9
	mysqlSSL        = 1 << 11
	mysqlSecure     = 1 << 15
	mysqlPlugin     = 1 << 19
)

// packet reads a packet and its number.
func (t *talk) packet() ([]byte, byte, error) {
	head, err := t.bytes(4)
	if err != nil {
		return nil, 0, err
	}
	body, err := t.bytes(int(head[0]) | int(head[1])<<8 | int(head[2])<<16)
	return body, head[3], err
}

func (t *talk) sayPacket(number byte, body []byte) error {
	return t.say(string([]byte{byte(len(body)), byte(len(body) >> 8), 0, number}) + string(body))
}

// mysqlClient begins what a client says of itself: its capabilities, the
// longest packet and utf8mb4.
func mysqlClient() []byte {
	b := binary.LittleEndian.AppendUint32(nil, mysqlProtocol41|mysqlSSL|mysqlSecure|mysqlPlugin)
	b = binary.LittleEndian.AppendUint32(b, 1<<24-1)
	return append(append(b, 45), make([]byte, 23)...)
}

func beginMySQL(t *talk, _ Session) error {
	greeting, _, err := t.packet()
	switch {
	case err != nil:
		return err
	case isFullMySQL(greeting):
		return &BusyError{mysqlError(greeting)}
	case len(greeting) > 3 && greeting[0] == 0xff:
		return &RefusedError{mysqlError(greeting)}
	case len(greeting) == 0 || greeting[0] != 10:
		return &UnexpectedError{Said: string(greeting[:min(len(greeting), maxShown)])}
	}
	at := strings.IndexByte(string(greeting[1:]), 0) + 2 + 4 + 8 + 1 // behind the version: connection id, scramble, filler
	if at+2 > len(greeting) || int(binary.LittleEndian.Uint16(greeting[at:]))&mysqlSSL == 0 {
		return &RefusedError{"it has no TLS"}
	}
	return t.sayPacket(1, mysqlClient())
}

func askMySQL(t *talk, s Session) (Answer, error) {
	login := append(mysqlClient(), s.User+"\x00\x00mysql_native_password\x00"...)
	if err := t.sayPacket(2, login); err != nil {
		return Answer{}, err
	}
	reply, _, err := t.packet()
	switch {
	case err != nil:
		return Answer{}, err
	case len(reply) == 0:
		return Answer{}, &UnexpectedError{Said: "an empty packet"}
	case isFullMySQL(reply):
		return Answer{}, &BusyError{mysqlError(reply)}
	case reply[0] == 0xff:
		said := mysqlError(reply)
		return Answer{Text: said, Refusal: said}, nil
	}
	return Answer{Text: "asks how to log in, or has logged in"}, nil
}

// isFullMySQL reports whether a packet is an ERR packet of a server that has
// too many connections: 1040, 1203 and 1226 of its error reference.
func isFullMySQL(packet []byte) bool {
	return len(packet) > 2 && packet[0] == 0xff && slices.Contains([]uint16{1040, 1203, 1226}, binary.LittleEndian.Uint16(packet[1:]))
}

// mysqlError returns the number and the words of an ERR packet.
func mysqlError(packet []byte) string {
	if len(packet) < 3 {
		return "an error"
	}
	words := string(packet[3:])
	if len(words) > 6 && words[0] == '#' {
		words = words[6:]
	}
	return fmt.Sprintf("error %d: %s", binary.LittleEndian.Uint16(packet[1:]), words)
}
