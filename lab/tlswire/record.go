package tlswire

import (
	"bytes"
	"fmt"
)

// ContentType says what a record carries (RFC 9846 section 5.1,
// RFC 5246 section 6.2.1).
type ContentType uint8

// The content types of IANA's "TLS ContentType" registry that TLS over TCP
// uses.
const (
	ContentTypeChangeCipherSpec ContentType = 20
	ContentTypeAlert            ContentType = 21
	ContentTypeHandshake        ContentType = 22
	ContentTypeApplicationData  ContentType = 23
	ContentTypeHeartbeat        ContentType = 24
)

var contentTypeNames = map[ContentType]string{
	ContentTypeChangeCipherSpec: "change_cipher_spec",
	ContentTypeAlert:            "alert",
	ContentTypeHandshake:        "handshake",
	ContentTypeApplicationData:  "application_data",
	ContentTypeHeartbeat:        "heartbeat",
}

func (t ContentType) String() string { return name("content_type(%d)", contentTypeNames, t) }

// The longest fragments: of plaintext (RFC 9846 section 5.1), and of what is
// encrypted in TLS 1.3 (RFC 9846 section 5.2) and TLS 1.2
// (RFC 5246 section 6.2.3).
const (
	MaxPlaintext       = 1 << 14
	MaxCiphertextTLS13 = MaxPlaintext + 256
	MaxCiphertextTLS12 = MaxPlaintext + 2048
)

// RecordHeaderLen is the length of the header before each fragment.
const RecordHeaderLen = 5

// Record is one TLS record: TLSPlaintext or TLSCiphertext of
// RFC 9846 sections 5.1 and 5.2.
//
//	+------+---------+--------+------------------+
//	| type | version | length | fragment         |
//	|  1   |    2    |   2    | length bytes     |
//	+------+---------+--------+------------------+
type Record struct {
	Type     ContentType
	Version  Version // legacy_record_version: says little, RFC 9846 section 5.1
	Fragment []byte  // aliases the input
	Offset   int64   // of the header in its direction's stream
}

// ShortError says that a record is not complete yet.
type ShortError struct {
	Need int // bytes that are missing, at the least
}

func (e ShortError) Error() string {
	return fmt.Sprintf("incomplete record: %d more bytes are needed", e.Need)
}

// RecordError says that bytes cannot be a TLS record.
type RecordError struct {
	Offset int64 // in its direction's stream
	Reason string
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("not a TLS record at byte %d: %s", e.Offset, e.Reason)
}

// ReadRecord reads the record at the start of b and returns what follows it;
// offset is where b starts in its direction's stream. The error is a
// ShortError when b may be the start of a record, and a *RecordError when it
// cannot be.
func ReadRecord(b []byte, offset int64) (rec Record, rest []byte, err error) {
	if reason := notTLS(b); reason != "" {
		return Record{}, b, &RecordError{Offset: offset, Reason: reason}
	}
	if len(b) < RecordHeaderLen {
		return Record{}, b, ShortError{Need: RecordHeaderLen - len(b)}
	}
	n := int(bigEndian(b[3:5]))
	if n > MaxCiphertextTLS12 {
		return Record{}, b, &RecordError{Offset: offset,
			Reason: fmt.Sprintf("a record of %d bytes would be above the limit of %d", n, MaxCiphertextTLS12)}
	}
	if missing := RecordHeaderLen + n - len(b); missing > 0 {
		return Record{}, b, ShortError{Need: missing}
	}
	return Record{
		Type:     ContentType(b[0]),
		Version:  Version(bigEndian(b[1:3])),
		Fragment: b[RecordHeaderLen : RecordHeaderLen+n : RecordHeaderLen+n],
		Offset:   offset,
	}, b[RecordHeaderLen+n:], nil
}

// notTLS returns why b cannot be the start of a record, or "" if it can.
func notTLS(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if t := ContentType(b[0]); t < ContentTypeChangeCipherSpec || t > ContentTypeHeartbeat {
		for _, method := range []string{"GET ", "HEAD ", "POST ", "PUT ", "HTTP/", "PRI * ", "CONNECT ", "OPTIONS ", "DELETE ", "PATCH "} {
			if bytes.HasPrefix(b, []byte(method)) {
				return "this is HTTP that is not encrypted"
			}
		}
		if len(b) >= 3 && b[0]&0x80 != 0 && b[2] == byte(TypeClientHello) {
			return "this is an SSL 2.0 ClientHello (RFC 5246 appendix E.2)"
		}
		return fmt.Sprintf("%d is not a content type", b[0])
	}
	if len(b) >= 2 && b[1] != 3 || len(b) >= 3 && b[2] > 4 {
		return fmt.Sprintf("the version bytes %x are not those of TLS", b[1:min(3, len(b))])
	}
	return ""
}

// Marshal returns the record's bytes, or nil when the fragment is too long for
// its length field.
func (r Record) Marshal() []byte {
	c := &codec{}
	number(c, 1, "type", &r.Type, "")
	number(c, 2, "legacy_record_version", &r.Version, "")
	opaque(c, 2, "fragment", &r.Fragment, "")
	if c.err != nil {
		return nil
	}
	return c.out
}

// Fields lists the parts of the record, its header first.
func (r Record) Fields() []Field {
	c := &codec{tracing: true}
	number(c, 1, "type", &r.Type, "What the record carries; once TLS 1.3 encrypts, all records say application_data (RFC 9846 sections 5.1 and 5.2).")
	number(c, 2, "legacy_record_version", &r.Version, "A version kept for old firewalls and the like on the way, to be ignored; TLS 1.3 always says TLS 1.2 here, save in a first ClientHello (RFC 9846 section 5.1).")
	opaque(c, 2, "fragment", &r.Fragment, "The bytes carried, encrypted or not (RFC 9846 sections 5.1 and 5.2).")
	return c.fields
}

// InnerPlaintext splits the decrypted content of a TLS 1.3 record into what it
// carries, its true type, and how many zero bytes of padding followed
// (TLSInnerPlaintext, RFC 9846 section 5.2).
func InnerPlaintext(b []byte) (content []byte, t ContentType, padding int, err error) {
	trimmed := bytes.TrimRight(b, "\x00")
	if len(trimmed) == 0 {
		return nil, 0, 0, &Error{Field: "TLSInnerPlaintext.type", Offset: len(b), Reason: "nothing but padding"}
	}
	last := len(trimmed) - 1
	return trimmed[:last:last], ContentType(trimmed[last]), len(b) - len(trimmed), nil
}

// ParseChangeCipherSpec checks the one message of the change_cipher_spec
// protocol, a single byte of value 1 (RFC 5246 section 7.1,
// RFC 9846 section 5).
func ParseChangeCipherSpec(fragment []byte) error {
	if len(fragment) != 1 || fragment[0] != 1 {
		return &Error{Field: "ChangeCipherSpec", Reason: "must be the one byte 01"}
	}
	return nil
}
