//go:build unix && !linux

package exercise

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// endWithParent has nothing to do: a program whose lab was killed goes on until
// somebody ends it.
func endWithParent(attributes *syscall.SysProcAttr) *syscall.SysProcAttr { return attributes }

// awaitEnd waits for the end of a child process, whose number stays its own
// until it is waited for.
func awaitEnd(pid int) error {
	queue, err := unix.Kqueue()
	if err != nil {
		return err
	}
	defer unix.Close(queue)
	unix.CloseOnExec(queue)
	change := make([]unix.Kevent_t, 1)
	unix.SetKevent(&change[0], pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	change[0].Fflags = unix.NOTE_EXIT
	for {
		_, err := unix.Kevent(queue, change, make([]unix.Kevent_t, 1), nil)
		if errors.Is(err, unix.ESRCH) { // it has ended
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
