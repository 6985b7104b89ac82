package peertest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// Patience is how long a test waits for what is about to happen.
const Patience = 20 * time.Second

// Need skips the test if one of the programs is not in PATH. Where the
// environment variable CI is set, it fails the test instead.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			Missing(t, "needs %s: %v", program, err)
		}
	}
}

// Missing ends a test that cannot run here, and says why, in the manner of
// Printf: it skips the test, or fails it where the environment variable CI is
// set.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// FreePort returns a port of 127.0.0.1 that was free a moment ago. It is for
// programs that do not say which port they got.
func FreePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// Poll tries every 20 milliseconds until try returns nil. When Patience is
// over, it returns the last error. It is for what is slow to look at, such as a
// file.
func Poll(try func() error) error {
	for deadline := time.Now().Add(Patience); ; time.Sleep(20 * time.Millisecond) {
		err := try()
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// Eventually waits until something is so, which is named by what and asked for
// every 2 milliseconds. If it is not so within Patience, the test fails.
func Eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for " + what)
		}
	}
}

// AwaitListener waits until something listens on a port of 127.0.0.1, and
// returns an error if nobody does within Patience. It does not connect to it,
// which the listener might count as a call.
func AwaitListener(port string) error {
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	listens := regexp.MustCompile(fmt.Sprintf(`:%04X 0+:0000 0A`, number))
	return Poll(func() error {
		if table, err := os.ReadFile("/proc/thread-self/net/tcp"); err == nil {
			six, _ := os.ReadFile("/proc/thread-self/net/tcp6")
			if listens.Match(table) || listens.Match(six) {
				return nil
			}
		} else if l, err := net.Listen("tcp", "127.0.0.1:"+port); err != nil {
			return nil
		} else {
			l.Close()
		}
		return fmt.Errorf("nobody listens on port %s", port)
	})
}
