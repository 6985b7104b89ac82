package peertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Full reports whether LAB_FULL is set, as .ci/full does: tests then take
// larger numbers, and those that take minutes run at all.
func Full() bool { return os.Getenv("LAB_FULL") != "" }

// Build builds lab for an operating system, by its name in Go, as releases are:
// static, and without a library's pages. It returns the path of the program,
// which is gone when the test ends.
func Build(t testing.TB, goos string) string {
	t.Helper()
	Need(t, "go")
	program := filepath.Join(t.TempDir(), "lab")
	if goos == "windows" {
		program += ".exe"
	}
	build := exec.Command("go", "build", "-tags", "urfave_cli_no_docs", "-o", program, "mtlslab.example/lab")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	return program
}
