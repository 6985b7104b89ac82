package atomicfile_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mtlslab.example/lab/certgen/atomicfile"
)

// In place of a regular file only, and nothing is left beside it.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "client.p12")
	for _, text := range []string{"old and long", "new"} {
		if err := atomicfile.Write(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(file); err != nil || string(data) != text {
			t.Errorf("got %q, %v", data, err)
		}
	}
	wantMode(t, file, 0o600)
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	var way *atomicfile.NotRegularError
	if err := atomicfile.Write(filepath.Join(dir, "folder"), nil, 0o600); !errors.As(err, &way) || way.Is != "a directory" {
		t.Errorf("got %v", err)
	}
	for _, mode := range []fs.FileMode{0o600, 0o644} {
		missing := filepath.Join(dir, "none", "file")
		if err := atomicfile.Write(missing, nil, mode); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing+":") {
			t.Errorf("into a folder that does not exist: %v", err)
		}
	}
	wantEntries(t, dir, 2)
}

// A symbolic link is not written through, and stays.
func TestWriteOverALink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	var way *atomicfile.NotRegularError
	if err := atomicfile.Write(link, []byte("new"), 0o600); !errors.As(err, &way) || way.Is != "a symbolic link" {
		t.Errorf("got %v", err)
	}
	if data, err := os.ReadFile(link); err != nil || string(data) != "kept" {
		t.Errorf("%q, %v", data, err)
	}
}

// Of several that write one file, one does, and nothing is left beside it.
func TestWriteNew(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "ech.pem")
	errs := make(chan error)
	for i := range 8 {
		go func() { errs <- atomicfile.WriteNew(file, bytes.Repeat([]byte{'0' + byte(i)}, 1000), 0o644) }()
	}
	written := 0
	for range 8 {
		switch err := <-errs; {
		case err == nil:
			written++
		case !errors.Is(err, fs.ErrExist):
			t.Error(err)
		}
	}
	if data, err := os.ReadFile(file); written != 1 || err != nil || len(data) != 1000 || len(bytes.Trim(data, string(data[:1]))) > 0 {
		t.Errorf("%d have written it: %.20q, %v", written, data, err)
	}
	wantMode(t, file, 0o644)
	wantEntries(t, dir, 1)
}

func wantMode(t *testing.T, file string, mode fs.FileMode) {
	t.Helper()
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode() != mode {
		t.Errorf("%v, %v, not %v", info.Mode(), err, mode)
	}
}

func wantEntries(t *testing.T, dir string, n int) {
	t.Helper()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != n {
		t.Errorf("%d files should be there: %v, %v", n, entries, err)
	}
}
