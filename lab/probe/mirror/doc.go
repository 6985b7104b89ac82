// Package mirror serves the lessons in which a server is wrong to somebody
// else's client, and judges what it does.
//
// A [Server] listens once for each [Fault], and by server name on one port. It
// asks for a client certificate and takes any, or none: only the client is
// judged. Certificates and keys are in memory. A [Command] is a client that is
// called once for each fault.
package mirror
