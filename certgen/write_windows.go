package certgen

import (
	"io/fs"
	"os"

	"mtlslab.example/lab/certgen/atomicfile"
)

// createFile writes a new file.
func createFile(path string, data []byte, mode fs.FileMode) error {
	return atomicfile.Create(path, data, mode)
}

func rename(from, to string) error { return os.Rename(from, to) }
