// Package tlswire parses what TLS 1.2 (RFC 5246) and TLS 1.3 (RFC 9846) put
// on the wire: records, handshake messages, alerts and extensions. It holds no
// keys and does no I/O: what is encrypted is decrypted elsewhere and handed in.
//
// Each message and extension states its layout once, in a method named wire.
// The codec walks that layout to read the bytes, to write them again, and to
// list the fields with their byte ranges, values and explanations; so what
// parses re-encodes to the same bytes, and a field's range cannot disagree
// with the parser.
//
// Parsed values alias the input. Values without a name keep their number, and
// things without a layout keep their bytes.
//
// RFC 9846 (July 2026) obsoletes RFC 8446, 5246, 5077, 6961, 7627 and 8422. It
// moves most sections of chapter 4 of RFC 8446. The older RFCs are cited only
// for what has no section in RFC 9846, most of it about TLS 1.2.
package tlswire
