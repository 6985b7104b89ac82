package private

import (
	"errors"
	"os"
)

// UnsafeError is a file or folder that is not safe for secrets or code.
type UnsafeError struct {
	Path    string
	Problem string // a predicate about Path, such as "is a symbolic link"
	Folder  bool
}

func (e *UnsafeError) Error() string { return e.Path + " " + e.Problem }

// OpenFile opens a file that gets secrets, with the flags of os.OpenFile. One
// that it makes has mode 0600, and on Windows an access list for the user
// alone. One that is there must be the user's own; [Narrow] is for the mode
// that it has. What is checked is what is open: nobody can put another file in
// its place in between.
//
// A symbolic link is refused, and a regular file with a second name (a hard
// link). A FIFO must be the user's own, and the error is syscall.ENXIO where
// nobody reads it. A device must be the user's or the system's. Refusals are an
// *UnsafeError.
//
// A path that is a [Descriptor] is opened as it is.
func OpenFile(path string, flag int) (*os.File, error) { return openFile(path, flag) }

// Narrow makes a regular file accessible to the user alone: it gets mode 0600,
// and on Windows an access list for the user alone. Other files, and those of
// file systems without such a thing, stay as they are.
func Narrow(file *os.File) error { return narrow(file) }

// WriteFile makes a new file with that content, as OpenFile does. It fails with
// fs.ErrExist if there is one.
func WriteFile(path string, data []byte) error {
	file, err := OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}
