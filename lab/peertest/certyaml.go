package peertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Certyaml builds the certyaml command in a module of its own, and returns its
// path. Where that is not possible, for want of a network, the test is skipped,
// but under CI it fails.
func Certyaml(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "certyaml")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	const module = "module bench\n\ngo 1.26\n\nrequire github.com/tsaarni/certyaml v0.11.0\n"
	const tools = "//go:build tools\n\npackage bench\n\nimport _ \"github.com/tsaarni/certyaml/cmd/certyaml\"\n"
	for name, text := range map[string]string{"go.mod": module, "tools.go": tools} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", program, "github.com/tsaarni/certyaml/cmd/certyaml")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		Missing(t, "the certyaml command cannot be built here: %v\n%s", err, out)
	}
	return program
}
