//go:build !linux || !(amd64 || arm64)

package gokeys

import (
	"context"
	"errors"
	"os/exec"
	"syscall"
)

// Supported reports whether programs can be traced on this system.
const Supported = false

// HasSecrets returns false.
func HasSecrets(string) bool { return false }

// Trace is a program that is traced. There is none on this system.
type Trace struct{}

// Start fails with errors.ErrUnsupported.
func Start(*exec.Cmd, Options) (*Trace, error) { return nil, errors.ErrUnsupported }

// Attach fails with errors.ErrUnsupported.
func Attach(context.Context, int, Options) (*Trace, error) { return nil, errors.ErrUnsupported }

// Wait returns at once.
func (*Trace) Wait() (status int, by syscall.Signal) { return 0, 0 }

// Detach does nothing.
func (*Trace) Detach() {}
