//go:build amd64 || arm64

package gokeys

// SetKernelFiles has the tests' own files stand for the kernel's.
func SetKernelFiles(scope, version string) { ptraceScope, kernelVersion = scope, version }

// SetRingSlots sets how many secrets a program can store, a power of two from 2.
func SetRingSlots(n uint64) { ringSlots = n }
