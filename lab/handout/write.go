package handout

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/certgen/atomicfile"
)

// File returns the name of the hand-out of a certificate: NAME.zip, or the
// folder NAME.
func File(name string, folder bool) string {
	if folder {
		return name
	}
	return name + ".zip"
}

// Write writes the hand-out into dir, which it makes for the user alone, as a
// zip file or as a folder: see File. If there is one, fs.ErrExist is the error,
// and it stays.
func (h *Handout) Write(dir string, folder bool) error {
	files, err := h.files()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, File(h.Name, folder))
	if folder {
		return writeFolder(path, files)
	}
	data, err := h.zip(files)
	if err != nil {
		return err
	}
	return atomicfile.WriteNew(path, data, 0o600)
}

// mode is that of a file of a hand-out: its keys are for the user alone.
func mode(file string) fs.FileMode {
	if strings.HasSuffix(file, "-key.pem") || strings.HasSuffix(file, ".p12") {
		return 0o600
	}
	return 0o644
}

func (h *Handout) zip(files map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	now := time.Now()
	for _, file := range slices.Sorted(maps.Keys(files)) {
		header := &zip.FileHeader{Name: h.Name + "/" + file, Modified: now} // stored: certificates hardly shrink
		header.SetMode(mode(file))
		w, err := z.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(files[file]); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return b.Bytes(), err
}

func writeFolder(path string, files map[string][]byte) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	err := os.Mkdir(filepath.Join(path, "certs"), 0o700)
	for file, data := range files {
		err = errors.Join(err, atomicfile.Create(filepath.Join(path, filepath.FromSlash(file)), data, mode(file)))
	}
	return err
}
