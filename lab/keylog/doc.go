// Package keylog reads and writes the SSLKEYLOGFILE format (RFC 9850): text,
// one secret a line, "LABEL CLIENT_RANDOM SECRET" with the last two in
// hexadecimal. Anybody who can read a key log can decrypt its
// connections.
package keylog
