//go:build unix && !linux

package exercise

import "syscall"

// endWithParent has nothing to do: a program whose lab was killed goes on until
// somebody ends it.
func endWithParent(attributes *syscall.SysProcAttr) *syscall.SysProcAttr { return attributes }
