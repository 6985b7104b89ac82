// Package ladder draws connections for a terminal: the client on the left, the
// server on the right, and between them the messages, each with a sentence that
// says what it is for. It opens no files and no connections.
package ladder
