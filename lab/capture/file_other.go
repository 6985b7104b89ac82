//go:build !unix

package capture

import (
	"io"
	"os"
)

// openStdout returns standard output, which Close leaves open.
func openStdout() (io.WriteCloser, error) { return stdout{}, nil }

type stdout struct{}

func (stdout) Write(p []byte) (int, error) { return os.Stdout.Write(p) }
func (stdout) Close() error                { return nil }

// fifo is a named pipe; there are none in the file system here, so it is opened
// like a file.
type fifo struct{ *os.File }

func newFIFO(name string) (*fifo, error) {
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	return &fifo{file}, err
}

func (f *fifo) hasReader() bool { return true }
