// Package httpwire reads the heads of HTTP messages in the two byte streams of
// a connection: HTTP/1.1 (RFC 9112) and HTTP/2 (RFC 9113). It counts bodies and
// skips them. It holds no keys and does no I/O.
package httpwire
