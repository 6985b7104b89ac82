package javakeys

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// descendant returns the process at the other end of a connection of this
// machine, if it was started with the environment of this run, which no other
// process knows: the one that has the token in its environment, and the socket.
func (j *Listener) descendant(conn *net.TCPConn) (process string, ok bool) {
	socket, owner := socketOf(conn.RemoteAddr().(*net.TCPAddr).AddrPort(), conn.LocalAddr().(*net.TCPAddr).AddrPort())
	if self := os.Geteuid(); socket == "" || self != 0 && owner != strconv.Itoa(self) { // which spares a look at all processes
		return "", false
	}
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return "", false
	}
	for _, p := range processes {
		if _, err := strconv.Atoi(p.Name()); err != nil {
			continue
		}
		dir := "/proc/" + p.Name()
		environ, err := os.ReadFile(dir + "/environ")
		if err == nil && bytes.Contains(environ, []byte(j.token)) && hasOpen(dir+"/fd", socket) {
			program, _ := os.Readlink(dir + "/exe")
			return fmt.Sprintf("%s (process %s)", program, p.Name()), true
		}
	}
	return "", false
}

// hasOpen reports whether a process with those descriptors has a socket open.
func hasOpen(dir, socket string) bool {
	descriptors, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, d := range descriptors {
		if target, err := os.Readlink(dir + "/" + d.Name()); err == nil && target == socket {
			return true
		}
	}
	return false
}

// socketOf returns the name under /proc of the open socket with those IPv4
// addresses, as "socket:[12345]", or "", and the number of its user.
func socketOf(local, remote netip.AddrPort) (socket, owner string) {
	four := func(a netip.AddrPort) []byte { ip := a.Addr().Unmap().As4(); return ip[:] }
	six := func(a netip.AddrPort) []byte { ip := a.Addr().As16(); return ip[:] }
	for table, ip := range map[string]func(netip.AddrPort) []byte{"tcp": four, "tcp6": six} {
		if inode, owner := findSocket("/proc/self/net/"+table, hexAddr(ip(local), local.Port()), hexAddr(ip(remote), remote.Port())); inode != "" {
			return "socket:[" + inode + "]", owner
		}
	}
	return "", ""
}

// hexAddr is an address as the kernel's tables have it.
func hexAddr(ip []byte, port uint16) string {
	var b strings.Builder
	for i := 0; i < len(ip); i += 4 {
		fmt.Fprintf(&b, "%08X", binary.NativeEndian.Uint32(ip[i:]))
	}
	return fmt.Sprintf("%s:%04X", &b, port)
}

// findSocket looks for a socket with those addresses in a table of
// proc_pid_net(5), and returns its inode and its user.
func findSocket(table, local, remote string) (inode, owner string) {
	file, err := os.Open(table)
	if err != nil {
		return "", ""
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) >= 10 && f[1] == local && f[2] == remote && f[9] != "0" {
			return f[9], f[7]
		}
	}
	return "", ""
}
