package certgen

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// parse returns the manifest in text.
func parse(t testing.TB, text string) *Manifest {
	t.Helper()
	m, err := Parse("certs.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// generate makes what dir lacks and returns the steps in words.
func generate(t testing.TB, m *Manifest, dir string, o Options) []string {
	t.Helper()
	plan, err := Generate(context.Background(), m, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return words(plan)
}

func words(plan *Plan) []string {
	var steps []string
	for _, s := range plan.Steps {
		steps = append(steps, s.String())
	}
	return steps
}

// at is a clock that stands still.
func at(now time.Time) Options { return Options{Now: func() time.Time { return now }} }

// wantSteps compares steps in words.
func wantSteps(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("steps:\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// snapshot returns the contents, mode and modification time of every file.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = info.ModTime().String() + info.Mode().String() + string(data)
	}
	return files
}

// verifyAll fails the test on the first fault.
func verifyAll(t testing.TB, m *Manifest, dir string, now time.Time) {
	t.Helper()
	for c, err := range Verify(m, dir, now) {
		if err != nil {
			t.Errorf("verify %v: %v", c, err)
		}
	}
}
