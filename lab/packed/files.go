// Package packed unpacks files that are embedded in the program: as they are
// they would take four times the space. TestPacked compares each archive with
// the folder beside it; with -update it packs what was edited.
package packed

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"sync"

	"golang.org/x/tools/txtar"
)

// Files returns the files of a txtar archive that gzip has compressed. They are
// unpacked when they are first asked for.
func Files(archive []byte) func() fs.FS {
	return sync.OnceValue(func() fs.FS {
		files, err := unpack(archive)
		if err != nil {
			panic(err) // a test reads it
		}
		return files
	})
}

func unpack(archive []byte) (fs.FS, error) {
	r, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return txtar.FS(txtar.Parse(text))
}
