// Package peertest finds and runs the programs that tests use as referees, such
// as openssl, curl and tshark, and waits for what they do. Only tests import
// it.
package peertest
