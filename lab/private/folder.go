package private

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"mtlslab.example/lab/lab/text"
)

// CheckFolder returns the path of a folder without symbolic links. It fails
// with an *UnsafeError if somebody else could replace what the user has put
// there: if the folder, or one above it, belongs to somebody else, or if others
// can write to it and it is not sticky, as /tmp is. (OpenSSH's sshd checks in
// this way what it reads keys from.)
//
// On Windows it only checks whether the folder exists.
func CheckFolder(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	for above := dir; ; above = filepath.Dir(above) {
		info, err := os.Lstat(above)
		switch {
		case err != nil:
			return "", err
		case !info.IsDir():
			return "", &UnsafeError{Path: above, Problem: "is not a folder", Folder: true}
		}
		if problem := folderProblem(info); problem != "" {
			return "", &UnsafeError{Path: above, Problem: problem, Folder: true}
		}
		if above == filepath.Dir(above) {
			return dir, nil
		}
	}
}

// MkdirAll makes a folder of mode 0700, and those above it, where there are
// none, if CheckFolder accepts the place. It returns what CheckFolder does.
func MkdirAll(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil { // the working folder is gone
		return "", err
	}
	real, err := CheckFolder(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return real, err
	}
	parent, err := MkdirAll(filepath.Dir(dir))
	if err != nil {
		return "", err
	}
	real = filepath.Join(parent, filepath.Base(dir))
	if err := os.Mkdir(real, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return CheckFolder(real)
}

// Exposed returns why others can replace files in a folder, as a predicate
// ("belongs to ..."), or "". The user's own group is not others. On Windows it
// returns "".
func Exposed(dir string) string {
	info, err := os.Stat(dir)
	if err != nil {
		return ""
	}
	return exposure(info)
}

// TempDir is a folder of mode 0700 for one run. It is locked as long as it is
// in use, so that the next run can recognise a killed one, and remove its
// folder.
type TempDir struct {
	Path string
	// Lock holds the lock. A process that inherits it keeps the folder in use.
	Lock *os.File
}

const lockName = ".in-use" // in a TempDir

// tempName is the name of a TempDir.
var tempName = text.Pattern(`^\.?lab-[a-z]+-[0-9]+$`)

// MkdirTemp makes a folder in parent, or in that for temporary files if parent
// is "", with the name of what it is for, in small letters. What killed runs
// have left in parent is removed. The caller removes the folder. It fails with
// an *UnsafeError if parent is not safe: see CheckFolder.
func MkdirTemp(parent, name string) (*TempDir, error) {
	parent, err := CheckFolder(cmp.Or(parent, os.TempDir()))
	if err != nil {
		return nil, err
	}
	return mkdirTemp(parent, "lab-"+name+"-*")
}

// MkdirStaging makes a hidden folder, likewise, in which is made what is then
// moved to its place in parent. That is wherever the user wants it to be: it is
// not checked.
func MkdirStaging(parent, name string) (*TempDir, error) {
	return mkdirTemp(parent, ".lab-"+name+"-*")
}

func mkdirTemp(parent, pattern string) (*TempDir, error) {
	tidy(parent)
	for {
		path, err := os.MkdirTemp(parent, pattern)
		if err != nil {
			return nil, err
		}
		lock, err := takeFolder(path, os.O_CREATE|os.O_EXCL)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(err, os.RemoveAll(path))
		}
		if lock != nil {
			return &TempDir{Path: path, Lock: lock}, nil
		} // else another run has tidied it away before it was locked
	}
}

// Remove removes the folder and all that is in it.
func (d *TempDir) Remove() error { return removeFolder(d.Path, d.Lock) }

// Keep makes it a folder like any other, which no later run removes.
func (d *TempDir) Keep() error {
	lock := filepath.Join(d.Path, lockName)
	if os.Remove(lock) == nil {
		return d.Lock.Close()
	}
	return errors.Join(d.Lock.Close(), os.Remove(lock)) // Windows removes no file that is open
}

// Tidy removes the folders for temporary files that killed runs have left.
func Tidy() {
	if parent, err := CheckFolder(os.TempDir()); err == nil {
		tidy(parent)
	}
}

// tidy removes the folders of MkdirTemp in parent that nobody uses any more.
// What cannot be removed stays.
func tidy(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if !entry.IsDir() || !tempName().MatchString(entry.Name()) { // a link is no folder
			continue
		}
		if info, err := entry.Info(); err != nil || !isOwn(info) {
			continue
		}
		path := filepath.Join(parent, entry.Name())
		if lock, err := takeFolder(path, 0); err == nil && lock != nil {
			_ = removeFolder(path, lock)
		}
	}
}

// takeFolder opens the lock of a folder, with those flags besides, and locks
// it. It returns nil if somebody else has it, or has removed it meanwhile.
func takeFolder(path string, flag int) (*os.File, error) {
	name := filepath.Join(path, lockName)
	lock, err := OpenFile(name, os.O_RDWR|flag)
	if err != nil {
		return nil, err
	}
	locked, err := tryLock(lock)
	if err != nil {
		lock.Close()
		return nil, &fs.PathError{Op: "lock", Path: name, Err: err}
	}
	if locked {
		now, gone := os.Lstat(name)
		if was, err := lock.Stat(); err == nil && gone == nil && os.SameFile(was, now) {
			return lock, nil
		}
	}
	return nil, lock.Close()
}

// removeFolder removes a folder and at last its lock, so that a run that is
// killed here leaves a folder that can be tidied. It closes the lock.
func removeFolder(path string, lock *os.File) error {
	entries, err := os.ReadDir(path)
	for _, entry := range entries {
		if entry.Name() != lockName {
			err = errors.Join(err, os.RemoveAll(filepath.Join(path, entry.Name())))
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	lock.Close() // Windows removes no file that is open
	return os.RemoveAll(path)
}
