package keyshim

import (
	"path/filepath"

	"mtlslab.example/lab/lab/keylog"
)

// PrepareLog makes the key log at path, or makes sure that the one that is there can be appended to, and returns its
// absolute path. The file has mode 0600. One that is a symbolic link or belongs to somebody else is refused with an
// *UnsafeError, one that holds something else with a *keylog.NotKeyLogError.
func PrepareLog(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := checkLog(path); err != nil {
		return "", err
	}
	w, err := keylog.Open(path, nil)
	if err != nil {
		return "", err
	}
	return path, w.Close()
}
