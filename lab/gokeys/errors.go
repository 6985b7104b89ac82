package gokeys

import (
	"fmt"
	"net/netip"
)

// ProgramError says why the keys of a Go program cannot be had. The program
// runs without.
type ProgramError struct {
	Path string // of the program
	Why  string // a sentence's predicate
}

func (e *ProgramError) Error() string { return e.Path + " " + e.Why }

// SystemError says why no program can be traced here.
type SystemError struct {
	Why string // a clause
	Err error  // what the kernel said; may be nil
}

func (e *SystemError) Error() string {
	if e.Err == nil {
		return e.Why
	}
	return fmt.Sprintf("%s (%v)", e.Why, e.Err)
}

func (e *SystemError) Unwrap() error { return e.Err }

// ConnectionError says why a connection does not go through Options.Relay.
type ConnectionError struct {
	Server netip.AddrPort
	Err    error
}

func (e *ConnectionError) Error() string {
	return fmt.Sprintf("the connection to %v is not recorded: %v", e.Server, e.Err)
}

func (e *ConnectionError) Unwrap() error { return e.Err }
