// Package keyshim runs other programs with their TLS keys logged.
//
// There are three ways to a program's keys, and [Environment] prepares them
// all: many programs append them to the file that $SSLKEYLOGFILE names; Node.js
// has a flag; and on Linux a small library, the shim, is loaded into programs
// that use OpenSSL but do not log its keys. [Inspect] says beforehand for which
// programs the shim does nothing.
package keyshim
