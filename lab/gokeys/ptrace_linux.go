//go:build amd64 || arm64

package gokeys

import (
	"encoding/binary"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// request makes a ptrace(2) request without an address.
func request(request, tid int, data uintptr) error {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), 0, data, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func seize(tid, options int) error { return request(unix.PTRACE_SEIZE, tid, uintptr(options)) }

// detach lets go of a thread that has stopped, with a signal or 0.
func detach(tid int, signal syscall.Signal) error {
	return request(unix.PTRACE_DETACH, tid, uintptr(signal))
}

// wait is wait4(2). -1 stands for any thread.
func wait(tid int, status *syscall.WaitStatus, options int) (int, error) {
	return syscall.Wait4(tid, status, options, nil)
}

// span is memory of a traced program.
type span struct {
	address uint64
	size    uint64
}

// peek fills b with the memory of a stopped thread from spans, whose sizes add
// up to that of b.
func peek(tid int, b []byte, spans ...span) error {
	remote := make([]unix.RemoteIovec, len(spans))
	for i, s := range spans {
		remote[i] = unix.RemoteIovec{Base: uintptr(s.address), Len: int(s.size)}
	}
	local := []unix.Iovec{{Base: unsafe.SliceData(b), Len: uint64(len(b))}}
	if n, err := unix.ProcessVMReadv(tid, local, remote, 0); err == nil && n == len(b) {
		return nil
	}
	for _, s := range spans { // slower, but allowed in some containers where the other is not
		if _, err := syscall.PtracePeekData(tid, uintptr(s.address), b[:s.size]); err != nil {
			return err
		}
		b = b[s.size:]
	}
	return nil
}

// peekWord returns a word of a stopped thread's memory.
func peekWord(tid int, address uint64) (uint64, error) {
	var b [8]byte
	err := peek(tid, b[:], span{address, 8})
	return binary.NativeEndian.Uint64(b[:]), err
}

// poke writes to the memory of a stopped thread.
func poke(tid int, address uint64, b []byte) error {
	_, err := syscall.PtracePokeText(tid, uintptr(address), b)
	return err
}

// action is a struct sigaction as the kernel has it (rt_sigaction(2)).
type action struct{ handler, flags, restorer, mask uint64 }

// changeAction changes what this process does with a signal, in ways that
// Go's os/signal does not offer. It returns what it did before.
func changeAction(signal syscall.Signal, change func(*action)) (before action) {
	call := func(set, get unsafe.Pointer) {
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signal), uintptr(set), uintptr(get), unsafe.Sizeof(before.mask), 0, 0) // neither argument can be wrong
	}
	call(nil, unsafe.Pointer(&before))
	after := before
	change(&after)
	call(unsafe.Pointer(&after), nil)
	return before
}

// quietStops spares this process a signal for each stop of a traced thread, and
// lets a signal to the tracer's thread interrupt its wait.
func quietStops() {
	const restart, noStops = 0x10000000, 1 // SA_RESTART, SA_NOCLDSTOP
	changeAction(unix.SIGCHLD, func(a *action) { a.flags = a.flags&^restart | noStops })
}

// onFreshThread calls f on a thread of its own that has started no process: its
// waits would take the end of one from who waits for it.
func onFreshThread(f func(thread int)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := unix.Gettid()
	children, err := os.ReadFile("/proc/thread-self/children")
	if err != nil || len(children) == 0 {
		f(thread)
		return
	}
	done := make(chan struct{})
	go func() { // on another, since this one is locked
		defer close(done)
		onFreshThread(f)
	}()
	<-done
}
