// Package chain says whether a chain of certificates holds, for whom, and why
// it does not.
//
// Two kinds of callers ask. A live server or client has an error of crypto/tls
// or of its own checks: [Explain] turns that into a [Fault]. A reader of a
// capture has the certificates, the time, and perhaps CAs: [Trust] verifies
// them, and explains what it finds in the same words.
package chain
