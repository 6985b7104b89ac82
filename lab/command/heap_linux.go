package command

import "golang.org/x/sys/unix"

// hugePages asks for b to be backed by huge pages (madvise(2)).
func hugePages(b []byte) {
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // a kernel without them does without
}
