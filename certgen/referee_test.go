package certgen

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// referee returns a function that runs a program not written here, to judge
// what was. Where it is missing the test is skipped, but under CI it fails.
func referee(t testing.TB, program string) func(args ...string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is needed under CI: %v", program, err)
		}
		t.Skipf("%s is not installed", program)
	}
	return func(args ...string) string {
		t.Helper()
		out, err := exec.Command(path, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
}
