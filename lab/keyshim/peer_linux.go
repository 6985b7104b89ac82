package keyshim

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// overflowUID stands for all users that a user namespace has no number for.
const overflowUID = 65534

// isOwnPeer reports whether the other end of a connection on the loopback interface is a program of the same user.
func isOwnPeer(c *net.TCPConn) bool {
	client, server := c.RemoteAddr().(*net.TCPAddr).AddrPort(), c.LocalAddr().(*net.TCPAddr).AddrPort()
	own := func() bool {
		owner, ok := ownerOfSocket(client, server)
		return ok && owner == os.Geteuid() && owner != overflowUID
	}
	if !own() {
		return false
	}
	return own() // again: a socket that is just being closed may be shown as root's, once
}

// ownerOfSocket returns the user of an open TCP socket of this machine, and whether there is one. A program may use an
// IPv6 socket for IPv4.
func ownerOfSocket(local, remote netip.AddrPort) (uid int, ok bool) {
	four := func(a netip.AddrPort) string { ip := a.Addr().Unmap().As4(); return hexAddr(ip[:], a.Port()) }
	six := func(a netip.AddrPort) string { ip := a.Addr().As16(); return hexAddr(ip[:], a.Port()) }
	if uid, ok := findSocket("/proc/self/net/tcp", four(local), four(remote)); ok {
		return uid, true
	}
	return findSocket("/proc/self/net/tcp6", six(local), six(remote))
}

// hexAddr is an address as the kernel's tables have it.
func hexAddr(ip []byte, port uint16) string {
	var b strings.Builder
	for word := range slices.Chunk(ip, 4) {
		fmt.Fprintf(&b, "%08X", binary.NativeEndian.Uint32(word))
	}
	return fmt.Sprintf("%s:%04X", &b, port)
}

// findSocket looks for a socket with those addresses in a table of proc_pid_net(5): number, local and remote address,
// state, queues, timer, retransmissions, uid, timeout, inode.
func findSocket(table, local, remote string) (uid int, ok bool) {
	file, err := os.Open(table)
	if err != nil {
		return 0, false
	}
	defer file.Close()
	const established = "01" // in other states it may have no owner any more, who is then shown as root
	for lines := bufio.NewScanner(file); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) >= 10 && f[1] == local && f[2] == remote && f[3] == established && f[9] != "0" {
			uid, err := strconv.Atoi(f[7])
			return uid, err == nil
		}
	}
	return 0, false
}
