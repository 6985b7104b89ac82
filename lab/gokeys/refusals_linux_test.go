//go:build amd64 || arm64

package gokeys_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// forbidPtrace has a seccomp filter refuse ptrace(2) to this process, as those
// of containers do, or only to be traced (PTRACE_TRACEME).
func forbidPtrace(onlyBeing bool) {
	allow, refuse := uint32(unix.SECCOMP_RET_ALLOW), uint32(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM))
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_PTRACE, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 16}, // its first argument
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.PTRACE_TRACEME, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: refuse},
		{Code: unix.BPF_RET | unix.BPF_K, K: allow},
	}
	if !onlyBeing {
		filter = slices.Delete(filter, 2, 4)
		filter[1].Jf = 1
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	const allThreads = unix.SECCOMP_FILTER_FLAG_TSYNC
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, allThreads, uintptr(unsafe.Pointer(&program))); errno != 0 {
		panic(errno)
	}
}

// TestRefusals: where the system lets nobody trace, the program runs all the
// same, and it is said exactly why its keys cannot be had.
func TestRefusals(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("/var/tmp", "gokeys") // which others can enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	version := write("version", "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016\n")
	for name, c := range map[string]struct {
		env     []string
		said    string
		without bool // without privileges
	}{
		"seccomp": {[]string{"GOKEYS_TEST_SECCOMP=1"}, "a seccomp filter, as containers have, forbids ptrace", false},
		"gVisor":  {[]string{"GOKEYS_TEST_SECCOMP=traceme", "GOKEYS_TEST_SCOPE=/nowhere", "GOKEYS_TEST_VERSION=" + version}, "gVisor lets no program be traced here (", false},
		"scope 2": {[]string{"GOKEYS_TEST_SCOPE=" + write("2", "2\n")}, "kernel.yama.ptrace_scope is 2, so that only root may trace programs: sudo lab exec -- COMMAND", true},
		"scope 3": {[]string{"GOKEYS_TEST_SCOPE=" + write("3", "3\n")}, "kernel.yama.ptrace_scope is 3, so that nobody may trace programs until the next start of the system", false},
	} {
		t.Run(name, func(t *testing.T) {
			server := newReference(t)
			cmd := traced(t, newLog(t), peer(), "call", server.address)
			if c.without {
				if os.Geteuid() != 0 {
					t.Skip("takes root to become another user, who may not trace all")
				}
				cmd = asNobody(t, "sh", "-c", "echo runs")
			}
			cmd.Env = append(cmd.Env, c.env...)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "cannot: "+c.said) {
				t.Errorf("%v: no %q in: %s", err, c.said, out)
			}
			if !c.without && len(server.sorted()) != tls13Lines {
				t.Errorf("the program has not run as without: %s", out)
			}
		})
	}
}

// asNobody is a program that is run by the tracer as another user.
func asNobody(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "gokeys") // which others can enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(self)
	if err == nil {
		err = os.WriteFile(dir+"/self", content, 0o755)
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		err = os.Mkdir(dir+"/log", 0o700)
	}
	if err == nil {
		err = os.Chown(dir+"/log", 65534, 65534)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), dir+"/self", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOKEYS_TEST_LOG="+dir+"/log/keys.log")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return cmd
}

// TestCoreDump: a program that crashes leaves its core, as without.
func TestCoreDump(t *testing.T) {
	t.Parallel()
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if name := bytes.TrimSpace(pattern); err != nil || len(name) == 0 || bytes.ContainsAny(name, "|/%") {
		t.Skipf("cores go elsewhere: %s", pattern)
	}
	dir := t.TempDir()
	cmd := traced(t, newLog(t), "sh", "-c", "ulimit -c unlimited; exec "+peer()+" crash")
	cmd.Dir = dir
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != 134 {
		t.Errorf("status %d: %s", got, out)
	}
	cores, err := filepath.Glob(dir + "/" + string(bytes.TrimSpace(pattern)) + "*")
	if err != nil || len(cores) != 1 {
		t.Fatalf("%v, %v", cores, err)
	}
	core, err := os.ReadFile(cores[0])
	if err != nil || len(core) < 20 || !bytes.HasPrefix(core, []byte("\x7fELF")) || binary.LittleEndian.Uint16(core[16:]) != 4 { // ET_CORE
		t.Errorf("%v: no core", err)
	}
}
