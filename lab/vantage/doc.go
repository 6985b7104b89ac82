// Package vantage joins what two captures have of the same connections, one
// recorded near the client and one near the server, and says what sits between
// them.
//
// Two connections are one and the same TLS connection if their randoms are
// equal (RFC 9846 section 4.2.2), or, where a hello is missing, if their
// addresses are and nothing contradicts. What ends TLS on the way makes another
// connection of its own. Such two are joined by time, server name and HTTP
// requests, which is very probable at most, and is said to be.
//
// The package reads connections that were dissected, and opens no files and no
// connections.
package vantage
