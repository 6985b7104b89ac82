package capture

import (
	"errors"

	"golang.org/x/sys/unix"
)

// renameNew renames a file to a name that no file has, in one step where the
// file system can (renameat2(2)).
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return renameReserved(from, to)
	}
	return err
}
