//go:build unix

package private

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// folderProblem says what somebody else could do to what is in a folder, or nothing.
func folderProblem(info fs.FileInfo) string {
	switch {
	case !trusted(ownerOf(info)):
		return isForeign
	case info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0:
		return "can be written to by others"
	}
	return ""
}

// isOwn reports whether a file is the user's.
func isOwn(info fs.FileInfo) bool { return ownerOf(info) == os.Geteuid() }

// tryLock locks an open file until it is closed, or reports that somebody else has locked it. Processes that inherit the
// file hold the lock too.
func tryLock(file *os.File) bool { return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil }
