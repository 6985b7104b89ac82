//go:build amd64 || arm64

package gokeys

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// attach seizes all threads of root, a program that runs. Of these, one stops
// for as long as it takes to set the breakpoints.
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
	for tid := range t.tasks {
		if unix.PtraceInterrupt(tid) == nil {
			break
		}
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
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", at))
		found := parentPid.FindSubmatch(status)
		if err != nil || found == nil {
			return false
		}
		at, _ = strconv.Atoi(string(found[1]))
	}
	return false
}

// seizeThreads seizes the threads that root has. Those that they start are
// traced from the start.
func (t *Trace) seizeThreads(image *image) error {
	for more := true; more; {
		more = false
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", t.root))
		if err != nil {
			return &SystemError{Why: fmt.Sprintf("process %d has ended", t.root)}
		}
		for _, thread := range threads {
			tid, err := strconv.Atoi(thread.Name())
			if err != nil || t.tasks[tid] != nil {
				continue
			}
			switch err := seize(tid, follows|unix.PTRACE_O_EXITKILL); {
			case err == nil:
				t.tasks[tid] = &task{image: image}
				more = true
			case !t.needsNoSeize(tid): // a breakpoint would kill it
				return t.unseized(tid, err)
			}
		}
	}
	if len(t.tasks) == 0 {
		return &SystemError{Why: fmt.Sprintf("process %d has ended", t.root)}
	}
	return nil
}

// needsNoSeize reports whether a thread need not be seized: it has ended, is a
// zombie, or is traced by t since one that was seized has started it.
func (t *Trace) needsNoSeize(tid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil || zombie.Match(status) {
		return true
	}
	found := tracerPid.FindSubmatch(status)
	return found != nil && string(found[1]) == strconv.Itoa(t.thread)
}

// Fields of proc_pid_status(5).
var (
	zombie    = regexp.MustCompile(`(?m)^State:\t[ZX]`)
	tracerPid = regexp.MustCompile(`(?m)^TracerPid:\t([1-9][0-9]*)$`)
	parentPid = regexp.MustCompile(`(?m)^PPid:\t([0-9]+)$`)
)

// unseized says why root cannot be traced, for the error of one of its threads.
func (t *Trace) unseized(tid int, err error) error {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if found := tracerPid.FindSubmatch(status); found != nil {
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
