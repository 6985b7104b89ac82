//go:build amd64 || arm64

package gokeys

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"mtlslab.example/lab/lab/text"
)

// attach seizes all threads of root, a program that runs, and stops them. The
// first to stop sets the breakpoints; none waits for another.
func (t *Trace) attach() error {
	if err := obstacle(); err != nil {
		return err
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", t.root)); err != nil {
		return &SystemError{Why: fmt.Sprintf("there is no process %d", t.root)}
	}
	if isAncestor(t.root) {
		return &SystemError{Why: fmt.Sprintf("process %d has started this one, and would be killed with it: attach from elsewhere", t.root)}
	}
	f, err := t.executable(t.root)
	switch {
	case err != nil:
		return t.unseized(t.root, err)
	case f.err != nil:
		return &ProgramError{f.path, f.err.Error()}
	case !f.hasSecrets():
		return &ProgramError{f.path, "is not a Go program with crypto/tls"}
	}
	image, err := t.place(t.root, f)
	if err != nil {
		return t.unseized(t.root, err)
	}
	if err := t.seizeThreads(image); err != nil {
		t.leave() // those that were seized would be killed with lab
		t.follow()
		return err
	}
	for tid := range t.tasks { // any may end, or wait for a disk, before it stops
		_ = unix.PtraceInterrupt(tid)
	}
	for !image.prepared && len(t.tasks) > 0 && t.next() {
	}
	return nil
}

// isAncestor reports whether a process has started this one, or one that has.
func isAncestor(pid int) bool {
	for at := os.Getpid(); at > 0; {
		if at == pid {
			return true
		}
		found := parentPid().FindSubmatch(statusOf(at))
		if found == nil {
			return false
		}
		at, _ = strconv.Atoi(string(found[1]))
	}
	return false
}

// seizeThreads seizes the threads that root has. Those that they start are
// traced from the start. A thread that is not traced may start another and end
// before it can be seized, and the kernel lists no more threads once the one
// that it was at has ended: so it lists them until there is nothing new.
func (t *Trace) seizeThreads(image *image) error {
	ended := make(map[int]bool)
	for more := true; more; {
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", t.root))
		if err != nil {
			return &SystemError{Why: fmt.Sprintf("process %d has ended", t.root)}
		}
		more = len(threads) < t.threads()
		for _, thread := range threads {
			tid, err := strconv.Atoi(thread.Name())
			if err != nil || t.tasks[tid] != nil || ended[tid] {
				continue
			}
			switch err := seize(tid, follows|unix.PTRACE_O_EXITKILL); {
			case err == nil:
				t.tasks[tid] = &task{image: image}
				more = true
			case hasEnded(tid):
				ended[tid], more = true, true
			case !t.traces(tid): // a breakpoint would kill it
				return t.unseized(tid, err)
			}
		}
	}
	if len(t.tasks) == 0 {
		return &SystemError{Why: fmt.Sprintf("process %d has ended", t.root)}
	}
	return nil
}

// threads returns the number of threads of root.
func (t *Trace) threads() int {
	found := threadCount().FindSubmatch(statusOf(t.root))
	if found == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(found[1]))
	return n
}

// traces reports whether t traces a thread, since one that was seized has
// started it.
func (t *Trace) traces(tid int) bool {
	found := tracerPid().FindSubmatch(statusOf(tid))
	return found != nil && string(found[1]) == strconv.Itoa(t.thread)
}

// hasEnded reports whether a thread has ended, even if its process has not.
func hasEnded(tid int) bool {
	status := statusOf(tid)
	return len(status) == 0 || zombie().Match(status)
}

// isMain reports whether a thread is the first one of its process.
func isMain(tid int) bool { return processOf(tid) == tid }

// processOf returns the process of a thread, or 0.
func processOf(tid int) int {
	found := tgid().FindSubmatch(statusOf(tid))
	if found == nil {
		return 0
	}
	pid, _ := strconv.Atoi(string(found[1]))
	return pid
}

// statusOf returns proc_pid_status(5) of a thread, or nothing if it has ended.
func statusOf(tid int) []byte {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	return status
}

// Fields of proc_pid_status(5).
var (
	tgid        = text.Pattern(`(?m)^Tgid:\t([0-9]+)$`)
	zombie      = text.Pattern(`(?m)^State:\t[ZX]`)
	tracerPid   = text.Pattern(`(?m)^TracerPid:\t([1-9][0-9]*)$`)
	threadCount = text.Pattern(`(?m)^Threads:\t([0-9]+)$`)
	parentPid   = text.Pattern(`(?m)^PPid:\t([0-9]+)$`)
)

// unseized says why root cannot be traced, for the error of one of its threads.
func (t *Trace) unseized(tid int, err error) error {
	if found := tracerPid().FindSubmatch(statusOf(tid)); found != nil {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%s/comm", found[1]))
		return &SystemError{Why: fmt.Sprintf("process %d is traced already, by process %s (%s), and only one can trace it", t.root, found[1], strings.TrimSpace(string(name)))}
	}
	scope, _ := os.ReadFile(ptraceScope)
	if strings.TrimSpace(string(scope)) == "1" && !mayTraceAll() {
		return &SystemError{"kernel.yama.ptrace_scope is 1, so that only root may trace a program that runs already: use sudo, or start it by lab exec -- COMMAND", err}
	}
	why := fmt.Sprintf("process %d cannot be traced", t.root)
	if errors.Is(err, os.ErrPermission) {
		why += ": it is another user's, or has more rights than lab; use sudo"
	}
	return &SystemError{why, err}
}
