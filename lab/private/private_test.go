package private_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"mtlslab.example/lab/lab/private"
)

// write makes a file with that content.
func write(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, []byte(content), mode), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

// wantRefused opens a path for appending, which must be refused.
func wantRefused(t *testing.T, path, problem string) {
	t.Helper()
	file, err := private.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE)
	if err == nil {
		file.Close()
	}
	var unsafe *private.UnsafeError
	if !errors.As(err, &unsafe) || unsafe.Path != path || unsafe.Problem != problem {
		t.Errorf("%v, and not that it %s", err, problem)
	}
}

func TestOpenFileAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for range 2 {
		file, err := private.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString("line\n"); err != nil {
			t.Error(err)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "line\nline\n" {
		t.Errorf("%q, %v", got, err)
	}
	if err := private.WriteFile(path, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a new file over one that is there: %v", err)
	}
}

func TestOpenFileRefusesLinks(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.Symlink(target, link); err != nil {
		t.Skipf("no symbolic links: %v", err)
	}
	if _, err := os.Lstat(link); err != nil {
		t.Skipf("symbolic links that are none, as under Wine: %v", err)
	}
	wantRefused(t, link, "is a symbolic link")
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a file was made through the link")
	}
	write(t, target, "", 0o644)
	wantRefused(t, link, "is a symbolic link")
	second := filepath.Join(dir, "second")
	if err := os.Link(target, second); err != nil {
		t.Skipf("no hard links: %v", err)
	}
	wantRefused(t, second, "has a second name (a hard link)")
}

// TestTempDirTidies: a folder in use stays, and what a killed run has left
// goes; and nothing else.
func TestTempDirTidies(t *testing.T) {
	parent := t.TempDir()
	if err := os.Chmod(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	newDir := func() *private.TempDir {
		t.Helper()
		d, err := private.MkdirTemp(parent, "exec")
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(d.Path, "keys.log"), "a secret", 0o600)
		return d
	}
	there := func(path string) bool {
		_, err := os.Lstat(path)
		return err == nil
	}
	var others []string // that look like one
	for _, name := range []string{"lab-exec-1", "lab-exec-mine", "other-exec-2"} {
		path := filepath.Join(parent, name)
		if err := os.MkdirAll(filepath.Join(path, "sub"), 0o700); err != nil {
			t.Fatal(err)
		}
		if name != "lab-exec-1" {
			write(t, filepath.Join(path, ".in-use"), "", 0o600)
		}
		others = append(others, path)
	}
	linked := newDir()
	killed, living := newDir(), newDir()
	for _, d := range []*private.TempDir{killed, linked} {
		d.Lock.Close() // as the kernel does when it ends a process
	}
	away := filepath.Join(t.TempDir(), "away")
	if err := os.Rename(linked.Path, away); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(away, linked.Path); err != nil {
		t.Logf("no symbolic links: %v", err)
	}
	last := newDir()
	if there(killed.Path) {
		t.Error("what a killed run left is there")
	}
	for _, path := range append(others, filepath.Join(living.Path, "keys.log"), filepath.Join(last.Path, "keys.log"), filepath.Join(away, "keys.log")) {
		if !there(path) {
			t.Errorf("%s is gone", path)
		}
	}
	for _, d := range []*private.TempDir{living, last} {
		if err := d.Remove(); err != nil || there(d.Path) {
			t.Errorf("removing: %v", err)
		}
	}
}

// What is made in a staging folder stays when it is kept, and goes when the run
// was killed before.
func TestStagingTidies(t *testing.T) {
	parent := t.TempDir()
	staging := func() *private.TempDir {
		t.Helper()
		d, err := private.MkdirStaging(parent, "export")
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(d.Path, "key.pem"), "a secret", 0o600)
		return d
	}
	killed, kept := staging(), staging()
	killed.Lock.Close() // as the kernel does when it ends a process
	if err := kept.Keep(); err != nil {
		t.Fatal(err)
	}
	last := staging()
	defer last.Remove()
	if _, err := os.Lstat(killed.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a killed run left is there: %v", err)
	}
	if entries, err := os.ReadDir(kept.Path); err != nil || len(entries) != 1 {
		t.Errorf("what was kept has %v, %v", entries, err)
	}
}
