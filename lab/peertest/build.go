package peertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// Full reports whether LAB_FULL is set, as .ci/full does: tests then take
// larger numbers, and those that take minutes run at all.
func Full() bool { return os.Getenv("LAB_FULL") != "" }

// Build builds lab for an operating system, by its name in Go: static, and
// without a library's pages. It returns the path of the program, which is gone
// when the test ends.
func Build(t testing.TB, goos string) string {
	t.Helper()
	return build(t, goos, "-tags", "urfave_cli_no_docs")
}

// Release is Build with the flags of .goreleaser.yaml, with which all packages
// are compiled anew: benchmarks measure what people install.
func Release(t testing.TB, goos string) string {
	t.Helper()
	return build(t, goos, releaseFlags(t)...)
}

func build(t testing.TB, goos string, flags ...string) string {
	t.Helper()
	Need(t, "go")
	program := filepath.Join(t.TempDir(), "lab")
	if goos == "windows" {
		program += ".exe"
	}
	build := exec.Command("go", append(append([]string{"build"}, flags...), "-o", program, "mtlslab.example/lab")...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	return program
}

// releaseFlags returns the flags of a release for go build, but for the commit,
// which tests may not know.
func releaseFlags(t testing.TB) []string {
	t.Helper()
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "mtlslab.example/lab").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var release struct {
		Builds []struct{ Flags, Ldflags, Gcflags, Tags []string }
	}
	if err := yaml.Unmarshal(text, &release); err != nil {
		t.Fatal(err)
	}
	b := release.Builds[0]
	flags := append([]string{"-tags=" + strings.Join(b.Tags, ","), "-ldflags=" + strings.Join(b.Ldflags, " ")}, b.Flags...)
	for _, f := range b.Gcflags {
		flags = append(flags, "-gcflags="+f)
	}
	return append(flags, "-buildvcs=false")
}
