package certgen

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"mtlslab.example/lab/lab/private"
)

// The modes of what is written, set at creation and narrowed by the umask.
const (
	folderMode      fs.FileMode = 0o700
	keyMode         fs.FileMode = 0o600
	certificateMode fs.FileMode = 0o644
	lockMode        fs.FileMode = 0o600
)

// temporaryPrefix begins the names of files being written. No certificate's
// files begin with a dot.
const temporaryPrefix = ".certgen-"

// temporary returns where the new contents of a file are until they replace the
// old.
func temporary(dir, file string) string { return filepath.Join(dir, temporaryPrefix+file) }

// stage writes the new contents of a file beside it. The lock must be held and
// earlier temporary files be gone.
//
// It does not wait for the disk (fsync). What a power cut damages is found by
// the next run, which makes it anew; waiting would take most of the time of
// a large PKI.
func stage(dir, file string, data []byte, mode fs.FileMode) error {
	if mode == keyMode {
		return private.WriteFile(temporary(dir, file), data)
	}
	f, err := os.OpenFile(temporary(dir, file), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// commit replaces a file with what was staged, whole or not at all.
func commit(dir, file string) error {
	return os.Rename(temporary(dir, file), filepath.Join(dir, file))
}

// WriteFile writes a file that is not one of the PKI's, whole or not at all and
// with mode 0600, over a regular file or none; else the error is *InTheWayError.
func WriteFile(file string, data []byte) error {
	if err := checkRegular(file); err != nil {
		return err
	}
	return writeWhole(file, data, keyMode, os.Rename)
}

// WriteNew writes a file that is not one of the PKI's, whole or not at all,
// where there is none. If there is one, which another process may have made a
// moment ago, it stays, and errors.Is(err, fs.ErrExist).
func WriteNew(file string, data []byte, mode fs.FileMode) error {
	return writeWhole(file, data, mode, func(whole, file string) error {
		err := os.Link(whole, file) // fails where a rename would replace
		if err == nil || errors.Is(err, fs.ErrExist) {
			return err
		}
		return os.Rename(whole, file) // a file system without hard links
	})
}

// writeWhole writes data beside a file, under a name that removeTemporaries
// leaves alone, and has place put it there.
func writeWhole(file string, data []byte, mode fs.FileMode, place func(whole, file string) error) error {
	f, err := createBeside(file, mode)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(mode), f.Close()); err != nil {
		return err
	}
	return place(f.Name(), file)
}

// createBeside makes a new file of mode 0600 beside another, on Windows for the
// user alone if mode says so.
func createBeside(file string, mode fs.FileMode) (*os.File, error) {
	dir, prefix := filepath.Dir(file), "."+filepath.Base(file)+"."
	if mode != keyMode {
		return os.CreateTemp(dir, prefix+"*")
	}
	return private.OpenFile(filepath.Join(dir, prefix+rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL)
}

// tidy removes what a killed run has staged, unless another process is at
// writing. With nothing to remove it does not even lock. What cannot be removed
// stays.
func tidy(dir string) {
	if left, err := temporaries(dir); err != nil || len(left) == 0 {
		return
	}
	path := filepath.Join(dir, lockFile)
	if checkRegular(path) != nil {
		return
	}
	l := flock.New(path, flock.SetPermissions(lockMode))
	if locked, err := l.TryLock(); err == nil && locked {
		_ = errors.Join(removeTemporaries(dir), l.Unlock())
	}
}

// removeTemporaries removes what was staged and not committed, by this run or
// one that was killed. The lock must be held.
func removeTemporaries(dir string) error {
	left, err := temporaries(dir)
	for _, file := range left {
		if err := os.Remove(filepath.Join(dir, file)); err != nil {
			return err
		}
	}
	return err
}

// temporaries are the names of the files that are staged.
func temporaries(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), temporaryPrefix) && entry.Type().IsRegular() {
			names = append(names, entry.Name())
		}
	}
	return names, err
}
