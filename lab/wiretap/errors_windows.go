package wiretap

import (
	"errors"
	"syscall"
)

// isReset reports whether err says that the peer has reset the connection.
func isReset(err error) bool { return errors.Is(err, syscall.WSAECONNRESET) }

// isBrokenPipe reports whether err says that the connection was given up:
// Windows reports the peer's RST so when it meets data under way.
func isBrokenPipe(err error) bool { return errors.Is(err, syscall.WSAECONNABORTED) }
