//go:build !linux

package command

// hugePages asks for b to be backed by huge pages.
func hugePages([]byte) {}
