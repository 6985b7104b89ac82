//go:build !linux

package keyshim

func hasCapabilities(string) bool { return false }
