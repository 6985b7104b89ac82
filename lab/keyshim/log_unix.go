//go:build unix

package keyshim

import (
	"errors"
	"os"
	"syscall"
)

// checkLog makes the key log, mode 0600, where there is none. It refuses one that is a symbolic link, belongs to
// somebody else or is no regular file.
func checkLog(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	switch {
	case errors.Is(err, syscall.ELOOP):
		return &UnsafeError{path, "is a symbolic link"}
	case errors.Is(err, syscall.ENXIO):
		return &UnsafeError{path, "is not a regular file"}
	case err != nil:
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &UnsafeError{path, "is not a regular file"}
	case int(info.Sys().(*syscall.Stat_t).Uid) != os.Geteuid():
		return &UnsafeError{path, "belongs to somebody else"}
	}
	return nil
}
