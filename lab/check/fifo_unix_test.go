//go:build unix

package check

import (
	"strings"
	"syscall"
	"testing"
)

// A FIFO that nobody writes to does not hold up the check, alone or in a folder.
func TestFIFO(t *testing.T) {
	b := newBench(t, "subject: CN=root\n")
	if err := syscall.Mkfifo(b.in("pipe.pem"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pipe.pem", "."} {
		found := false
		for _, f := range b.look(nil, name).Findings() {
			found = found || strings.Contains(f.Text, "is a pipe or a device")
		}
		if !found {
			t.Errorf("%s: nothing is said of the pipe", name)
		}
	}
}
