//go:build !linux

package keyshim

func gainsPrivileges(string) bool { return false }
