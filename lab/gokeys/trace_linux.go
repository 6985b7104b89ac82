//go:build amd64 || arm64

package gokeys

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"mtlslab.example/lab/lab/text"
)

// Supported reports whether programs can be traced on this system.
const Supported = true

// Trace is a program that is traced, with its threads and the programs that it
// starts. All of it runs on one thread, since ptrace(2) wants that of a tracer.
type Trace struct {
	o      Options
	root   int  // the process that was started, or attached to
	alone  bool // root was started without a tracer
	thread int  // the tracer's
	job    *job // of a program that was started

	tasks       map[int]*task // the traced threads, of all processes
	files       map[fileID]*file
	breakpoints map[placed]map[uint64]breakpoint
	said        map[string]bool // errors that Cannot got
	capable     bool            // lab may trace programs that gain privileges
	resuming    bool            // root is stopped by the tracer's own SIGSTOP
	held        bool            // root is stopped by another signal
	leaving     bool            // tasks are being detached
	late        *late

	detaching atomic.Bool
	connected chan *connection // that have waited for Options.Relay
	ended     chan struct{}
	status    syscall.WaitStatus // of root, if it was started
}

// task is a thread. Its image is nil while it is not known.
type task struct{ image *image }

const (
	follows = unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACESYSGOOD
	// waits are for all tasks of this thread's, and for a child that is not
	// traced any more to stop.
	waits = unix.WALL | unix.WNOTHREAD | unix.WUNTRACED
)

func newTrace(o Options) *Trace {
	quietStops()
	return &Trace{o: o, tasks: make(map[int]*task), files: make(map[fileID]*file), breakpoints: make(map[placed]map[uint64]breakpoint), said: make(map[string]bool),
		capable: mayTraceAll(), late: newLate(o.Keys),
		connected: make(chan *connection, 1), ended: make(chan struct{})}
}

// run runs begin and then the trace on a thread of their own. It returns the
// error of begin.
func (t *Trace) run(begin func() error) error {
	begun := make(chan error, 1)
	go onFreshThread(func(thread int) {
		t.thread = thread
		err := begin()
		begun <- err
		if err == nil {
			t.follow()
			t.late.flush()
		}
		t.job.close()
		close(t.ended)
	})
	return <-begun
}

// Start starts a program and traces it. Where the system refuses that, it
// starts it without. The error says why it could not be started at all. The
// caller waits for the Trace, not for the program.
func Start(program *exec.Cmd, o Options) (*Trace, error) {
	t := newTrace(o)
	t.job = newJob()
	return t, t.run(func() error {
		if err := t.start(program); err != nil {
			return err
		}
		t.root = program.Process.Pid
		if t.alone {
			return nil
		}
		return t.seize()
	})
}

// start starts a program that stops before its first instruction. Where the
// system refuses that, it starts one that does not stop, and t.alone is set.
func (t *Trace) start(program *exec.Cmd) error {
	refusal := obstacle()
	if refusal == nil {
		first := *program // a Start that fails leaves it unfit for another
		first.SysProcAttr = &syscall.SysProcAttr{}
		if program.SysProcAttr != nil {
			*first.SysProcAttr = *program.SysProcAttr
		}
		first.SysProcAttr.Ptrace = true
		err := first.Start()
		switch {
		case err == nil:
			*program = first
			return nil
		case !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES):
			return err
		}
		refusal = &SystemError{kernel() + " lets no program be traced here", err}
	}
	if err := program.Start(); err != nil {
		return err
	}
	t.alone = true
	t.say(refusal)
	return nil
}

