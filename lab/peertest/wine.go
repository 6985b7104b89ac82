package peertest

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

//go:embed testdata/bcryptprimitives.c
var bcryptprimitives []byte

// Wine returns the path of a program that runs a Windows program written in Go,
// under its name without .exe. The Wine prefix that this needs takes ten
// seconds and 700 MB; all is gone when the test ends. Unless Full, the test is
// skipped.
func Wine(t testing.TB, program string) string {
	t.Helper()
	if !Full() {
		t.Skip("takes a minute: set LAB_FULL to run it")
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("Wine is tried on linux/amd64 only")
	}
	Need(t, "wine", "wineboot", "wineserver", "x86_64-w64-mingw32-gcc")
	dir := t.TempDir()
	prefix := filepath.Join(dir, "prefix")
	environment := []string{"HOME=" + dir, "WINEPREFIX=" + prefix, "WINEDEBUG=-all",
		"WINEDLLOVERRIDES=mscoree,mshtml="} // neither .NET nor a browser, which Wine would want to install
	run := func(name string, args ...string) {
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), environment...)
		if err := cmd.Run(); err != nil { // its output would be open as long as what it leaves running
			t.Fatalf("%v: %v", cmd, err)
		}
	}
	source, script := filepath.Join(dir, "bcryptprimitives.c"), filepath.Join(dir, strings.TrimSuffix(filepath.Base(program), ".exe"))
	write(t, source, string(bcryptprimitives))
	write(t, script, fmt.Sprintf("#!/bin/sh\nexec env '%s' wine '%s' \"$@\"\n", strings.Join(environment, "' '"), program))
	if err := os.Mkdir(prefix, 0o700); err != nil {
		t.Fatal(err)
	}
	run("wineserver", "--persistent") // else each program starts one, which takes two seconds
	t.Cleanup(func() {
		run("wineserver", "--kill")
		run("wineserver", "--wait")
	})
	run("wineboot", "--init")
	run("x86_64-w64-mingw32-gcc", "-shared", "-o", filepath.Join(prefix, "drive_c", "windows", "system32", "bcryptprimitives.dll"), source, "-ladvapi32")
	return script
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}

// WindowsPath is the path by which a program in Wine knows an absolute path.
func WindowsPath(path string) string { return "Z:" + strings.ReplaceAll(path, "/", `\`) }
