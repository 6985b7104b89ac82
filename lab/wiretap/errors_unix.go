//go:build unix

package wiretap

import (
	"errors"
	"syscall"
)

// isReset reports whether err says that the peer has reset the connection.
func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }

// isBrokenPipe reports whether err says that nothing can be written: after the
// peer's RST was reported, or after the own FIN.
func isBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
