// Package verdict judges an exchange: which side rejected the other, why, and
// what to do about it.
//
// [Judge] joins up to three witnesses: what the server saw, what the client
// saw, and what was said on the wire. Each may be missing. lab up has all
// three, lab explain has the wire alone. Nothing here opens a file or a
// connection, waits, or locks: it is all a matter of values.
//
// Where to find what:
//
//	verdict.go      the verdict, and how the three witnesses are joined
//	code.go         the codes, and what to do about each
//	view.go         what one side saw, sorted out of an error of crypto/tls
//	error.go        why, from such an error
//	wire.go         what the messages show: outcome, rejecter, alert
//	nottls.go       connections on which a side did not speak TLS
//	aborted.go      connections that ended in the handshake without an alert
//	cause.go        why, from the messages and their checks
//	causes.go       what may be behind a refusal, the likeliest first
//	evident.go      which of these the capture shows
//	doubt.go        what may have been refused after the handshake
//	narrow.go       which part of an offer few servers take
//	prologue.go     what went wrong before TLS
//	clientauth.go   whether the server asked for a certificate
//	behind.go       what a server behind a proxy says in HTTP
//	http2.go        how a server gives up a request of HTTP/2, or refuses in gRPC
//	inside.go       what servers of databases and of mail say inside TLS
//	hostname.go     the server's name in TLS and in HTTP
//	offer.go        what each side offered, where they found nothing in common
//	serverchoice.go what servers have chosen on other connections
//	shape.go        what the sizes of encrypted records show, where keys are missing
//	alert.go        what an alert shows by itself
//	json.go         the verdict of a connection, and its JSON form
package verdict
