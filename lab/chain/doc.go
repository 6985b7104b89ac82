// Package chain verifies chains of certificates, for a client or a server, and
// explains why one does not hold.
//
// Two kinds of callers ask. A live server or client has an error of crypto/tls
// or of its own checks: [Explain] turns that into a [Fault]. A reader of a
// capture has the certificates, the time, and perhaps CAs: [Trust] verifies
// them, and explains what it finds in the same words.
//
// Not every chain leads to a CA that is known. So what a chain shows by itself
// is found without one: [Evident] for its leaf, [Trust.FlawAbove] for the CAs
// above it, [Trust.Leads] for where it goes. One walk serves all, up through
// the certificates that were sent along, by their signatures.
package chain
