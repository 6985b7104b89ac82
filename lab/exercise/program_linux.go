package exercise

import "syscall"

// endWithParent has the kernel kill a process when the thread that has started
// it ends, as it does when lab is killed.
func endWithParent(attributes *syscall.SysProcAttr) *syscall.SysProcAttr {
	attributes.Pdeathsig = syscall.SIGKILL
	return attributes
}
