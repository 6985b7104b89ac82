package keyshim

import "golang.org/x/sys/unix"

// hasCapabilities tells whether running the file gives capabilities.
func hasCapabilities(path string) bool {
	n, err := unix.Getxattr(path, "security.capability", nil)
	return err == nil && n > 0
}
