package command

import (
	"io"
	"os"

	"github.com/urfave/cli/v2"
)

// rereadable is a file that is read more than once.
type rereadable struct {
	name  string
	size  int64
	open  func() (io.ReadCloser, error)
	close func()
}

// openRereadable returns a file that can be read again and again. What comes
// through a pipe is kept until close in a file that only the user can read.
func openRereadable(c *cli.Context, name string) (*rereadable, error) {
	in, size, err := openCaptured(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	r := &rereadable{name: inputName(name), size: size, open: func() (io.ReadCloser, error) { return os.Open(name) }, close: func() {}}
	if name != "-" && isRegular(name) {
		return r, nil
	}
	kept, err := os.CreateTemp("", "lab-capture-*")
	if err != nil {
		return nil, err
	}
	r.close = func() { kept.Close(); os.Remove(kept.Name()) }
	r.size, err = unlessInterrupted(c.Context, func() (int64, error) { return io.Copy(kept, in) })
	if err != nil {
		r.close()
		return nil, err
	}
	r.open = func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(kept, 0, r.size)), nil }
	return r, nil
}

// unlessEnded returns an error, but not that of a command that was interrupted.
func unlessEnded(c *cli.Context, err error) error {
	if c.Context.Err() != nil {
		return nil
	}
	return err
}