// seize makes of a program that has stopped before its first instruction one
// that can be stopped by the terminal, which takes another kind of tracing.
func (t *Trace) seize() error {
	var status syscall.WaitStatus
	_, err := wait(t.root, &status, 0)
	for err == unix.EINTR {
		_, err = wait(t.root, &status, 0)
	}
	switch {
	case err != nil:
		return err
	case !status.Stopped(): // it was killed
		t.status = status
		t.leave()
		return nil
	}
	if err := detach(t.root, unix.SIGSTOP); err != nil {
		return err
	}
	if err := seize(t.root, follows); err != nil {
		t.alone = true
		t.say(&SystemError{kernel() + " does not let the program be traced, as one that may not be read", err})
		return unix.Kill(t.root, unix.SIGCONT)
	}
	t.tasks[t.root] = &task{image: t.load(t.root)}
	t.resuming = true
	return nil
}

// Attach traces a program that runs already, until ctx ends: see Detach. The
// error says why that cannot be. If this process has started the program, it
// must not wait for it meanwhile: the kernel would report to that wait what is
// for the tracer.
func Attach(ctx context.Context, pid int, o Options) (*Trace, error) {
	t := newTrace(o)
	t.root = pid
	return t, t.run(func() error {
		stop := context.AfterFunc(ctx, t.Detach)
		go func() {
			<-t.ended
			stop()
		}()
		return t.attach()
	})
}

// Detach lets go of all programs, which run on. Wait then returns.
func (t *Trace) Detach() {
	t.detaching.Store(true)
	t.interrupt(nil)
}

