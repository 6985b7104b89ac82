package keyshim

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"mtlslab.example/lab/lab/private"
)

//go:embed shim/keyshim.c
var opensslSource string

//go:embed shim/java.c
var javaSource string

//go:embed shim/connect.c
var connectSource string

// source returns that of the shim, as one file.
func source() string {
	return opensslSource + "#line 1 \"java.c\"\n" + javaSource + "#line 1 \"connect.c\"\n" + connectSource
}

// Library returns the path of the shim. On first use it is built with $CC or cc
// and kept in the user's cache folder. If somebody else could write there, or
// the loader cannot read its path, the shim is built in a folder for temporary
// files, for this run alone. remove is to be called when no program needs it
// any more.
//
// It fails with a *NoCompilerError, or a *private.UnsafeError if there is no
// safe folder at all.
//
// On other systems than Linux there is no shim, and the path is "".
func Library(ctx context.Context) (path string, remove func(), err error) {
	if dir, err := cacheFolder(); err == nil {
		if path, err = cached(ctx, dir); err == nil {
			return path, func() {}, nil
		}
		if noCompiler := (*NoCompilerError)(nil); errors.As(err, &noCompiler) {
			return "", nil, err
		}
	}
	dir, err := private.MkdirTemp("", "shim")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = dir.Remove() }
	if err := checkReadable(dir.Path); err != nil {
		remove()
		return "", nil, err
	}
	path = filepath.Join(dir.Path, "keyshim.so")
	if err := build(ctx, path); err != nil {
		remove()
		return "", nil, err
	}
	return path, remove, nil
}

// cacheFolder makes the folder that shims are kept in, and returns its path if
// nobody else can write there.
func cacheFolder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir, err := private.MkdirAll(filepath.Join(cache, "lab"))
	if err != nil {
		return "", err
	}
	return dir, checkReadable(dir)
}

// checkReadable refuses a path that $LD_PRELOAD cannot hold.
func checkReadable(dir string) error {
	if strings.ContainsAny(dir, " :") {
		return fmt.Errorf("the loader cannot read a path with a space or a colon: %s", dir)
	}
	return nil
}

// cached returns the path of the shim in dir, and builds it where there is none
// that is whole. Its name there has a hash of its source, the machine, and a
// hash of its content.
func cached(ctx context.Context, dir string) (string, error) {
	stem := fmt.Sprintf("keyshim-%.8x-%s-", sha256.Sum256([]byte(source())), runtime.GOARCH)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), stem) {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		if sum, err := hashOf(path); err == nil && entry.Name() == stem+sum+".so" {
			return path, nil
		}
		_ = os.Remove(path) // damaged, or somebody else's
	}
	building, err := private.MkdirTemp(dir, "build")
	if err != nil {
		return "", err
	}
	defer building.Remove()
	whole := filepath.Join(building.Path, "keyshim.so")
	if err := build(ctx, whole); err != nil {
		return "", err
	}
	sum, err := hashOf(whole)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, stem+sum+".so")
	return path, os.Rename(whole, path)
}

// hashOf returns a hash, in hexadecimal, of a library that only the user can
// have written.
func hashOf(path string) (string, error) {
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm()&0o022 != 0 {
		return "", &private.UnsafeError{Path: path, Problem: "can be written to by others"}
	}
	file, err := private.OpenFile(path, os.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer file.Close()
	content := sha256.New()
	if _, err := file.WriteTo(content); err != nil {
		return "", err
	}
	return fmt.Sprintf("%.16x", content.Sum(nil)), nil
}

// build compiles the shim to path.
func build(ctx context.Context, path string) error {
	compiler := cmp.Or(os.Getenv("CC"), "cc")
	if _, err := exec.LookPath(compiler); err != nil {
		return &NoCompilerError{Compiler: compiler, Err: errors.Unwrap(err)}
	}
	cc := exec.CommandContext(ctx, compiler, "-O2", "-shared", "-fPIC", "-fvisibility=hidden",
		"-o", path, "-x", "c", "-", "-x", "none", "-ldl")
	cc.Stdin = strings.NewReader(source())
	if out, err := cc.CombinedOutput(); err != nil {
		return &NoCompilerError{Compiler: compiler, Err: fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))}
	}
	return os.Chmod(path, 0o700)
}
