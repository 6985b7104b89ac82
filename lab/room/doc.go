// Package room is a server's view of those who call it: who is in, who was
// refused and why, and at which exercise they are, if they report it.
//
// # Who is who
//
// A client is known by its certificate, once it has proven to have the key: by
// its subject under the key of the CA that was verified. So a renewed
// certificate is the same guest, nobody can change the row of another, and each
// certificate has one row. All others are listed by address, with the name that
// they claim.
//
// # Reports
//
// If a participant asks for it, their lab sends a [Report] after each step: a
// PUT of JSON to [Path]. Mutual TLS is the login. A guest that sends many in a
// short time is answered with 429, and its last report stays.
package room
