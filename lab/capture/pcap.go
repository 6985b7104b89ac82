package capture

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// Magic numbers of pcap files (draft-ietf-opsawg-pcap section 4), and of the
// form of Alexey Kuznetzov's libpcap, whose packet headers have 8 bytes more.
const (
	magicMicroseconds = 0xa1b2c3d4
	magicNanoseconds  = 0xa1b23c4d
	magicKuznetzov    = 0xa1b2cd34
)

// pcapOrder returns the byte order of a pcap file and its magic number, or nil
// if it is none.
func pcapOrder(magic []byte) (binary.ByteOrder, uint32) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch m := order.Uint32(magic); m {
		case magicMicroseconds, magicNanoseconds, magicKuznetzov:
			return order, m
		}
	}
	return nil, 0
}

func isPcap(magic []byte) bool {
	order, _ := pcapOrder(magic)
	return order != nil
}

// readPcap hands the packets of a pcap file to frame until its end, io.EOF.
func readPcap(s *source, deliver func(*frame)) error {
	header, err := s.take(24)
	if err != nil {
		return damaged(0, unexpected(err))
	}
	order, magic := pcapOrder(header)
	if major := order.Uint16(header[4:]); major != 2 {
		return damagedf(0, "it is of version %d of the pcap format; version 2 is known", major)
	}
	f := frame{link: order.Uint32(header[20:]) & 0xffff} // above are the length of a frame check sequence, and flags
	unit, headerSize := time.Microsecond, 16
	switch magic {
	case magicNanoseconds:
		unit = time.Nanosecond
	case magicKuznetzov:
		headerSize = 24
	}
	for {
		offset := s.offset
		header, err := s.take(headerSize)
		if err == io.EOF {
			return io.EOF
		}
		if err != nil {
			return damaged(offset, err)
		}
		captured := order.Uint32(header[8:])
		if captured > maxBlock {
			return &DamagedError{offset, fmt.Errorf("a packet of %d bytes", captured)}
		}
		f.time = time.Unix(int64(order.Uint32(header)), int64(order.Uint32(header[4:]))*int64(unit))
		if f.data, err = s.take(int(captured)); err != nil {
			return damaged(offset, unexpected(err))
		}
		deliver(&f)
	}
}
