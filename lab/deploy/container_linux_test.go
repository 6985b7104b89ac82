package deploy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"mtlslab.example/lab/lab/peertest"
)

// container is how a program is run in the root file system of an image: as a
// runtime does it for a container that is restricted.
type container struct {
	Root   string
	Mounts map[string]string // folders, by where they are seen; those that end in ":ro" are not written to
	Args   []string
}

const (
	user         = 65532 // as which containers run
	containerEnv = "LAB_TEST_CONTAINER"
)

// TestMain lets this test binary stand in for a container runtime.
func TestMain(m *testing.M) {
	if spec := os.Getenv(containerEnv); spec != "" {
		fmt.Fprintln(os.Stderr, "container:", contain(spec)) // it returns only if it fails
		os.Exit(125)
	}
	os.Exit(m.Run())
}

// contain becomes the program of a container. The process has a mount namespace
// of its own.
func contain(spec string) error {
	var c container
	err := errors.Join(json.Unmarshal([]byte(spec), &c), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	bind := func(from, to string, readOnly bool) {
		err = errors.Join(err, unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""))
		if readOnly {
			err = errors.Join(err, unix.Mount("", to, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
		}
	}
	bind(c.Root, c.Root, true)
	for at, folder := range c.Mounts {
		place, readOnly := strings.CutSuffix(at, ":ro")
		bind(folder, filepath.Join(c.Root, place), readOnly)
	}
	err = errors.Join(err, unix.Chroot(c.Root), unix.Chdir("/lab"), unix.Setgroups([]int{user}), unix.Setresgid(user, user, user),
		unix.Setresuid(user, user, user), unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	if err != nil {
		return err
	}
	return unix.Exec("/usr/bin/lab", append([]string{"lab"}, c.Args...), []string{"PATH=/usr/bin"})
}

// command is what runs the container.
func (c container) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c.Args = args
	spec, err := json.Marshal(c)
	must(t, err)
	for at := range c.Mounts { // a runtime makes them before it mounts the root
		must(t, os.MkdirAll(filepath.Join(c.Root, strings.TrimSuffix(at, ":ro")), 0o755))
	}
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), containerEnv+"="+string(spec))
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	return cmd
}

// run runs the container until it ends, and returns what it printed.
func (c container) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.command(t, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("lab %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// ownNetwork moves the test, and what it starts, into a network namespace.
func ownNetwork(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for namespaces and chroot")
	}
	peertest.Need(t, "ip")
	runtime.LockOSThread() // and never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		t.Skipf("needs namespaces: %v", err)
	}
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(t, exec.Command("ip", "link", "set", "lo", "up").Run())
}

// writableFolder is a volume as the user of the image has it.
func writableFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, os.Chown(dir, user, user))
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
