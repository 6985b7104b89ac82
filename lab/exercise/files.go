package exercise

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mtlslab.example/lab/lab/private"
)

// writeFile writes a file of the world, or of a repair, into dir. Captures are
// written by record.
func (e *Exercise) writeFile(dir string, v values, f NamedFile) error {
	file := filepath.Join(dir, filepath.FromSlash(f.Name))
	switch {
	case f.Remove:
		return os.Remove(file)
	case f.Replaced != nil:
		return replaceIn(file, f.Replaced)
	case f.Text != nil:
		return writeText(file, []byte(v.fill(*f.Text)))
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if f.Join != nil {
		return join(dir, file, f.Join)
	}
	return f.Derived.Write(filepath.Join(dir, certsFolder), file)
}

// replaceIn changes parts of a file, each of which must be there.
func replaceIn(file string, changes []Replacement) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if !bytes.Contains(text, []byte(c.Replace)) {
			return fmt.Errorf("%s has no %q to replace", filepath.Base(file), c.Replace)
		}
		text = bytes.ReplaceAll(text, []byte(c.Replace), []byte(c.With))
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, info.Mode())
}

// isKey reports whether a file has a private key. Its mode does not tell that
// on Windows.
func isKey(file string, data []byte) bool {
	return strings.HasSuffix(file, "-key.pem") || filepath.Ext(file) == ".p12" || bytes.Contains(data, []byte("PRIVATE KEY"))
}

// join writes files of dir one behind the other. What comes of a key is for the
// user alone.
func join(dir, file string, parts []string) error {
	var text []byte
	isPrivate := false
	for _, name := range parts {
		part := filepath.Join(dir, filepath.FromSlash(name))
		data, err := os.ReadFile(part)
		if err != nil {
			return err
		}
		if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
			text = append(text, '\n')
		}
		text = append(text, data...)
		isPrivate = isPrivate || isKey(part, data)
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if isPrivate {
		return private.WriteFile(file, text)
	}
	return os.WriteFile(file, text, 0o644)
}
