package capture

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// openFile opens the destination of a recording. A regular file is created, mode 0600, after the one there was has been
// kept as kept. The caller closes the result.
func openFile(name string) (file io.WriteCloser, kept string, err error) {
	if name == "-" {
		file, err = openStdout()
		return file, "", err
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(name); err == nil {
			return nil, "", fmt.Errorf("%s is a symbolic link that leads nowhere", name)
		}
	case err != nil:
		return nil, "", err
	case info.Mode().Type() == fs.ModeNamedPipe:
		file, err = newFIFO(name)
		return file, "", err
	case info.Mode().Type()&fs.ModeDevice != 0:
		file, err = os.OpenFile(name, os.O_WRONLY, 0)
		return file, "", err
	case !info.Mode().IsRegular():
		return nil, "", fmt.Errorf("%s is not a file that can be written (%s)", name, info.Mode())
	default:
		if name, kept, err = makeWay(name, info.Size()); err != nil {
			return nil, "", err
		}
	}
	file, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return file, kept, err
}

// makeWay keeps the file of that name, if there is anything in it, and returns the name for the new one: that of the file
// itself where name is a link to it.
func makeWay(name string, size int64) (file, kept string, err error) {
	if info, err := os.Lstat(name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if name, err = filepath.EvalSymlinks(name); err != nil {
			return "", "", err
		}
	}
	if size == 0 {
		return name, "", os.Remove(name)
	}
	kept, err = keep(name)
	return name, kept, err
}

// undo removes the file that openFile has created, made, and puts the kept one back. It reports whether it did: a file
// that is in its place by now is left alone.
func undo(name string, made fs.FileInfo, kept string) (bool, error) {
	now, err := os.Lstat(name)
	if err != nil || !os.SameFile(made, now) {
		return false, nil
	}
	if kept != "" {
		err = os.Rename(kept, name)
	} else {
		err = os.Remove(name)
	}
	return err == nil, err
}

// keep renames a file to the next name of its series, lab.pcapng to lab.1.pcapng, lab.2.pcapng and so on: the one with
// the highest number is the newest, a gap is not filled, and a name once given stays.
func keep(name string) (string, error) {
	number, err := highest(name)
	if err != nil {
		return "", err
	}
	kept := numbered(name, number+1)
	return kept, os.Rename(name, kept)
}

// numbered puts number before the extension of name.
func numbered(name string, number int) string {
	ext := filepath.Ext(name)
	return fmt.Sprintf("%s.%d%s", strings.TrimSuffix(name, ext), number, ext)
}

// highest returns the highest number in the series of name, 0 if it is empty.
func highest(name string) (int, error) {
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		return 0, err
	}
	ext := filepath.Ext(name)
	stem := strings.TrimSuffix(filepath.Base(name), ext) + "."
	high := 0
	for _, entry := range entries {
		middle, ok := strings.CutPrefix(strings.TrimSuffix(entry.Name(), ext), stem)
		if n, err := strconv.Atoi(middle); ok && err == nil && entry.Name() == filepath.Base(numbered(name, n)) {
			high = max(high, n)
		}
	}
	return high, nil
}
