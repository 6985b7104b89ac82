package certgen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/peertest"
)

// A test binary with this in its environment is not a test: it generates
// certgenFolder from the manifest that it names, and exits.
const (
	certgenManifest = "CERTGEN_TEST_MANIFEST"
	certgenFolder   = "CERTGEN_TEST_FOLDER"
	certgenHang     = "CERTGEN_TEST_HANG" // the change of the disk, "OPERATION FILE", before which to hang
)

func TestMain(m *testing.M) {
	if manifest := os.Getenv(certgenManifest); manifest != "" {
		os.Exit(generateMain(manifest, os.Getenv(certgenFolder)))
	}
	os.Exit(m.Run())
}

// generateMain is the process behind generateProcess. It prints its steps.
func generateMain(file, dir string) int {
	// As a short-lived command should: collecting garbage in a heap of 4 MB over
	// and over is a quarter of the work of making a thousand certificates.
	debug.SetGCPercent(400)
	m, err := Read(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	plan, err := Generate(context.Background(), m, dir, Options{beforeChange: hang})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, step := range plan.Steps {
		fmt.Println(step)
	}
	return 0
}

// hang says so and stays, when this is the change to hang before.
func hang(operation, file string) error {
	if os.Getenv(certgenHang) == operation+" "+file {
		fmt.Println("hanging")
		select {}
	}
	return nil
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

// writeManifest puts a manifest in a file of its own.
func writeManifest(t testing.TB, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "certs.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestProcessesAtOnce has several make the same PKI: one does, all end well.
func TestProcessesAtOnce(t *testing.T) {
	manifest, dir := writeManifest(t, revocation), filepath.Join(t.TempDir(), "certs")
	processes := make([]*exec.Cmd, 4)
	outputs := make([]strings.Builder, len(processes))
	for i := range processes {
		processes[i] = generateProcess(t, manifest, dir)
		processes[i].Stdout, processes[i].Stderr = &outputs[i], &outputs[i]
		if err := processes[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	made := 0
	for i, p := range processes {
		if err := p.Wait(); err != nil {
			t.Errorf("%v\n%s", err, outputs[i].String())
		}
		made += strings.Count(outputs[i].String(), "\n")
	}
	if made != 7 {
		t.Errorf("%d things were made in all, want 7", made)
	}
	m := parse(t, revocation)
	wantSteps(t, generate(t, m, dir, Options{}))
	verifyAll(t, m, dir, time.Now())
	wantNoTemporaries(t, dir)
}

// TestKilled kills a process in the middle of its work; the next one recovers.
func TestKilled(t *testing.T) {
	m := parse(t, revocation)
	inFolder := []string{"stage ca-key.pem", "stage c.pem", "stage sub-crl.pem", "commit ca-key.pem", "commit ca.pem", "commit c.pem", "commit sub-crl.pem"}
	for _, change := range append(inFolder, "whole: stage ca-key.pem", "whole: stage c.pem", "whole: stage sub-crl.pem", "whole: commit certs") {
		t.Run(change, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "certs")
			change, whole := strings.CutPrefix(change, "whole: ")
			if !whole {
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			process := generateProcess(t, writeManifest(t, revocation), dir)
			process.Env = append(process.Env, certgenHang+"="+change)
			killed := peertest.Start(t, process)
			killed.Await(t, "^hanging$")
			killed.Kill()
			if _, err := os.Lstat(dir); whole && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the folder is there, and not whole: %v", err)
			}
			generate(t, m, dir, Options{})
			wantSteps(t, generate(t, m, dir, Options{}))
			verifyAll(t, m, dir, time.Now())
			wantNoTemporaries(t, dir)
		})
	}
}
