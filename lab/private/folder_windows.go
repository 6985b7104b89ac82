package private

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// folderProblem returns "": the folders of a user, that for temporary files
// included, are the user's alone.
func folderProblem(fs.FileInfo) string { return "" }

func exposure(fs.FileInfo) string { return "" }

// isOwn returns true: see folderProblem.
func isOwn(fs.FileInfo) bool { return true }

// tryLock locks an open file until it is closed, or reports that somebody else
// has locked it. The error says that the file system has no locks.
func tryLock(file *os.File) (locked bool, err error) {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err = windows.LockFileEx(windows.Handle(file.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if err == windows.ERROR_LOCK_VIOLATION || err == windows.ERROR_IO_PENDING {
		return false, nil
	}
	return err == nil, err
}
