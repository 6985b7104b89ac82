// Package fault makes one side of a connection do something wrong, or something
// that crypto/tls does not do: it speaks something other than TLS, rewrites its
// ClientHello, or signs with another key. Each fault is for one lesson. The
// server and the client of package lab do not know which fault they have.
//
// A [Fault] wraps a connection and changes what TLS reads or writes there, or
// changes a certificate after it was loaded.
package fault
