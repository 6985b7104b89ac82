//go:build amd64 || arm64

package gokeys

import (
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// job stops this process when the terminal stops the program, but not before
// the program has stopped: until then it has things to do, such as putting the
// terminal in order, and a tracer that has stopped would hold it up.
type job struct {
	signals chan os.Signal

	mu      sync.Mutex
	stopped bool           // the program is
	pending syscall.Signal // what the terminal has sent to this process
}

func newJob() *job {
	j := &job{signals: make(chan os.Signal, 4)}
	for _, s := range []os.Signal{unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU} {
		if !signal.Ignored(s) { // or else the program would not ignore it
			signal.Notify(j.signals, s)
		}
	}
	go j.receive()
	return j
}

func (j *job) close() {
	if j == nil {
		return
	}
	signal.Stop(j.signals)
	close(j.signals)
}

func (j *job) receive() {
	for s := range j.signals {
		j.mu.Lock()
		j.pending = s.(syscall.Signal)
		j.stop()
		j.mu.Unlock()
	}
}

// rootStopped says that the program has stopped, and rootContinued that it goes
// on.
func (j *job) rootStopped()   { j.set(true) }
func (j *job) rootContinued() { j.set(false) }

func (j *job) set(stopped bool) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stopped = stopped
	if stopped {
		j.stop()
	} else {
		j.pending = 0
	}
}

// stop stops this process as the signal would have done, if both are there. It
// returns when it is continued.
func (j *job) stop() {
	if !j.stopped || j.pending == 0 {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	handled := changeAction(j.pending, func(a *action) { *a = action{} }) // signal.Reset leaves Go's handler
	_ = unix.Tgkill(unix.Getpid(), unix.Gettid(), j.pending)
	changeAction(j.pending, func(a *action) { *a = handled })
	j.pending, j.stopped = 0, false
}
