package keyshim

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// gainsPrivileges reports whether the loader ignores what is preloaded into the
// program at path: whether running it changes the user or the group, or gives
// capabilities to somebody who has not all of them.
func gainsPrivileges(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	file := info.Sys().(*syscall.Stat_t)
	if info.Mode()&fs.ModeSetuid != 0 && int(file.Uid) != os.Getuid() || info.Mode()&fs.ModeSetgid != 0 && int(file.Gid) != os.Getgid() {
		return true
	}
	n, err := unix.Getxattr(path, "security.capability", nil)
	return err == nil && n > 0 && os.Getuid() != 0
}
