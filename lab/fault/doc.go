// Package fault makes one side of a connection do something wrong, or something
// that crypto/tls does not do by itself: it speaks something other than TLS,
// rewrites its ClientHello, signs with another key. Each fault serves one
// lesson; the peers of package lab know of none.
//
// A fault lies between TLS and the connection, see [Fault], or changes a
// certificate after it was loaded.
package fault
