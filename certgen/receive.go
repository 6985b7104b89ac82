package certgen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mtlslab.example/lab/certgen/atomicfile"
)

// DifferentError reports files that would be replaced by others of their name.
type DifferentError struct {
	Files []string // paths, at least one
}

func (e *DifferentError) Error() string {
	if n := len(e.Files) - 1; n > 0 {
		return fmt.Sprintf("%s and %d more are there already, and differ", e.Files[0], n)
	}
	return e.Files[0] + " is there already, and differs"
}

// Receive writes files that another PKI has made into dir, by their base names:
// keys, which end in "-key.pem" or ".p12", with mode 0600. One that is there
// with the same content stays. If another one is there, nothing is written, and
// the error is *DifferentError or *InTheWayError; with force it is moved first,
// and kept is the folder that it is in now. Nothing that is received counts as
// the lab's own: no later run replaces it without being told to.
func Receive(ctx context.Context, dir string, files map[string][]byte, force bool) (kept string, err error) {
	unlock, err := lock(ctx, dir, nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	missing, other, err := compareFiles(dir, files)
	if err != nil {
		return "", err
	}
	if len(other) > 0 {
		if !force {
			return "", &DifferentError{Files: other}
		}
		if kept, err = putAside(dir, other); err != nil {
			return kept, err
		}
	}
	for _, file := range missing {
		mode := certificateMode
		if holdsKey(file) {
			mode = keyMode
		}
		if err := atomicfile.WriteNew(filepath.Join(dir, file), files[file], mode); err != nil {
			return kept, err
		}
	}
	return kept, nil
}

// Received reports whether dir has all files as they are.
func Received(dir string, files map[string][]byte) bool {
	missing, _, err := compareFiles(dir, files)
	return err == nil && len(missing) == 0
}

// holdsKey reports whether a file is one that only its user may read.
func holdsKey(file string) bool {
	return strings.HasSuffix(file, "-key.pem") || strings.HasSuffix(file, ".p12")
}

// compareFiles returns which of the files are to be written, keys first, and
// the paths of those in the place of which there is something else.
func compareFiles(dir string, files map[string][]byte) (missing, other []string, err error) {
	for file, data := range files {
		path := filepath.Join(dir, file)
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, nil, err
		case !info.Mode().IsRegular():
			return nil, nil, &InTheWayError{File: path, Is: atomicfile.Kind(info.Mode())}
		default:
			there, _, err := readFile(path)
			if err != nil {
				return nil, nil, err
			}
			if bytes.Equal(there, data) {
				continue
			}
			other = append(other, path)
		}
		missing = append(missing, file)
	}
	slices.Sort(other)
	slices.SortFunc(missing, func(a, b string) int {
		if holdsKey(a) != holdsKey(b) {
			if holdsKey(a) {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return missing, other, nil
}
