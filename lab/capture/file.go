package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"mtlslab.example/lab/lab/private"
)

// openFile opens the destination of a recording. A regular file is created, for
// the user alone, after the one there was has been kept as kept. A symbolic
// link is refused, as is the FIFO of somebody else. The caller closes the
// result.
func openFile(name string) (file io.WriteCloser, kept string, err error) {
	if name == "-" {
		file, err = openStdout()
		return file, "", err
	}
	if _, ok := private.Descriptor(name); ok {
		opened, err := private.OpenFile(name, os.O_WRONLY)
		return stream{opened}, "", err
	}
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, "", err
	case info.Mode().Type() == fs.ModeNamedPipe:
		file, err = newFIFO(name)
		return file, "", err
	case info.Mode().Type()&fs.ModeDevice != 0:
		file, err = private.OpenFile(name, os.O_WRONLY)
		return file, "", err
	case info.Mode().Type() == fs.ModeSymlink:
		return nil, "", &private.UnsafeError{Path: name, Problem: "is a symbolic link"}
	case !info.Mode().IsRegular():
		return nil, "", fmt.Errorf("%s is not a file that can be written (%s)", name, info.Mode())
	case info.Size() > 0 && !looksLikeCapture(name):
		return nil, "", &NotCaptureError{name}
	default:
		if name, kept, err = makeWay(name, info.Size()); err != nil {
			return nil, "", err
		}
	}
	file, err = create(name)
	return file, kept, err
}

// create creates a file: the next one in the series of name where there is one
// of that name by now, which another program has just created.
func create(name string) (*os.File, error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	file, err := private.OpenFile(name, flags)
	if !errors.Is(err, fs.ErrExist) {
		return file, err
	}
	number, err := highest(name)
	if err != nil {
		return nil, err
	}
	for {
		number++
		file, err = private.OpenFile(numbered(name, number), flags)
		if !errors.Is(err, fs.ErrExist) {
			return file, err
		}
	}
}

// NotCaptureError reports a file that is no recording, by its name and
// contents, where one is to be written.
type NotCaptureError struct{ Name string }

func (e *NotCaptureError) Error() string {
	return e.Name + " is there already, and is no capture: name another file"
}

// looksLikeCapture reports whether the file of that name is a recording that
// may be renamed, by its extension or its first bytes.
func looksLikeCapture(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".pcapng", ".pcap", ".cap", ".gz":
		return true
	}
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, 4)
	_, err = io.ReadFull(f, magic)
	return err == nil && (isPcap(magic) || binary.BigEndian.Uint32(magic) == blockTypeSection)
}

// application is the lab's name in its recordings.
const application = "lab, the mutual-TLS lab"

// IsOwn reports whether a regular file is a recording of the lab's own: its
// first block begins with the name of the lab.
func IsOwn(name string) bool {
	info, err := os.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	own := appendSection(nil)[:sectionFixed+4+len(application)]
	begins := make([]byte, len(own))
	if _, err := io.ReadFull(f, begins); err != nil {
		return false
	}
	copy(begins[4:8], own[4:8]) // the block's length
	return bytes.Equal(begins, own)
}

// stream hides Truncate: the lab must not cut what was in a file that it
// appends to (>>).
type stream struct{ io.WriteCloser }

// makeWay keeps the file of that name, if there is anything in it, as the next
// one in its series, which is lab.1.pcapng, lab.2.pcapng and so on for
// lab.pcapng: the one with the highest number is the newest, a gap is not
// filled, and a name once given stays. It returns the name for the new one: the
// next one of the series where the old one cannot be moved, as on Windows while
// a program has it open.
func makeWay(name string, size int64) (file, kept string, err error) {
	if size == 0 && os.Remove(name) == nil {
		return name, "", nil
	}
	number, err := highest(name)
	if err != nil {
		return "", "", err
	}
	for {
		number++
		kept = numbered(name, number)
		switch err := rename(name, kept); {
		case err == nil:
			return name, kept, nil
		case !errors.Is(err, fs.ErrExist):
			return kept, "", nil
		}
	}
}

// rename is renameNew, but for tests.
var rename = renameNew

// renameReserved renames a file to a name that no file has. It makes an empty
// file of that name first: as that was not there before, nothing is lost.
func renameReserved(from, to string) error {
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err = errors.Join(file.Close(), os.Rename(from, to)); err != nil {
		_ = os.Remove(to)
	}
	return err
}

// undo removes the file that openFile has created, made, and puts the kept one
// back. It reports whether it did: a file that is in its place by now is left
// alone.
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

// numbered puts number before the extension of name.
func numbered(name string, number int64) string {
	ext := filepath.Ext(name)
	return fmt.Sprintf("%s.%d%s", strings.TrimSuffix(name, ext), number, ext)
}

// maxNumber is what the lab counts up to at most: a name with a higher number
// is not one that it has given.
const maxNumber = 1e15

// highest returns the highest number in the series of name, 0 if it is empty.
func highest(name string) (int64, error) {
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		return 0, err
	}
	ext := filepath.Ext(name)
	stem := strings.TrimSuffix(filepath.Base(name), ext) + "."
	high := int64(0)
	for _, entry := range entries {
		middle, ok := strings.CutPrefix(strings.TrimSuffix(entry.Name(), ext), stem)
		n, err := strconv.ParseInt(middle, 10, 64)
		if ok && err == nil && n <= maxNumber && entry.Name() == filepath.Base(numbered(name, n)) {
			high = max(high, n)
		}
	}
	return high, nil
}
