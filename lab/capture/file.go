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

// openFile opens the destination of a recording. A regular file is late, and kept is told what became of the one there
// was. The caller closes the result.
func openFile(name string, kept func(string)) (io.WriteCloser, error) {
	if name == "-" {
		return openStdout()
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() == fs.ModeNamedPipe:
		return newFIFO(name)
	case info.Mode().Type()&fs.ModeDevice != 0:
		return os.OpenFile(name, os.O_WRONLY, 0)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file that can be written (%s)", name, info.Mode())
	}
	return &late{name, kept}, probe(name)
}

// probe tells whether a file of that name can be created, or replaced, and leaves everything as it was.
func probe(name string) error {
	file, err := os.CreateTemp(filepath.Dir(name), ".lab-")
	if err != nil {
		var failure *fs.PathError
		if errors.As(err, &failure) {
			failure.Path = name // not that of the probe
		}
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// late is a regular file that the first connection creates, so that a run without one leaves the file of the last run
// where it was. Nothing is written to it before.
type late struct {
	name string
	kept func(string)
}

func (*late) Write([]byte) (int, error) { return 0, os.ErrClosed }
func (*late) Close() error              { return nil }

// create creates the file, mode 0600, after the one there was has been kept. The caller closes the result.
func (l *late) create() (*os.File, error) {
	if info, err := os.Stat(l.name); err == nil && info.Size() > 0 {
		kept, err := keep(l.name)
		if err != nil {
			return nil, err
		}
		l.kept(kept)
	} else if err == nil {
		if err := os.Remove(l.name); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(l.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
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
