// Package starttls speaks the protocols that begin in plain text and then ask
// for TLS: what comes before TLS, and a question in TLS whose answer shows that
// a client was let in.
//
// Nothing is read beyond what belongs to the plain text, so that TLS can take
// the connection over. What the other side says is bounded, and the caller sets
// deadlines.
package starttls
