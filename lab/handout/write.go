package handout

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/certgen/atomicfile"
	"mtlslab.example/lab/lab/private"
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
// zip file or as a folder: see File. One that is there stays, and fs.ErrExist
// is the error, unless it is to be replaced: that happens once the new one is
// written.
func (h *Handout) Write(dir string, folder, replace bool) error {
	files, err := h.files()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, File(h.Name, folder))
	if folder {
		return writeFolder(path, files, replace)
	}
	data, err := h.zip(files)
	switch {
	case err != nil:
		return err
	case replace:
		return atomicfile.Write(path, data, 0o600)
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

// writeFolder makes a folder beside path, and moves it there when it is whole.
func writeFolder(path string, files map[string][]byte, replace bool) error {
	if _, err := os.Lstat(path); err == nil && !replace {
		return &fs.PathError{Op: "mkdir", Path: path, Err: fs.ErrExist}
	}
	staging, err := private.MkdirStaging(filepath.Dir(path), "handout")
	if err != nil {
		return err
	}
	defer func() { _ = staging.Remove() }()
	if err := os.Mkdir(filepath.Join(staging.Path, "certs"), 0o700); err != nil {
		return err
	}
	for file, data := range files {
		if err := atomicfile.Create(filepath.Join(staging.Path, filepath.FromSlash(file)), data, mode(file)); err != nil {
			return err
		}
	}
	if replace {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	if err := staging.Keep(); err != nil {
		return err
	}
	return os.Rename(staging.Path, path)
}
