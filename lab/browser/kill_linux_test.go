package browser

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/private"
)

// TestMain lets this test binary stand in for a lab that opens a browser.
func TestMain(m *testing.M) {
	if browser := os.Getenv("LAB_TEST_BROWSER"); browser != "" {
		b := &Browser{Family: Firefox, Path: browser, nss: nssTools{"true", "true"}}
		_ = b.Open(context.Background(), Options{URL: &url.URL{Scheme: "https", Host: "localhost"}})
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestKilled: when lab is killed, its browser ends too, and the next run
// removes the profile.
func TestKilled(t *testing.T) {
	peertest.Need(t, "sh", "true")
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", dir)
	browser := filepath.Join(dir, "browser")
	script := "#!/bin/sh\necho $$ >" + dir + "/pid.new\nmv " + dir + "/pid.new " + dir + "/pid\nexec sleep 600\n"
	if err := os.WriteFile(browser, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	lab := exec.Command(os.Args[0])
	lab.Env = append(os.Environ(), "LAB_TEST_BROWSER="+browser)
	if err := lab.Start(); err != nil {
		t.Fatal(err)
	}
	defer lab.Wait()
	defer lab.Process.Kill()
	var text []byte
	peertest.Eventually(t, "the browser to run", func() (ok bool) {
		var err error
		text, err = os.ReadFile(filepath.Join(dir, "pid"))
		return err == nil
	})
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	profiles := func() []string {
		found, _ := filepath.Glob(filepath.Join(dir, "lab-browser-*"))
		return found
	}
	if private.Tidy(); len(profiles()) != 1 {
		t.Fatalf("profiles of a browser that runs: %v", profiles())
	}
	if err := lab.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	peertest.Eventually(t, "the browser to end", func() bool { return syscall.Kill(pid, 0) != nil || isZombie(pid) })
	peertest.Eventually(t, "its profile to be free", func() bool {
		private.Tidy()
		return len(profiles()) == 0
	})
}

// isZombie reports whether a process has ended and nobody has asked how yet.
func isZombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(stat), ") Z ")
}
