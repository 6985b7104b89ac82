// Package wiretap sees the bytes of TCP connections in user space: without
// privileges, without a packet socket.
//
// A [Tap] wraps connections, accepted and dialled ones. Each wrapped connection
// sends its events to a [Sink], in order: it opens, carries data, gains secrets
// and a verdict, is half-closed, reset and closed. The stream is what a
// recorder on the wire could have seen: a response never precedes its request.
package wiretap
