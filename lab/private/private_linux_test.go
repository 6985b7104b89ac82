package private_test

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"mtlslab.example/lab/lab/private"
)

// TestNoLocks: where files cannot be locked, as on some network file systems,
// there is an error, and nothing is left.
func TestNoLocks(t *testing.T) {
	runtime.LockOSThread() // and never unlocked: the thread ends with the test
	const number, load, equal, answer = 0, unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	filter := []unix.SockFilter{{Code: load, K: number}, {Code: equal, Jf: 1, K: unix.SYS_FLOCK},
		{Code: answer, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOLCK)}, {Code: answer, K: unix.SECCOMP_RET_ALLOW}}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if err == nil {
		err = unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
	}
	if err != nil {
		t.Skip("there is no seccomp here: ", err)
	}
	dir := t.TempDir()
	if _, err := private.MkdirStaging(dir, "certs"); !errors.Is(err, syscall.ENOLCK) {
		t.Errorf("a folder is made: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
