//go:build !unix && !windows

package wiretap

// isReset reports whether err says that the peer has reset the connection: here
// there is no way to know.
func isReset(error) bool { return false }

// isBrokenPipe reports whether err says that nothing can be written: here there
// is no way to know.
func isBrokenPipe(error) bool { return false }
