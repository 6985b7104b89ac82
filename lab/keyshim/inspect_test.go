package keyshim

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/private"
)

func TestInspect(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if obstacle, file := Inspect(self); obstacle != Nothing || file != self {
		t.Errorf("%s, a Go program that names $SSLKEYLOGFILE: %v", file, obstacle)
	}
	goCommand, err := exec.LookPath("go")
	if err != nil {
		peertest.Missing(t, "needs go: %v", err)
	}
	if obstacle, file := Inspect(goCommand); obstacle != Go || file != goCommand {
		t.Errorf("%s, another Go program: %v", file, obstacle)
	}
	if runtime.GOOS != "linux" {
		t.Skip("the rest is about Linux")
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	if err := os.Symlink(goCommand, filepath.Join(dir, "selfmade")); err != nil {
		t.Fatal(err)
	}
	write("loop", "#!"+filepath.Join(dir, "loop")+"\n")
	foreign := []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00" + // 64 bits, little-endian
		"\x02\x00\x00\x00\x01\x00\x00\x00") // an executable for no processor
	foreign = append(foreign, make([]byte, 64-len(foreign))...)
	foreign[52], foreign[54], foreign[58] = 64, 56, 64
	static := append(bytes.Clone(foreign), make([]byte, 64)...) // with a section header
	static[40], static[60] = 64, 1
	stripped, err := os.ReadFile(goCommand)
	if err != nil {
		t.Fatal(err)
	}
	copy(stripped[40:48], make([]byte, 8)) // e_shoff
	copy(stripped[60:64], make([]byte, 4)) // e_shnum, e_shstrndx
	for name, want := range map[string]struct {
		text     string
		obstacle Obstacle
	}{
		"direct":      {"#!" + goCommand + "\n", Go},
		"arguments":   {"#! " + goCommand + " -x\n", Go},
		"env":         {"#!/usr/bin/env selfmade\n", Go},
		"env -S":      {"#!/usr/bin/env -S A=b selfmade -x\n", Go},
		"nested":      {"#!" + write("inner", "#!"+goCommand+"\n") + "\n", Go},
		"shell":       {"#!/bin/sh\n", Nothing},
		"loops":       {"#!" + filepath.Join(dir, "loop") + "\n", Nothing},
		"no line end": {"#!" + goCommand, Go},
		"empty":       {"", Nothing},
		"bare":        {"#!\n", Nothing},
		"text":        {"hello\n", Nothing},
		"static":      {string(static), Static},
		"packed":      {string(foreign), Unknown},
		"no sections": {string(stripped), Go},
		"own log":     {string(foreign) + string(make([]byte, 1<<20-70)) + "SSLKEYLOGFILE", Nothing},
	} {
		if got, file := Inspect(write("script", want.text)); got != want.obstacle {
			t.Errorf("%s: %d of %s, not %d", name, got, file, want.obstacle)
		}
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		peertest.Missing(t, "needs sh: %v", err)
	}
	program, err := os.ReadFile(sh)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := Inspect(write("copy", string(program))); got != Nothing {
		t.Errorf("a shell: %d", got)
	}
	program[18] ^= 0xff // e_machine
	if got, _ := Inspect(write("foreign", string(program))); got != Foreign {
		t.Errorf("a shell for another processor: %d", got)
	}
	for _, mode := range []os.FileMode{os.ModeSetuid, os.ModeSetgid} {
		path := write(mode.String(), string(program))
		if err := os.Chmod(path, 0o700|mode); err != nil {
			t.Fatal(err)
		}
		if got, _ := Inspect(path); got != Foreign {
			t.Errorf("%v, which owns it already: %d", mode, got)
		}
		if os.Getuid() != 0 || runtime.GOOS != "linux" {
			continue
		}
		if err := errors.Join(os.Chown(path, 65534, 65534), os.Chmod(path, 0o755|mode)); err != nil {
			t.Fatal(err)
		}
		if got, _ := Inspect(path); got != Privileged {
			t.Errorf("%v, to somebody else: %d", mode, got)
		}
	}
	if got, _ := Inspect(write("java", "#!/bin/sh -e\n")); got != Nothing {
		t.Errorf("a script called java: %d", got)
	}
	if got, _ := Inspect(write("java", string(program))); got != Java {
		t.Errorf("java: %d", got)
	}
}

func TestEnvironment(t *testing.T) {
	got := Environment([]string{"A=b", "SSLKEYLOGFILE=x", "SSLKEYLOGFILE=y", "NODE_OPTIONS=--no-warnings", "LD_PRELOAD=/other.so"}, `/a "b`, "/shim.so")
	want := []string{"A=b", `SSLKEYLOGFILE=/a "b`, `NODE_OPTIONS=--no-warnings "--tls-keylog=/a \"b"`, "LD_PRELOAD=/shim.so /other.so"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	got = Environment([]string{"LD_PRELOAD=/other.so"}, "/log", "")
	if want := []string{"LD_PRELOAD=/other.so", "SSLKEYLOGFILE=/log", `NODE_OPTIONS="--tls-keylog=/log"`}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestPrepareLog(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	path, err := PrepareLog("keys.log")
	if err != nil || !filepath.IsAbs(path) {
		t.Fatalf("%q, %v", path, err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := PrepareLog(path); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := os.WriteFile("text", []byte("not a key log\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var notLog *keylog.NotKeyLogError
	if _, err := PrepareLog("text"); !errors.As(err, &notLog) {
		t.Errorf("a text: %v", err)
	}
	var unsafe *private.UnsafeError
	if _, err := PrepareLog(os.DevNull); runtime.GOOS != "windows" && !errors.As(err, &unsafe) {
		t.Errorf("a device: %v", err)
	}
	if err := os.Symlink("keys.log", "link"); err != nil {
		t.Skipf("no symbolic links: %v", err)
	}
	if _, err := PrepareLog("link"); !errors.As(err, &unsafe) {
		t.Errorf("a symbolic link: %v", err)
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, err := PrepareLog(path); !errors.As(err, &unsafe) {
		t.Errorf("somebody else's: %v", err)
	}
}
