package certgen

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// A test binary with this in its environment is not a test: it generates
// certgenFolder from the manifest that it names, and exits.
const (
	certgenManifest = "CERTGEN_TEST_MANIFEST"
	certgenFolder   = "CERTGEN_TEST_FOLDER"
)

func TestMain(m *testing.M) {
	if manifest := os.Getenv(certgenManifest); manifest != "" {
		os.Exit(generateMain(manifest, os.Getenv(certgenFolder)))
	}
	os.Exit(m.Run())
}

// generateMain is the process behind generateProcess. It prints its steps.
func generateMain(file, dir string) int {
	m, err := Read(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	plan, err := Generate(context.Background(), m, dir, Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, step := range plan.Steps {
		fmt.Println(step)
	}
	return 0
}

// generateProcess returns a process that generates dir from a manifest.
func generateProcess(t testing.TB, manifest, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self)
	command.Env = append(os.Environ(), certgenManifest+"="+manifest, certgenFolder+"="+dir)
	return command
}
