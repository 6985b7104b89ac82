// Package web serves the live view: a page on which exchanges appear as they
// happen, each as a picture that can be stepped through and opened down to its
// bytes.
//
// The page shows what the terminal shows. Its data are the JSON of lab up and
// of lab explain, the words of package ladder, and the bytes of the records;
// its scripts only lay these out. It is plain HTML, one style sheet and
// JavaScript modules, all embedded, and it asks no other machine for anything.
//
// # Who may look
//
// The address that is printed has a random token. The first request with it
// gets a cookie in return, and without that cookie there is nothing. The Host
// must be the address of the listener, so that no name of somebody else's can
// be pointed at it (DNS rebinding). What changes something must come from the
// page itself. No script runs but the page's own files, so that what a peer has
// sent stays text.
//
// Private keys are never served, and secrets of a connection only to who asks
// for them.
//
// # Slow readers
//
// An exchange is stored, and nothing more is done for it, until a browser asks.
// What is sent to a browser is read from what is stored at that time: one that
// stops reading misses exchanges, and holds up nobody.
package web
