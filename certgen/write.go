package certgen

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"mtlslab.example/lab/lab/private"
)

// The modes of what is written, set at creation and narrowed by the umask.
const (
	folderMode      fs.FileMode = 0o700
	keyMode         fs.FileMode = 0o600
	certificateMode fs.FileMode = 0o644
	lockMode        fs.FileMode = 0o600
)

// New files are written into the staging folder. When all are there, it is
// renamed to the ready folder, and that decides: from then on the files are put
// in place one by one, by this run or, after a crash, by the next one. Before,
// nothing in the PKI's folder has changed.
const (
	stagingFolder = ".certgen-staging"
	readyFolder   = ".certgen-ready"
)

// stage writes the new contents of a file into the staging folder. The lock
// must be held.
//
// It does not wait for the disk (fsync). What a power cut damages is found by
// the next run, which makes it anew; waiting would take most of the time of
// a large PKI.
func stage(dir, file string, data []byte, mode fs.FileMode) error {
	path := filepath.Join(dir, stagingFolder, file)
	if mode == keyMode {
		return private.WriteFile(path, data)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// commit puts a ready file in place, whole or not at all. One that is in place
// already is passed over.
func commit(dir, file string) error {
	err := os.Rename(filepath.Join(dir, readyFolder, file), filepath.Join(dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// recoverInterrupted completes what a killed run had ready, and removes what it
// had only staged. The lock must be held. Where somebody has put another file
// in the meantime, it is not replaced: the error is *ForeignError or
// *InTheWayError.
func recoverInterrupted(dir string) error {
	if err := removeStaged(dir); err != nil {
		return err
	}
	there, err := isFolder(filepath.Join(dir, readyFolder))
	if err != nil || !there {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(dir, readyFolder))
	if err != nil {
		return err
	}
	made, err := readRecord(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == recordFile {
			continue // the last
		}
		if err := made.checkReplaceable(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
		if err := commit(dir, entry.Name()); err != nil {
			return err
		}
	}
	return finish(dir)
}

// finish puts the record in place, which says that everything is.
func finish(dir string) error {
	if err := commit(dir, recordFile); err != nil {
		return err
	}
	return os.Remove(filepath.Join(dir, readyFolder))
}

// removeStaged removes what was staged and is not ready. The lock must be held.
func removeStaged(dir string) error {
	staging := filepath.Join(dir, stagingFolder)
	there, err := isFolder(staging)
	if err != nil || !there {
		return err
	}
	return os.RemoveAll(staging)
}

// isFolder reports whether there is a folder. Anything else of that name is an
// *InTheWayError.
func isFolder(path string) (bool, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !info.IsDir():
		return false, &InTheWayError{File: path, Is: describeMode(info.Mode())}
	}
	return true, nil
}

// interrupted reports whether a run that was killed has left something for the
// next one to complete or remove.
func (l listing) interrupted() bool { return l[stagingFolder] || l[readyFolder] }

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

// writeWhole writes data beside a file and has place put it there.
func writeWhole(file string, data []byte, mode fs.FileMode, place func(whole, file string) error) error {
	f, err := createBeside(file, mode)
	var path *fs.PathError
	if errors.As(err, &path) {
		return &fs.PathError{Op: path.Op, Path: file, Err: path.Err} // not by the name of a temporary file
	}
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
