//go:build unix

package certgen

import (
	"io/fs"
	"os"
	"syscall"
)

// readFile returns the contents of a regular file, or more than maxPEM bytes of
// a larger one, and its mode. Of anything else it returns the mode only,
// without waiting for the other end of a pipe.
//
// It takes four system calls where os.ReadFile takes eleven, which matters in a
// folder of thousands of small files.
func readFile(path string) ([]byte, fs.FileMode, error) {
	fd, err := retry(func() (int, error) {
		return syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	})
	if err != nil {
		return nil, 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return nil, 0, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	mode := fileMode(uint32(stat.Mode))
	if !mode.IsRegular() {
		return nil, mode, nil
	}
	data := make([]byte, min(stat.Size, maxPEM+1))
	for n := 0; n < len(data); {
		read, err := retry(func() (int, error) { return syscall.Read(fd, data[n:]) })
		if err != nil {
			return nil, mode, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		if read == 0 {
			return data[:n], mode, nil
		}
		n += read
	}
	return data, mode, nil
}

// retry repeats a system call that a signal interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// fileMode returns the permissions and the type, as far as it matters here.
func fileMode(mode uint32) fs.FileMode {
	permissions := fs.FileMode(mode).Perm()
	switch mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		return permissions
	case syscall.S_IFDIR:
		return permissions | os.ModeDir
	}
	return permissions | os.ModeIrregular
}
