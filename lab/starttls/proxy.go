package starttls

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
)

// ProxyHeader returns the header of the PROXY protocol, version 1 or 2, of a
// connection (HAProxy's "The PROXY protocol", sections 2.1 and 2.2).
func ProxyHeader(version int, c net.Conn) []byte {
	from, err := netip.ParseAddrPort(c.LocalAddr().String())
	to, err2 := netip.ParseAddrPort(c.RemoteAddr().String())
	known := err == nil && err2 == nil && from.Addr().Unmap().Is4() == to.Addr().Unmap().Is4()
	source, target := from.Addr().Unmap(), to.Addr().Unmap()
	if version == 1 {
		if !known {
			return []byte("PROXY UNKNOWN\r\n")
		}
		family := "TCP4"
		if source.Is6() {
			family = "TCP6"
		}
		return fmt.Appendf(nil, "PROXY %s %s %s %d %d\r\n", family, source, target, from.Port(), to.Port())
	}
	header := []byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11")
	if !known {
		header[12], header[13] = 0x20, 0 // LOCAL
		return append(header, 0, 0)
	}
	if source.Is6() {
		header[13] = 0x21
	}
	addresses := append(source.AsSlice(), target.AsSlice()...)
	addresses = binary.BigEndian.AppendUint16(addresses, from.Port())
	addresses = binary.BigEndian.AppendUint16(addresses, to.Port())
	header = binary.BigEndian.AppendUint16(header, uint16(len(addresses)))
	return append(header, addresses...)
}
