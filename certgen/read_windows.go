package certgen

import (
	"io"
	"io/fs"
	"os"
)

// readFile returns the contents of a regular file, or more than maxPEM bytes of
// a larger one, and its mode. Of anything else it returns the mode only.
func readFile(path string) ([]byte, fs.FileMode, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil, modeOf(info), err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	return data, info.Mode(), err
}

func modeOf(info fs.FileInfo) fs.FileMode {
	if info == nil {
		return 0
	}
	return info.Mode()
}
