package certgen

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"mtlslab.example/lab/certgen/atomicfile"
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
// nothing in the PKI's folder has changed. Where there is no such folder yet,
// generateWhole needs neither.
const (
	stagingFolder = ".certgen-staging"
	readyFolder   = ".certgen-ready"
)

// commit puts a ready file in place, whole or not at all. One that is in place
// already is passed over.
func commit(dir, file string) error {
	err := rename(filepath.Join(dir, readyFolder, file), filepath.Join(dir, file))
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
		return false, &InTheWayError{File: path, Is: atomicfile.Kind(info.Mode())}
	}
	return true, nil
}

// interrupted reports whether a run that was killed has left something for the
// next one to complete or remove.
func (l listing) interrupted() bool { return l[stagingFolder] || l[readyFolder] }
