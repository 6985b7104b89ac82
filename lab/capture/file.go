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
		if name, err = filepath.EvalSymlinks(name); err != nil { // the file is kept, and not a link to it
			return nil, "", err
		}
		if info.Size() == 0 {
			err = os.Remove(name)
		} else {
			kept, err = keep(name)
		}
		if err != nil {
			return nil, "", err
		}
	}
	file, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return file, kept, err
}

// undo removes the file that openFile has created, and puts the kept one back.
func undo(file io.WriteCloser, kept string) error {
	created, ok := file.(*os.File)
	if !ok {
		return nil
	}
	if info, err := os.Stat(created.Name()); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if kept != "" {
		return os.Rename(kept, created.Name())
	}
	return os.Remove(created.Name())
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
