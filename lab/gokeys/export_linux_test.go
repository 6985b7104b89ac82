//go:build amd64 || arm64

package gokeys

import (
	"os"
	"slices"
)

// SetKernelFiles has the tests' own files stand for the kernel's.
func SetKernelFiles(scope, version string) { ptraceScope, kernelVersion = scope, version }

// SetRingSlots sets how many secrets a program can store, a power of two from 2.
func SetRingSlots(n uint64) { ringSlots = n }

// Stores reports whether a program can be made to store its secrets.
func Stores(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	p, err := Inspect(file, machine)
	return err == nil && len(p.Secrets) > 0 && !slices.ContainsFunc(p.Secrets, func(f Function) bool { return !f.First.isWide() })
}
