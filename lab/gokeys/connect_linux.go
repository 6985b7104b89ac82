//go:build amd64 || arm64

package gokeys

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// connection is a connect(2) that waits for Options.Relay.
type connection struct {
	*hit
	server netip.AddrPort
	made   bool  // to the relay
	err    error // why it is not; nil: the server cannot be reached

	noticed chan struct{} // closed when the tracer knows
}

// connect connects the program's socket to the relay, and then has the call
// return. The program's memory stays as it is. What goes wrong has no effect:
// the program connects by itself.
func (t *Trace) connect(h *hit) (goesOn bool) {
	a := arguments(&h.registers)
	h.task.image.ring.expect()
	server, ok := serverOf(h.tid, a[1], uint32(a[2]))
	if !ok || t.leaving {
		h.perform()
		return true
	}
	socket, err := connectable(h.tid, int(int32(a[0])))
	if err != nil {
		t.say(&ConnectionError{server, err})
	}
	if socket < 0 {
		h.perform()
		return true
	}
	c := &connection{hit: h, server: server, noticed: make(chan struct{})}
	go func() {
		c.made, c.err = t.o.Relay.Reach(server, func(listener netip.AddrPort) (netip.AddrPort, error) { return connectTo(socket, listener) })
		_ = unix.Close(socket)
		select {
		case t.connected <- c:
			t.interrupt(c.noticed)
		case <-t.ended:
		}
	}()
	return false
}

// relayed lets a thread go on that has waited for the relay.
func (t *Trace) relayed(c *connection) {
	if t.tasks[c.tid] != c.task { // it has ended
		return
	}
	if c.made {
		c.returnNil()
	} else {
		c.perform()
	}
	if c.err != nil {
		t.say(&ConnectionError{c.server, c.err})
	}
	t.goOn(c.tid, c.task, 0)
}

// peerName tells a program that its socket is connected to the server, where it
// is connected to the relay.
func (t *Trace) peerName(h *hit) (goesOn bool) {
	a := arguments(&h.registers)
	name, ok := t.serverName(h.tid, int(int32(a[0])))
	size := make([]byte, 4)
	if ok && peek(h.tid, size, span{a[2], 4}) == nil && byteOrder.Uint32(size) >= uint32(len(name)) {
		byteOrder.PutUint32(size, uint32(len(name)))
		if poke(h.tid, a[1], name) == nil && poke(h.tid, a[2], size) == nil {
			h.returnNil()
			return true
		}
	}
	h.perform()
	return true
}

// serverName returns the address of the server that the peer of a program's
// socket stands for.
func (t *Trace) serverName(tid, fd int) (name []byte, ok bool) {
	socket, err := socketOf(tid, fd)
	if err != nil {
		return nil, false
	}
	defer unix.Close(socket)
	peer, err := unix.Getpeername(socket)
	if err != nil {
		return nil, false
	}
	server, ok := t.o.Relay.Server(addressOf(peer))
	if !ok {
		return nil, false
	}
	_, six := peer.(*unix.SockaddrInet6)
	return socketAddress(server, six), true
}

// socketOf returns a descriptor of this process for a program's socket, which
// the caller closes.
func socketOf(tid, fd int) (int, error) {
	pid := processOf(tid)
	if pid == 0 {
		return -1, errors.New("its process is not known")
	}
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(process)
	return unix.PidfdGetfd(process, fd, 0)
}

// connectable returns a descriptor of this process for a program's socket of
// TCP, which the caller closes. It is -1 if lab is not to connect that, with an
// error if it cannot.
func connectable(tid, fd int) (socket int, err error) {
	socket, err = socketOf(tid, fd)
	switch {
	case err == unix.EBADF: // the program's own error
		return -1, nil
	case err != nil:
		return -1, fmt.Errorf("%s does not let lab share its socket: %w", kernel(), err)
	case isTCP(socket):
		if err = boundTo(socket); err == nil {
			return socket, nil
		}
	}
	_ = unix.Close(socket)
	return -1, err
}

func isTCP(socket int) bool {
	kind, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_STREAM {
		return false
	}
	protocol, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	return err == nil && (protocol == unix.IPPROTO_TCP || protocol == unix.IPPROTO_MPTCP)
}

// boundTo says what a socket is bound to that a connection by lab would not be.
func boundTo(socket int) error {
	own, err := unix.Getsockname(socket)
	if err != nil {
		return err
	}
	if a := addressOf(own); !a.IsValid() || a.Port() != 0 || !a.Addr().IsUnspecified() {
		return fmt.Errorf("its socket is bound to %v", a.Addr())
	}
	if device, err := unix.GetsockoptString(socket, unix.SOL_SOCKET, unix.SO_BINDTODEVICE); err == nil && device != "" {
		return fmt.Errorf("its socket is bound to the interface %s", device)
	}
	if mark, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_MARK); err == nil && mark != 0 {
		return errors.New("its socket has a mark for routing")
	}
	return nil
}

// connectTimeout is how long a connection to the relay, on the same machine,
// may take.
const connectTimeout = time.Second

// connectTo connects a socket to an address of IPv4, and returns its own. A
// socket that this fails for can be connected again; one of IPv6 has lost the
// option IPV6_V6ONLY.
func connectTo(socket int, to netip.AddrPort) (own netip.AddrPort, err error) {
	var address unix.Sockaddr = &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}
	if family, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil {
		return own, err
	} else if family == unix.AF_INET6 {
		if err := unix.SetsockoptInt(socket, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0); err != nil {
			return own, err
		}
		address = &unix.SockaddrInet6{Addr: to.Addr().As16(), Port: int(to.Port())}
	}
	err = unix.Connect(socket, address)
	if err == unix.EINPROGRESS || err == unix.EINTR {
		err = await(socket)
	}
	if err == nil {
		address, err = unix.Getsockname(socket)
		own = addressOf(address)
	}
	if err != nil {
		nowhere := [16]byte{} // AF_UNSPEC: see connect(2)
		_, _, _ = unix.Syscall(unix.SYS_CONNECT, uintptr(socket), uintptr(unsafe.Pointer(&nowhere)), unsafe.Sizeof(nowhere))
	}
	return own, err
}

// await waits for a socket to be connected.
func await(socket int) error {
	for end := time.Now().Add(connectTimeout); ; {
		fds := []unix.PollFd{{Fd: int32(socket), Events: unix.POLLOUT}}
		n, err := unix.Poll(fds, int(time.Until(end).Milliseconds())+1)
		switch {
		case err == unix.EINTR && time.Now().Before(end):
			continue
		case err != nil:
			return err
		case n == 0:
			return unix.ETIMEDOUT
		}
		value, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && value != 0 {
			err = syscall.Errno(value)
		}
		return err
	}
}
