package atomicfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mtlslab.example/lab/lab/private"
)

// NotRegularError reports something other than a regular file where a file
// would be written. It is not overwritten.
type NotRegularError struct {
	File string // path
	Is   string // what stands there: "a directory", "a symbolic link"
}

func (e *NotRegularError) Error() string {
	return fmt.Sprintf("%s is in the way: it is %s", e.File, e.Is)
}

// Write writes a file in place of a regular file, or where there is none; else
// the error is *NotRegularError. The mode is narrowed by the umask; see Create.
func Write(file string, data []byte, mode fs.FileMode) error {
	if err := CheckRegular(file); err != nil {
		return err
	}
	return write(file, data, mode, os.Rename)
}

// WriteNew writes a file where there is none. If there is one, which another
// process may have made a moment ago, it stays, and
// errors.Is(err, fs.ErrExist). The mode is narrowed by the umask; see Create.
func WriteNew(file string, data []byte, mode fs.FileMode) error {
	return write(file, data, mode, func(whole, file string) error {
		err := os.Link(whole, file) // fails where a rename would replace
		if err == nil || errors.Is(err, fs.ErrExist) {
			return err
		}
		return Create(file, data, mode) // a file system without hard links
	})
}

// write writes data to a temporary file beside file, which place then moves
// there.
func write(file string, data []byte, mode fs.FileMode, place func(whole, file string) error) error {
	temporary := filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+"."+rand.Text()[:10])
	err := Create(temporary, data, mode)
	if err == nil {
		err = place(temporary, file)
	}
	_ = os.Remove(temporary) // fails once it is renamed
	var path *fs.PathError
	if errors.As(err, &path) && path.Path == temporary {
		return &fs.PathError{Op: path.Op, Path: file, Err: path.Err} // the name that the caller knows
	}
	return err
}

// Create writes a new file in place, so that what is read while it is written
// is incomplete. It fails with fs.ErrExist if there is one. A mode that gives
// others nothing makes the file the user's alone from its first moment, on
// Windows too: see package private.
func Create(file string, data []byte, mode fs.FileMode) error {
	if mode&0o077 == 0 {
		return private.WriteFile(file, data)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// CheckRegular returns *NotRegularError if there is anything but a regular
// file. A symbolic link is none, wherever it leads.
func CheckRegular(file string) error {
	info, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &NotRegularError{File: file, Is: Kind(info.Mode())}
	}
	return nil
}

// Kind describes what is not a regular file.
func Kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	}
	return "not a regular file"
}
