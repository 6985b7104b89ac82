package exercise

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// endWithParent has the kernel kill a process when the thread that has started
// it ends, as it does when lab is killed.
func endWithParent(attributes *syscall.SysProcAttr) *syscall.SysProcAttr {
	attributes.Pdeathsig = syscall.SIGKILL
	return attributes
}

// awaitEnd waits for the end of a child process, whose number stays its own
// until it is waited for.
func awaitEnd(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
