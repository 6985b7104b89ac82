// Package chain verifies chains of certificates, for a client or a server, and
// explains why one does not hold.
//
// Two kinds of callers ask. A live server or client has an error of crypto/tls
// or of its own checks: [Explain] turns that into a [Fault]. A reader of a
// capture has the certificates, the time, and perhaps CAs: [Trust] verifies
// them, and explains what it finds in the same words.
package chain
