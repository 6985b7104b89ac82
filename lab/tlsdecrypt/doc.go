// Package tlsdecrypt follows TLS connections: it puts the records of both
// directions together, decrypts them with secrets from a key log, and keeps
// what was said as a list of messages in the order it was said. It also checks
// what it can: signatures, Finished, chains.
//
// A [Dissector] is a sink of [mtlslab.example/lab/lab/wiretap.Event], live and
// from files alike. It makes a [Connection] of each connection; the ladder, the
// JSON and the live view are drawn from that. A Connection holds secrets, which
// Check needs and its JSON leaves out.
//
// The bytes of a connection go one way, through three objects that its flow
// holds:
//
//	reader        one for each side: makes records of bytes, and knows what is missing
//	decrypter     opens records; one whose secret is still to come waits, with those after it
//	conversation  makes messages of what was in them, and keeps the state of the handshake
//
// The one way back is decrypter.changeKeys: a message may change the keys of
// the records after it.
package tlsdecrypt
