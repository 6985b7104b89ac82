//go:build unix

package check

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
)

// A FIFO that nobody writes to does not hold up the check, alone or in a
// folder.
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

// A link that leads nowhere does not end the check of its folder. One that is
// no certificate by its name, as editors leave, is passed over.
func TestLinkToNowhere(t *testing.T) {
	b := newBench(t, "subject: CN=root\n")
	for _, name := range []string{"link.pem", "lock"} {
		if err := os.Symlink("gone.pem", b.in(name)); err != nil {
			t.Fatal(err)
		}
	}
	var wrong []string
	for _, f := range b.look(nil, ".").Findings() {
		if f.Level == Wrong {
			wrong = append(wrong, f.Text)
		}
	}
	if len(wrong) != 1 || !strings.HasSuffix(wrong[0], "link.pem is a link to gone.pem, which is not there") {
		t.Errorf("%q", wrong)
	}
	if _, err := Open([]string{b.in("link.pem")}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("named: %v", err)
	}
}
