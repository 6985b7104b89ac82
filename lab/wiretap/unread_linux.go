package wiretap

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// hasUnread reports whether c is a TCP connection with received bytes that
// nobody has read. Linux answers the close of such a socket with RST in place
// of FIN (tcp_close in net/ipv4/tcp.c).
func hasUnread(c net.Conn) bool {
	s, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	unread := 0
	err = raw.Control(func(fd uintptr) {
		unread, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ)
	})
	return err == nil && unread > 0
}
