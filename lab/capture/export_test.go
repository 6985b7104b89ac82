package capture

import "io"

// NewWriter begins a recording on f.
func NewWriter(f io.WriteCloser, o Options) (*Writer, error) { return newWriter(f, "capture", o) }

// SetRename has files renamed by another function, and returns one that undoes
// it.
func SetRename(f func(from, to string) error) (undo func()) {
	before := rename
	rename = f
	return func() { rename = before }
}
