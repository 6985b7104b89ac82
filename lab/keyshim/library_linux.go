package keyshim

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

//go:embed shim/keyshim.c
var source []byte

// Library returns the path of the shim and, on first use, builds it with $CC or cc in the user's cache folder. Its
// name there has a hash of its source and the machine, so that a shim that is there is the right one. It fails with a
// *NoCompilerError, or an *UnsafeError if somebody else could replace what is in that folder.
//
// On other systems than Linux there is no shim, and the path is "".
func Library(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "lab")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for _, d := range []string{dir, cache} {
		if err := checkOwn(d); err != nil {
			return "", err
		}
	}
	if strings.ContainsAny(dir, " :") {
		return "", fmt.Errorf("the loader cannot read a path with a space or a colon: %s", dir)
	}
	path := filepath.Join(dir, fmt.Sprintf("keyshim-%.8x-%s.so", sha256.Sum256(source), runtime.GOARCH))
	if _, err = os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		err = build(ctx, path)
	}
	if err != nil {
		return "", err
	}
	return path, nil
}

// build compiles the shim under a temporary name, so that path is whole whenever it is there.
func build(ctx context.Context, path string) error {
	compiler := cmp.Or(os.Getenv("CC"), "cc")
	if _, err := exec.LookPath(compiler); err != nil {
		return &NoCompilerError{Compiler: compiler, Err: errors.Unwrap(err)}
	}
	whole, err := os.CreateTemp(filepath.Dir(path), ".keyshim-*")
	if err != nil {
		return err
	}
	defer os.Remove(whole.Name()) // nothing is there after the rename
	if err := whole.Close(); err != nil {
		return err
	}
	cc := exec.CommandContext(ctx, compiler, "-O2", "-shared", "-fPIC", "-fvisibility=hidden",
		"-o", whole.Name(), "-x", "c", "-", "-x", "none", "-ldl")
	cc.Stdin = bytes.NewReader(source)
	if out, err := cc.CombinedOutput(); err != nil {
		return &NoCompilerError{Compiler: compiler, Err: fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))}
	}
	if err := os.Chmod(whole.Name(), 0o700); err != nil {
		return err
	}
	return os.Rename(whole.Name(), path)
}

// checkOwn makes sure that dir is a folder of the user that nobody else can write to.
func checkOwn(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if stat := info.Sys().(*syscall.Stat_t); int(stat.Uid) != os.Geteuid() {
		return &UnsafeError{dir, "belongs to somebody else"}
	}
	if !info.IsDir() {
		return &UnsafeError{dir, "is not a folder"}
	}
	if info.Mode().Perm()&0o022 != 0 {
		return &UnsafeError{dir, "can be written to by others"}
	}
	return nil
}
