// Package room is a server's view of those who call it: who is in, who was
// refused and why, and at which exercise those are who tell.
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
// A participant's lab that was asked to sends a [Report], after each step: a PUT
// of JSON to [Path], over mutual TLS, which is the login. The names in it are
// text of others. A guest that sends many in a short time is answered with 429,
// and what it has told before stays.
package room
