// Package capture records tapped connections as pcapng files that open
// decrypted: each connection's packets, with IP and TCP headers synthesised
// from what the tap saw, preceded by a Decryption Secrets Block with its TLS
// secrets.
//
// # Secrets first
//
// Wireshark decrypts a packet only with secrets that stand before it in the
// file. A connection's packets are therefore held back until its secrets are
// known, it ends, or 1 MiB or 5 seconds are reached; where 32 MiB of all
// connections are held back, 64 KiB. Then they are written in order; nothing is
// dropped. Secrets that come after the bound are written when they come, before
// later packets. For the same reason packets of different connections may stand
// out of the order of their times in the file.
//
// # Verdicts
//
// The packet that carries an alert, or else the first FIN or RST, is held back
// within the same bounds until it is clear what to say of it: a verdict that
// comes meanwhile becomes its comment. A verdict that finds no such packet
// becomes the comment of the connection's next packet.
//
// # What is on disk when
//
// The file always ends with a whole block. All of a connection is handed to the
// operating system before the call that closes the connection returns, or, if
// another one ended in the 5 ms before, within 20 ms: what ends together is
// written together. Everything else is there within 100 ms, and Flush returns
// when all is. If the file is a pipe whose reader is slow, the connections wait
// for it.
//
// # Reading
//
// [Read] does the reverse, with any pcap or pcapng file: it passes on the
// events of the TCP connections in it, whatever they are tunnelled in, and
// names what it passes over.
package capture