// interrupt ends the tracer's wait. It returns when the tracer has noticed,
// which is when noticed is closed, or the trace has ended.
func (t *Trace) interrupt(noticed <-chan struct{}) {
	for {
		_ = unix.Tgkill(unix.Getpid(), t.thread, unix.SIGCHLD) // has no effect on a wait that is just about to begin
		select {
		case <-noticed:
			return
		case <-t.ended:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// Wait waits for the program to end, or for Detach. It returns the exit status
// of a program that was started, and the signal that has killed it, or 0. The
// status is then 128 and the signal's number, as in a shell.
func (t *Trace) Wait() (status int, by syscall.Signal) {
	<-t.ended
	if t.status.Signaled() {
		return 128 + int(t.status.Signal()), t.status.Signal()
	}
	return t.status.ExitStatus(), 0
}

// follow handles what happens to the traced programs until root has ended, or
// Detach is called.
func (t *Trace) follow() {
	for !t.leaving || len(t.tasks) > 0 { // the thread may have had other children before
		if !t.next() {
			return
		}
	}
}

// next waits for one thing to happen, and handles it. It reports whether there
// may be more.
func (t *Trace) next() bool {
	select {
	case c := <-t.connected:
		close(c.noticed)
		t.relayed(c)
	default:
	}
	if t.detaching.Load() { // a wait that finds something is not interrupted
		t.leave()
	}
	var status syscall.WaitStatus
	tid, err := wait(-1, &status, waits)
	switch {
	case err == unix.EINTR:
	case err != nil: // there is nobody left
		return false
	case status.Stopped():
		t.stopped(tid, status)
	default:
		delete(t.tasks, tid)
		if tid == t.root {
			t.status = status
			t.leave()
		}
	}
	return true
}

// stopped handles a thread that has stopped, and lets it go on.
func (t *Trace) stopped(tid int, status syscall.WaitStatus) {
	k := t.tasks[tid]
	switch {
	case k == nil && tid == t.root && status>>16 == 0: // it is not traced any more
		t.job.rootStopped()
		return
	case k == nil:
		k = &task{}
		t.tasks[tid] = k
	}
	signal := status.StopSignal()
	switch event := int(status) >> 16; event {
	case unix.PTRACE_EVENT_EXEC:
		if former, err := syscall.PtraceGetEventMsg(tid); err == nil && int(former) != tid {
			delete(t.tasks, int(former))
		}
		k = &task{image: t.load(tid)} // another one, should that have waited
		t.tasks[tid] = k
		signal = 0
	case unix.PTRACE_EVENT_CLONE, unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK:
		if made, err := syscall.PtraceGetEventMsg(tid); err == nil {
			t.made(int(made), k.image)
		}
		signal = 0
	case unix.PTRACE_EVENT_EXIT: // its memory is still there
		if k.image != nil {
			_, _ = t.drain(k.image.ring)
		}
		signal = 0
	case unix.PTRACE_EVENT_STOP:
		t.heldUp(tid, k, signal)
		return
	case 0:
		if signal == unix.SIGTRAP {
			switch met, goesOn := t.hit(tid, k); {
			case met && !goesOn:
				return
			case met:
				signal = 0
			}
		}
		switch {
		case signal == unix.SIGCONT && tid == t.root && t.resuming:
			t.resuming, signal = false, 0
		}
	default:
		signal = 0
	}
	t.goOn(tid, k, signal)
}

// made keeps a new thread or process, which has the program of its parent. It
// may have stopped before its parent did.
func (t *Trace) made(tid int, image *image) {
	k := t.tasks[tid]
	if k == nil {
		if t.leaving && unix.PtraceInterrupt(tid) != nil { // it was detached then
			return
		}
		k = &task{}
		t.tasks[tid] = k
	}
	if k.image == nil { // it may even have executed another
		k.image = image
	}
}

// heldUp handles a thread that has stopped for a signal such as SIGTSTP, or
// because it is new, interrupted or continued.
func (t *Trace) heldUp(tid int, k *task, signal syscall.Signal) {
	if t.leaving && isTrapped(tid) { // without a tracer the signal would kill it
		_ = syscall.PtraceCont(tid, 0) // as far as the stop for the signal
		return
	}
	switch signal {
	case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
	default:
		t.goOn(tid, k, 0)
		return
	}
	switch {
	case tid == t.root && t.resuming:
		_ = unix.Kill(tid, unix.SIGCONT) // before it runs: this would undo a stop by the user
		t.goOn(tid, k, 0)
	case t.leaving:
		t.goOn(tid, k, 0) // which leaves it stopped
	default:
		t.prepare(tid, k.image)
		_ = request(unix.PTRACE_LISTEN, tid, 0)
		if tid == t.root {
			t.held = true
			t.job.rootStopped()
		}
	}
}

// Fields of proc_pid_status(5).
var (
	pendingSignals = text.Pattern(`(?m)^SigPnd:\t([0-9a-f]+)$`)
	blockedSignals = text.Pattern(`(?m)^SigBlk:\t([0-9a-f]+)$`)
)

// isTrapped reports whether a thread that has stopped will next stop for a
// SIGTRAP, such as that of a breakpoint that it has just met.
func isTrapped(tid int) bool {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	signals := func(field *regexp.Regexp) (set uint64) {
		if found := field.FindSubmatch(status); found != nil {
			set, _ = strconv.ParseUint(string(found[1]), 16, 64)
		}
		return set
	}
	return signals(pendingSignals())&^signals(blockedSignals())&(1<<(unix.SIGTRAP-1)) != 0
}

// goOn lets a thread go on with a signal, or 0.
func (t *Trace) goOn(tid int, k *task, signal syscall.Signal) {
	if tid == t.root && t.held {
		t.held = false
		t.job.rootContinued()
	}
	switch {
	case t.leaving:
		t.clear(tid, k)
	case k.image != nil && k.image.alone:
		t.prepare(tid, k.image)
	default:
		t.prepare(tid, k.image)
		_ = syscall.PtraceCont(tid, int(signal)) // it may have been killed
		return
	}
	_ = detach(tid, signal)
	delete(t.tasks, tid)
}

// leave detaches all threads once they stop. What they start meanwhile stops
// too.
func (t *Trace) leave() {
	if t.leaving {
		return
	}
	t.leaving = true
	for tid := range t.tasks {
		if unix.PtraceInterrupt(tid) == unix.ESRCH || isMain(tid) && hasEnded(tid) { // its end may not be reported before that of its process
			delete(t.tasks, tid)
		}
	}
}

// say hands on an error once.
func (t *Trace) say(err error) {
	if text := err.Error(); !t.said[text] && t.o.Cannot != nil {
		t.said[text] = true
		t.o.Cannot(err)
	}
}
