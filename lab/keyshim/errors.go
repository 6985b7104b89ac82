package keyshim

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// NoCompilerError says that the shim cannot be built. Programs that log keys by
// themselves do so anyway.
type NoCompilerError struct {
	Compiler string // as typed
	Err      error
}

func (e *NoCompilerError) Error() string {
	return fmt.Sprintf("no working C compiler (%s): %v", e.Compiler, e.Err)
}

func (e *NoCompilerError) Unwrap() error { return e.Err }

// UnreachedError is a server that a relay could not connect to.
type UnreachedError struct {
	Target string // as the program or the forward named it
	Err    error
}

func (e *UnreachedError) Error() string {
	why := e.Err
	var dial *net.OpError // which names the target once more
	if errors.As(why, &dial) {
		why = dial.Err
	}
	var call *os.SyscallError
	var dns *net.DNSError
	switch {
	case errors.As(why, &call):
		why = call.Err
	case errors.As(why, &dns):
		return fmt.Sprintf("%s could not be reached: %s", e.Target, dns.Err)
	}
	return fmt.Sprintf("%s could not be reached: %v", e.Target, why)
}

func (e *UnreachedError) Unwrap() error { return e.Err }
