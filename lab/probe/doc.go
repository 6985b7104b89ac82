// Package probe turns the lessons outwards: it tries every bad client
// certificate on somebody else's server.
//
// A probe speaks to the target that it is given, and to nobody else. It begins
// with controls, since a refusal means something only where a good certificate
// is let in. "Let in" is judged by an answer that is read after the handshake:
// in TLS 1.3 a server judges a client that has finished already.
//
// What a probe came to is a [Report] of [Finding] values, for a terminal
// ([Table]), as JSON, JUnit XML and SARIF. An accept file ([Accepted]) keeps
// known findings from failing.
package probe
