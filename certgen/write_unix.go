//go:build unix

package certgen

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// createFile writes a new file. It takes three system calls where package os
// takes up to eight, and rename one of two: see readFile.
func createFile(path string, data []byte, mode fs.FileMode) error {
	fd, err := retry(func() (int, error) {
		return syscall.Open(path, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_CLOEXEC, uint32(mode.Perm()))
	})
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	for len(data) > 0 && err == nil {
		var n int
		n, err = retry(func() (int, error) { return syscall.Write(fd, data) })
		data = data[max(n, 0):]
	}
	if err = errors.Join(err, syscall.Close(fd)); err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}

// rename is os.Rename for files.
func rename(from, to string) error {
	_, err := retry(func() (int, error) { return 0, syscall.Rename(from, to) })
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}
