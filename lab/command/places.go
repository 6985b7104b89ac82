package command

import (
	"os"
	"path/filepath"
	"strings"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/certfile"
)

// places says what files and folders with CAs are called in sentences, for which
// a whole path may be too long.
type places struct{ bases map[string]int }

func newPlaces(given ...lab.Credentials) places {
	p := places{make(map[string]int)}
	seen := make(map[string]bool)
	for _, o := range given {
		if certfile.IsFile(o.Trust) && !seen[o.Trust] {
			seen[o.Trust] = true
			p.bases[filepath.Base(o.Trust)]++
		}
	}
	return p
}

// file returns the name of a file without its folder, if no other has it.
func (p places) file(path string) string {
	if base := filepath.Base(path); p.bases[base] == 1 {
		return base
	}
	return relative(path)
}

// relative returns a path as seen from the working folder, if that is shorter.
func relative(path string) string {
	wd, err := os.Getwd()
	if err != nil || !filepath.IsAbs(path) {
		return path
	}
	if short, err := filepath.Rel(wd, path); err == nil && !strings.HasPrefix(short, "..") {
		return short
	}
	return path
}
