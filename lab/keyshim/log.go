package keyshim

import (
	"os"
	"path/filepath"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/private"
)

// PrepareLog makes the key log at path, or makes sure that the one that is
// there can be appended to, and returns its absolute path. It must be a regular
// file of the user's own: see [keylog.Open], whose errors it returns.
func PrepareLog(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	w, err := keylog.Open(path, nil)
	if err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() { // a device, or another name for a descriptor
		return "", &private.UnsafeError{Path: path, Problem: "is not a regular file"}
	}
	return path, nil
}
