//go:build !linux

package keyshim

import "context"

// Library returns "": the shim is for Linux only.
func Library(context.Context) (string, error) { return "", nil }
