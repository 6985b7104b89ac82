package javakeys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"mtlslab.example/lab/lab/private"
)

// maxAge is how long an emptied file of options stays: what has outlived its
// run may name it to the JVMs that it starts.
const maxAge = 30 * 24 * time.Hour

// writeOptions writes a file of options to the user's cache folder, and removes
// those of long ago.
func writeOptions(options string) (path string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir, err := private.MkdirAll(filepath.Join(cache, "lab", "java"))
	if err != nil {
		return "", err
	}
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > maxAge {
			_ = os.Remove(path)
		}
		return nil
	})
	file, err := os.CreateTemp(dir, "*.options")
	if err != nil {
		return "", err
	}
	_, err = file.WriteString(options)
	return file.Name(), errors.Join(err, file.Close())
}
