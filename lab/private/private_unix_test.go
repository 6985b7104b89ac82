//go:build unix

package private_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mtlslab.example/lab/lab/private"
)

const nobody = 65534

func TestOpenFileModes(t *testing.T) {
	dir := t.TempDir()
	defer syscall.Umask(syscall.Umask(0))
	path := filepath.Join(dir, "new")
	if err := private.WriteFile(path, []byte("a secret")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("a new file: %v, %v", info.Mode(), err)
	}
	loose := filepath.Join(dir, "loose")
	write(t, loose, "", 0o666)
	file, err := private.OpenFile(loose, os.O_WRONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if info, err := os.Stat(loose); err != nil || info.Mode() != 0o666 {
		t.Errorf("what is only opened: %v, %v", info.Mode(), err)
	}
	if err := private.Narrow(file); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(loose); err != nil || info.Mode() != 0o600 {
		t.Errorf("what is narrowed: %v, %v", info.Mode(), err)
	}
}

func TestOpenFileRefuses(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := private.OpenFile(fifo, os.O_WRONLY); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("a FIFO that nobody reads: %v", err)
	}
	if file, err := private.OpenFile("/dev/null", os.O_WRONLY); err != nil {
		t.Errorf("a device: %v", err)
	} else {
		file.Close()
	}
	if os.Geteuid() != 0 {
		t.Skip("the rest needs root, to have files of others")
	}
	theirs := filepath.Join(dir, "theirs")
	write(t, theirs, "", 0o666)
	for _, path := range []string{theirs, fifo} {
		if err := os.Lchown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, path, "belongs to somebody else")
	}
	if info, err := os.Stat(theirs); err != nil || info.Mode() != 0o666 {
		t.Errorf("it was changed: %v, %v", info.Mode(), err)
	}
}

// TestOpenFileIsOneOpen: while another process swaps the file for a link, the
// file is opened or refused, and what the link leads to stays as it is.
func TestOpenFileIsOneOpen(t *testing.T) {
	dir := t.TempDir()
	path, link, target := filepath.Join(dir, "keys.log"), filepath.Join(dir, "link"), filepath.Join(dir, "target")
	write(t, path, "", 0o600)
	write(t, target, "", 0o644)
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		swap := filepath.Join(dir, "swap")
		for {
			select {
			case <-stop:
				return
			default:
				_ = errors.Join(os.Rename(path, swap), os.Rename(link, path), os.Rename(swap, link))
			}
		}
	}()
	opened, refused := 0, 0
	for opened+refused < 2000 {
		file, err := private.OpenFile(path, os.O_RDWR|os.O_APPEND)
		var unsafe *private.UnsafeError
		switch {
		case err == nil:
			opened++
			_, err = file.WriteString("a secret\n")
			if err := errors.Join(err, private.Narrow(file), file.Close()); err != nil {
				t.Fatal(err)
			}
		case errors.As(err, &unsafe):
			refused++
		case !errors.Is(err, fs.ErrNotExist): // in the middle of a swap
			t.Fatal(err)
		}
	}
	close(stop)
	<-stopped
	if info, err := os.Stat(target); err != nil || info.Size() > 0 || info.Mode() != 0o644 {
		t.Errorf("of %d opens %d were refused, and the target is %v, %v", opened+refused, refused, info, err)
	}
}

func TestDescriptor(t *testing.T) {
	for path, want := range map[string]int{"/dev/stdout": 1, "/dev//stderr": 2, "/dev/fd/63": 63, "/proc/self/fd/3": 3} {
		if fd, ok := private.Descriptor(path); !ok || fd != want {
			t.Errorf("%s: %d, %v", path, fd, ok)
		}
	}
	for _, path := range []string{"/dev/null", "/dev/fd/", "/dev/fd/x", "/dev/fd/-1", "/dev/fd/1/x", "/proc/1/fd/1", "dev/fd/1", "keys.log"} {
		if fd, ok := private.Descriptor(path); ok {
			t.Errorf("%s: %d", path, fd)
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	file, err := private.OpenFile(fmt.Sprintf("/dev/fd/%d", w.Fd()), os.O_WRONLY)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("x"); err != nil {
		t.Error(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	if _, err := w.WriteString("x"); err != nil {
		t.Errorf("the descriptor itself was closed: %v", err)
	}
}

func TestCheckFolder(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(base, 0o700); err != nil {
		t.Fatal(err)
	}
	folder := func(name string, mode fs.FileMode) string {
		t.Helper()
		path := filepath.Join(base, name)
		if err := errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	check := func(path, unsafe string) {
		t.Helper()
		real, err := private.CheckFolder(path)
		var refused *private.UnsafeError
		if unsafe == "" && (err != nil || strings.Contains(real, "link")) {
			t.Errorf("%s: %s, %v", path, real, err)
		}
		if unsafe != "" && (!errors.As(err, &refused) || refused.Path != unsafe || !refused.Folder) {
			t.Errorf("%s: %v, and not that %s is unsafe", path, err, unsafe)
		}
	}
	check(folder("own", 0o755), "")
	open := folder("open", 0o777)
	check(open, open)
	check(folder("open/below", 0o700), open)
	group := folder("group", 0o770)
	check(group, group)
	check(folder("sticky", 0o777|fs.ModeSticky), "")
	check(folder("sticky/below", 0o700), "")
	for link, to := range map[string]string{"link-own": "own", "link-open": "open"} {
		if err := os.Symlink(to, filepath.Join(base, link)); err != nil {
			t.Fatal(err)
		}
	}
	check(filepath.Join(base, "link-own"), "")
	check(filepath.Join(base, "link-open"), open)
	if dir, err := private.MkdirAll(filepath.Join(base, "link-own", "new", "deep")); err != nil || dir != filepath.Join(base, "own", "new", "deep") {
		t.Errorf("making folders: %s, %v", dir, err)
	}
	if _, err := private.MkdirAll(filepath.Join(base, "link-open", "new", "deep")); err == nil {
		t.Error("folders were made where others can write")
	}
	if _, err := os.Lstat(filepath.Join(open, "new")); err == nil {
		t.Error("a folder was made where others can write")
	}
	if err := os.Symlink("nowhere", filepath.Join(base, "dangling")); err != nil {
		t.Fatal(err)
	}
	if dir, err := private.MkdirAll(filepath.Join(base, "dangling", "new")); err == nil {
		t.Errorf("made through a link that leads nowhere: %s", dir)
	}
	if os.Geteuid() != 0 {
		t.Skip("the rest needs root, to have folders of others")
	}
	theirs := folder("theirs", 0o755)
	if err := os.Chown(theirs, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	check(theirs, theirs)
	check(folder("theirs/below", 0o700), theirs)
	if _, err := private.MkdirTemp(open, "exec"); err == nil {
		t.Error("a folder for secrets was made where others can replace it")
	}
}
