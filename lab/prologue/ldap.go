package prologue

import (
	"bytes"
	"fmt"

	"mtlslab.example/lab/lab/endpoint"
)

// The tags of LDAP's operations (RFC 4511 section 4.2 to 4.14), in which
// passwords may follow.
const (
	ldapBindRequest      = 0x60
	ldapUnbindRequest    = 0x42
	ldapExtendedRequest  = 0x77
	ldapExtendedResponse = 0x78
	ldapLastOperation    = 0x79
)

// startTLSName is the name of the operation StartTLS (RFC 4511 section 4.14.1).
var startTLSName = []byte("1.3.6.1.4.1.1466.20037")

func startsLDAP(_ endpoint.Side, b []byte) (dialect, match) {
	if b[0] != 0x30 {
		return nil, no
	}
	if _, operation, _, ok := ldapMessage(b); ok && operation != 0 {
		return ldap{}, yes
	} else if ok {
		return nil, maybe
	}
	return nil, no
}

// ldapMessage reads the start of an LDAPMessage (RFC 4511 section 4.1.1): a
// SEQUENCE of a number and an operation. The operation is 0 while there are too
// few bytes.
func ldapMessage(b []byte) (size int, operation byte, body []byte, ok bool) {
	if len(b) < 2 {
		return 0, 0, nil, true
	}
	header := 2
	size = int(b[1])
	if n := int(b[1] & 0x7f); b[1]&0x80 != 0 {
		if n == 0 || n > 4 {
			return 0, 0, nil, false
		}
		if header += n; len(b) < header {
			return 0, 0, nil, true
		}
		size = 0
		for _, octet := range b[2:header] {
			size = size<<8 | int(octet)
		}
	}
	size += header
	if len(b) < header+2 {
		return size, 0, nil, true
	}
	const integer = 0x02
	number := int(b[header+1])
	if b[header] != integer || number == 0 || number > 4 || size > 1<<24 || size < header+2+number+2 {
		return 0, 0, nil, false
	}
	at := header + 2 + number
	if len(b) <= at {
		return size, 0, nil, true
	}
	if b[at] < 0x40 || b[at] > ldapLastOperation {
		return 0, 0, nil, false
	}
	return size, b[at], b[at:min(size, len(b))], true
}

type ldap struct{}

func (ldap) next(l *layer, from endpoint.Side, b []byte) int {
	l.Protocol, l.Kind = "LDAP", StartTLS
	size, operation, body, ok := ldapMessage(b)
	switch {
	case !ok:
		return -1
	case operation == 0, len(b) < min(size, 512):
		return 0
	}
	switch operation {
	case ldapBindRequest:
		l.say(from, "BindRequest [...]")
	case ldapExtendedRequest:
		if bytes.Contains(body, startTLSName) {
			l.ask("StartTLS", "ExtendedRequest: StartTLS")
			return size
		}
	case ldapExtendedResponse:
		if code, ok := ldapResult(body); ok && l.Asked != "" && !l.Agreed {
			if code == 0 {
				l.agree("ExtendedResponse: success")
			} else {
				l.refuse("ExtendedResponse: " + ldapError(code))
			}
		}
		return size
	default:
		const confidentialityRequired = 13
		if code, ok := ldapResult(body); ok && code == confidentialityRequired && from == endpoint.Server {
			l.demand(ldapError(code))
		}
	}
	l.WentOn = l.WentOn || from == endpoint.Client && (l.Refused != "" || l.Agreed) && operation != ldapUnbindRequest
	return size
}

// ldapResult finds the resultCode at the start of a response.
func ldapResult(body []byte) (code byte, ok bool) {
	const enumerated = 0x0a
	i := bytes.Index(body[:min(len(body), 8)], []byte{enumerated, 1})
	if i < 0 || len(body) <= i+2 {
		return 0, false
	}
	return body[i+2], true
}

// ldapError names a resultCode (RFC 4511 section 4.1.9).
func ldapError(code byte) string {
	names := map[byte]string{1: "operationsError", 2: "protocolError", 8: "strongerAuthRequired", 13: "confidentialityRequired",
		50: "insufficientAccessRights", 51: "busy", 52: "unavailable", 53: "unwillingToPerform"}
	return fmt.Sprintf("%s (%d)", orNumber(names[code]), code)
}
