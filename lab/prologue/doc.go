// Package prologue follows what two sides say before TLS: the line of a load
// balancer (PROXY protocol), the request to a proxy (HTTP CONNECT, SOCKS), or a
// protocol that begins in plain text and asks for TLS (STARTTLS and its
// siblings).
//
// A [Talk] takes the bytes of both sides until TLS begins. It looks for a
// ClientHello and a ServerHello wherever a message may begin: at the start of a
// segment, and behind a message of a protocol that it knows. So TLS is found
// after a protocol that it does not know, too; but not in the body of a
// message, such as mail or a file, and no ServerHello without a ClientHello.
//
// What the sides say may hold passwords. A Talk keeps few lines of it: those
// that lead to TLS or refuse it, and the first line of each side. Of these it
// keeps only what its protocol says is no secret, and the length of the others
// ([FirstLine]).
package prologue
