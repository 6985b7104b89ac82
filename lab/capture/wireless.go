package capture

import (
	"bytes"
	"encoding/binary"
)

// radiotap skips the header of LINKTYPE_IEEE802_11_RADIOTAP and reports whether
// that of 802.11 behind it is padded.
func radiotap(b []byte) (protocol, []byte) {
	if len(b) < 8 {
		return malformed, nil
	}
	const more, timestamp, flags, isPadded = 1 << 31, 1 << 0, 1 << 1, 0x20
	le := binary.LittleEndian
	length, present := int(le.Uint16(b[2:])), le.Uint32(b[4:])
	fields := 8
	for word := present; word&more != 0 && fields+4 <= len(b); fields += 4 {
		word = le.Uint32(b[fields:])
	}
	if present&timestamp != 0 {
		fields = (fields+7)&^7 + 8
	}
	if present&flags != 0 && fields < min(length, len(b)) && b[fields]&isPadded != 0 {
		return after(wlanPadded, b, length)
	}
	return after(wlan, b, length)
}

// prism skips a Prism header, or an AVS one, which has the same link type.
func prism(b []byte) (protocol, []byte) {
	if len(b) >= 4 && binary.BigEndian.Uint32(b)&0xfffff000 == 0x80211000 {
		return avs(b)
	}
	return after(wlan, b, 144)
}

func avs(b []byte) (protocol, []byte) {
	if len(b) < 8 || binary.BigEndian.Uint32(b[4:]) > uint32(len(b)) {
		return malformed, nil
	}
	return wlan, b[binary.BigEndian.Uint32(b[4:]):]
}

// wlan reads the header of an 802.11 data frame (IEEE 802.11, 9.3.2.1).
func (f *frames) wlan(b []byte, isPadded bool) (protocol, []byte) {
	if len(b) < 2 {
		return malformed, nil
	}
	const (
		toDS, fromDS, more, encrypted, order = 1, 2, 4, 0x40, 0x80 // in the second byte
		noData, qos                          = 0x40, 0x80          // in the first one
	)
	if b[0]&0x0f != 0x08 || b[0]&noData != 0 {
		return wlanOther, nil
	}
	length := 24
	if b[1]&(toDS|fromDS) == toDS|fromDS {
		length += 6
	}
	aggregated := false
	if b[0]&qos != 0 {
		aggregated = len(b) > length && b[length]&0x80 != 0
		length += 2
		if b[1]&order != 0 {
			length += 4
		}
	}
	if isPadded {
		length = padded(length)
	}
	switch {
	case len(b) < length:
		return malformed, nil
	case b[1]&encrypted != 0:
		return wlanEncrypted, nil
	case b[1]&more != 0 || b[22]&0x0f != 0:
		return wlanFragment, nil
	case aggregated:
		return f.aggregate(b[length:])
	}
	return llc, b[length:]
}

// aggregate decodes the frames in an A-MSDU (IEEE 802.11, 9.3.2.2).
func (f *frames) aggregate(b []byte) (protocol, []byte) {
	for len(b) > 14 {
		end := 14 + int(binary.BigEndian.Uint16(b[12:]))
		f.decode(llc, b[14:min(end, len(b))])
		b = b[min(padded(end), len(b)):]
	}
	return taken, nil
}

// capwap reads the header of a CAPWAP data packet (RFC 5415 section 4.3).
func (f *frames) capwap(b []byte) (protocol, []byte) {
	if b[0]&15 == 1 {
		return capwapDTLS, nil
	}
	const native, isFragment, last, keepAlive = 0x01, 0x80, 0x40, 0x08
	length, binding := int(b[1]>>3)*4, b[2]>>1&0x1f
	if length < 8 || length > len(b) {
		return malformed, nil
	}
	be := binary.BigEndian
	p, payload, flags := ethernet, b[length:], b[3]
	switch {
	case flags&keepAlive != 0:
		return capwapKeepAlive, nil
	case b[2]&native != 0 && binding == 1:
		p = wlanInCAPWAP
	case b[2]&native != 0:
		return notRead, nil
	}
	if flags&isFragment != 0 {
		return f.fragment(p, uint32(be.Uint16(b[4:])), int(be.Uint16(b[6:])&^7), flags&last == 0, payload)
	}
	return p, payload
}

// nativeWLAN reads an 802.11 frame in CAPWAP. Many devices swap the bytes of
// its frame control and of its sequence control. As the frame comes from or
// goes to an access point, no flags look like the type of a data frame.
func (f *frames) nativeWLAN(b []byte) (protocol, []byte) {
	if len(b) >= 24 && b[1]&0x0f == 0x08 {
		b = bytes.Clone(b)
		b[0], b[1] = b[1], b[0]
		b[22], b[23] = b[23], b[22]
	}
	return f.wlan(b, false)
}
