//go:build unix

package private

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const isWritable = "can be written to by others"

// folderProblem returns why somebody else could replace what is in a folder, or
// "".
func folderProblem(info fs.FileInfo) string {
	switch {
	case !trusted(ownerOf(info)):
		return isForeign
	case info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0:
		return isWritable
	}
	return ""
}

// exposure is folderProblem, but the user's own group may write: on many
// systems it has no other members, and the umask allows it.
func exposure(info fs.FileInfo) string {
	problem := folderProblem(info)
	if problem == isWritable && info.Mode().Perm()&0o002 == 0 && int(info.Sys().(*syscall.Stat_t).Gid) == os.Getegid() {
		return ""
	}
	return problem
}

// isOwn reports whether a file is the user's.
func isOwn(info fs.FileInfo) bool { return ownerOf(info) == os.Geteuid() }

// tryLock locks an open file until it is closed, or reports that somebody else
// has locked it. Processes that inherit the file hold the lock too. The error
// says that the file system has no locks, as NFS may have none.
func tryLock(file *os.File) (locked bool, err error) {
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == unix.EWOULDBLOCK {
		return false, nil
	}
	return err == nil, err
}
