//go:build unix

package private

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const isForeign = "belongs to somebody else"

func openFile(path string, flag int) (*os.File, error) {
	if fd, ok := Descriptor(path); ok {
		return duplicate(fd, path)
	}
	// O_NONBLOCK: a FIFO that nobody reads would hold the open up for ever.
	file, err := os.OpenFile(path, flag|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0o600)
	switch {
	case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.EMLINK): // the second is FreeBSD's
		return nil, &UnsafeError{Path: path, Problem: "is a symbolic link"}
	case err != nil:
		return nil, err
	}
	if err := check(file, path); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// check refuses an open file that is not fit for secrets.
func check(file *os.File, path string) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	problem, owner := "", ownerOf(info)
	switch info.Mode().Type() {
	case fs.ModeDevice | fs.ModeCharDevice:
		if !trusted(owner) {
			problem = isForeign
		}
	case fs.ModeNamedPipe:
		if owner != os.Geteuid() {
			problem = isForeign
		}
	case 0:
		switch {
		case owner != os.Geteuid():
			problem = isForeign
		case info.Sys().(*syscall.Stat_t).Nlink > 1:
			problem = "has a second name (a hard link)"
		}
	default:
		problem = "is not a regular file"
	}
	if problem != "" {
		return &UnsafeError{Path: path, Problem: problem}
	}
	return nil
}

func narrow(file *os.File) error {
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	if err := file.Chmod(0o600); !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// ownerOf returns the user that a file belongs to.
func ownerOf(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// trusted reports whether a user is this one or root. Root is whoever owns the
// root folder, too: in a user namespace it has another number.
func trusted(uid int) bool {
	if uid == os.Geteuid() || uid == 0 {
		return true
	}
	root, err := os.Lstat("/")
	return err == nil && uid == ownerOf(root)
}

// Descriptor reads the number of one of this process's descriptors out of the
// name that the system has for it: /dev/stdout, /dev/stderr, /dev/fd/N. Whoever
// started the process has chosen what it is.
func Descriptor(path string) (fd int, ok bool) {
	path = filepath.Clean(path)
	switch path {
	case "/dev/stdout":
		return 1, true
	case "/dev/stderr":
		return 2, true
	}
	for _, dir := range []string{"/dev/fd/", "/proc/self/fd/"} {
		if number, found := strings.CutPrefix(path, dir); found {
			fd, err := strconv.ParseUint(number, 10, 31)
			return int(fd), err == nil
		}
	}
	return 0, false
}

// duplicate returns a descriptor of its own for what fd is.
func duplicate(fd int, name string) (*os.File, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	copied, err := syscall.Dup(fd)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	syscall.CloseOnExec(copied)
	return os.NewFile(uintptr(copied), name), nil
}
