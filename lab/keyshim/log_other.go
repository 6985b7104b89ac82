//go:build !unix

package keyshim

import "os"

// checkLog refuses a key log that is no regular file, such as a symbolic link.
func checkLog(path string) error {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return &UnsafeError{path, "is not a regular file"}
	}
	return nil
}
