//go:build unix && !linux

package browser

import "syscall"

// endWithParent has nothing to do: a browser whose lab was killed goes on until
// it is closed.
func endWithParent(attributes *syscall.SysProcAttr) *syscall.SysProcAttr { return attributes }
