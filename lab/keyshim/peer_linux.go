package keyshim

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// overflowUID stands for all users that a user namespace has no number for.
const overflowUID = 65534

// isOwnPeer reports whether the other end of a connection on the loopback
// interface is a program of the same user.
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

// ownerOfSocket returns the user of an open TCP socket of this machine, and
// whether there is one. The kernel's table is only read
// where the kernel cannot be asked for one socket: it grows with the sockets of
// all users.
func ownerOfSocket(local, remote netip.AddrPort) (uid int, ok bool) {
	uid, ok, err := diagnoseSocket(local, remote)
	if err == nil {
		diagnosed.Store(true)
	}
	if err == nil || err == unix.ENOENT && diagnosed.Load() {
		return uid, ok
	}
	return searchSocket(local, remote)
}

// diagnosed is whether diagnoseSocket has found a socket. A kernel that lacks
// what it needs says of all that there is none.
var diagnosed atomic.Bool

// Sizes and places in the messages of sock_diag(7), in bytes.
const (
	diagRequestSize = unix.SizeofNlMsghdr + 56 // struct inet_diag_req_v2
	diagAnswerSize  = unix.SizeofNlMsghdr + 72 // struct inet_diag_msg
	diagState       = unix.SizeofNlMsghdr + 1
	diagPorts       = unix.SizeofNlMsghdr + 4
	diagUID         = unix.SizeofNlMsghdr + 64
	diagInode       = unix.SizeofNlMsghdr + 68
)

const tcpEstablished = 1 // in other states a socket may have no owner any more, who is then shown as root

// diagnoseSocket asks the kernel for a socket with those addresses
// (sock_diag(7)), which takes the same time however many sockets there are. One
// of IPv6 that is used for IPv4 is found too. The error is ENOENT if there is
// none.
func diagnoseSocket(local, remote netip.AddrPort) (uid int, ok bool, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, false, err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, diagRequest(local, remote), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, false, err
	}
	var answer [1024]byte
	n, _, err := unix.Recvfrom(fd, answer[:], unix.MSG_DONTWAIT) // the answer is there when the request is sent
	if err != nil {
		return 0, false, err
	}
	return readDiagnosis(answer[:n], local, remote)
}

// diagRequest is a struct inet_diag_req_v2 behind the header of a netlink
// message.
func diagRequest(local, remote netip.AddrPort) []byte {
	host, network := binary.NativeEndian, binary.BigEndian
	b := make([]byte, 0, diagRequestSize)
	b = host.AppendUint32(b, diagRequestSize)
	b = host.AppendUint16(b, unix.SOCK_DIAG_BY_FAMILY)
	b = host.AppendUint16(b, unix.NLM_F_REQUEST)
	b = append(b, make([]byte, 8)...) // sequence number, port
	family := byte(unix.AF_INET)
	if !local.Addr().Unmap().Is4() {
		family = unix.AF_INET6
	}
	b = append(b, family, unix.IPPROTO_TCP, 0, 0)
	b = host.AppendUint32(b, 1<<tcpEstablished)
	b = network.AppendUint16(b, local.Port())
	b = network.AppendUint16(b, remote.Port())
	for _, a := range []netip.AddrPort{local, remote} {
		var ip [16]byte
		copy(ip[:], a.Addr().Unmap().AsSlice())
		b = append(b, ip[:]...)
	}
	b = host.AppendUint32(b, 0)                   // interface
	b = host.AppendUint64(b, 0xffffffff_ffffffff) // any cookie
	return b
}

// readDiagnosis reads the answer to a diagRequest. The kernel answers with a
// listener if there is no connection.
func readDiagnosis(b []byte, local, remote netip.AddrPort) (uid int, ok bool, err error) {
	host, network := binary.NativeEndian, binary.BigEndian
	if len(b) < unix.SizeofNlMsghdr+4 {
		return 0, false, errors.New("an answer is too short")
	}
	switch kind := host.Uint16(b[4:]); {
	case kind == unix.NLMSG_ERROR:
		return 0, false, unix.Errno(-int32(host.Uint32(b[unix.SizeofNlMsghdr:])))
	case kind != unix.SOCK_DIAG_BY_FAMILY || len(b) < diagAnswerSize:
		return 0, false, errors.New("no answer about a socket")
	}
	found := b[diagState] == tcpEstablished && host.Uint32(b[diagInode:]) != 0 &&
		network.Uint16(b[diagPorts:]) == local.Port() && network.Uint16(b[diagPorts+2:]) == remote.Port()
	return int(host.Uint32(b[diagUID:])), found, nil
}

// searchSocket looks for a socket in the kernel's tables. A program may use an
// IPv6 socket for IPv4.
func searchSocket(local, remote netip.AddrPort) (uid int, ok bool) {
	four := func(a netip.AddrPort) string { return hexAddr(a.Addr().Unmap().AsSlice(), a.Port()) }
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

// findSocket looks for a socket with those addresses in a table of
// proc_pid_net(5): number, local and remote address, state, queues, timer,
// retransmissions, uid, timeout, inode.
func findSocket(table, local, remote string) (uid int, ok bool) {
	file, err := os.Open(table)
	if err != nil {
		return 0, false
	}
	defer file.Close()
	const established = "01"
	for lines := bufio.NewScanner(file); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) >= 10 && f[1] == local && f[2] == remote && f[3] == established && f[9] != "0" {
			uid, err := strconv.Atoi(f[7])
			return uid, err == nil
		}
	}
	return 0, false
}
