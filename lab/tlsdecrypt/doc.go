// Package tlsdecrypt follows TLS connections: it joins the records of both
// directions, decrypts them with secrets from a key log, and keeps a list of the
// messages in the order in which they were sent. It also checks what it can:
// signatures, Finished, chains.
//
// A [Dissector] is a sink of the events of
// [mtlslab.example/lab/lab/wiretap], live ones and those of files alike. It
// makes a [Connection], from which the ladder and the JSON are made. A
// Connection holds secrets, which Check needs and its JSON leaves out.
package tlsdecrypt
