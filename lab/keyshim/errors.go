package keyshim

import "fmt"

// NoCompilerError says that the shim cannot be built. What programs log by themselves is logged all the same.
type NoCompilerError struct {
	Compiler string // as typed
	Err      error
}

func (e *NoCompilerError) Error() string {
	return fmt.Sprintf("no working C compiler (%s): %v", e.Compiler, e.Err)
}

func (e *NoCompilerError) Unwrap() error { return e.Err }

// UnsafeError is a file or folder that keys or code must not be entrusted to.
type UnsafeError struct {
	Path    string
	Problem string // a verb with what follows it, about Path
}

func (e *UnsafeError) Error() string { return e.Path + " " + e.Problem }
