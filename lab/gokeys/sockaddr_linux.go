//go:build amd64 || arm64

package gokeys

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

var byteOrder = binary.LittleEndian // of both processors

// serverOf reads a struct sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)) of a
// program. It reports whether it is one.
func serverOf(tid int, address uint64, size uint32) (server netip.AddrPort, ok bool) {
	if size < unix.SizeofSockaddrInet4 || size > unix.SizeofSockaddrAny {
		return server, false
	}
	b := make([]byte, size)
	if peek(tid, b, span{address, uint64(size)}) != nil {
		return server, false
	}
	port := binary.BigEndian.Uint16(b[2:])
	var ip netip.Addr
	switch family := byteOrder.Uint16(b); {
	case family == unix.AF_INET:
		ip = netip.AddrFrom4([4]byte(b[4:8]))
	case family == unix.AF_INET6 && size >= unix.SizeofSockaddrInet6:
		ip = netip.AddrFrom16([16]byte(b[8:24])).Unmap()
		if scope := byteOrder.Uint32(b[24:]); scope != 0 {
			ip = ip.WithZone(strconv.Itoa(int(scope)))
		}
	default:
		return server, false
	}
	return netip.AddrPortFrom(ip, port), port != 0
}

// socketAddress is a struct sockaddr_in, or sockaddr_in6 for a socket of IPv6.
func socketAddress(a netip.AddrPort, six bool) []byte {
	b := binary.LittleEndian.AppendUint16(nil, unix.AF_INET)
	if six {
		byteOrder.PutUint16(b, unix.AF_INET6)
	}
	b = binary.BigEndian.AppendUint16(b, a.Port())
	if !six {
		ip := a.Addr().As4()
		return append(append(b, ip[:]...), make([]byte, 8)...)
	}
	ip := a.Addr().As16()
	b = append(append(b, 0, 0, 0, 0), ip[:]...)
	scope, _ := strconv.Atoi(a.Addr().Zone())
	return byteOrder.AppendUint32(b, uint32(scope))
}

// addressOf returns a socket's address, or one that is not valid. An address of
// IPv4 in one of IPv6 is one of IPv4.
func addressOf(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}
