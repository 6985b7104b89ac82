package gokeys

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// BuildInfo begins what Go's linker puts into a program of what it is made of.
const BuildInfo = "\xff Go buildinf:"

// mostVersion is how many bytes a version of Go may have: experiments and
// builds of a company add to it.
const mostVersion = 256

// goVersion returns the version of Go that built a program, such as "go1.26.0",
// or "" if it is not known. debug/buildinfo would bring along what reads the
// programs of all systems.
//
//	+--------------------+---------+-------+--------------------------+
//	| "\xff Go buildinf:" | pointer | flags | from Go 1.18 on, at 32:  |
//	|         14         | size, 1 |   1   | length (uvarint), text   |
//	+--------------------+---------+-------+--------------------------+
func goVersion(file *elf.File) string {
	const inText, start = 1 << 1, 32
	info := bytesAt(file, buildInfo(file), start+binary.MaxVarintLen64+mostVersion)
	if len(info) < start || !bytes.HasPrefix(info, []byte(BuildInfo)) {
		return ""
	}
	if info[15]&inText != 0 {
		size, n := binary.Uvarint(info[start:])
		if text := info[start+max(n, 0):]; n > 0 && size <= min(mostVersion, uint64(len(text))) {
			return string(text[:size])
		}
		return ""
	}
	if info[14] != 8 { // bytes of an address: there is none that gokeys knows
		return ""
	}
	// Before Go 1.18: the address of a string, which is an address and a length.
	if s := bytesAt(file, file.ByteOrder.Uint64(info[16:]), 16); len(s) == 16 {
		if size := file.ByteOrder.Uint64(s[8:]); size <= mostVersion {
			return string(bytesAt(file, file.ByteOrder.Uint64(s), int(size)))
		}
	}
	return ""
}

// buildInfo returns the address of what begins with BuildInfo, 0 if there is
// none. Without section headers it is searched for, at the addresses that are
// multiples of 16, where it stands.
func buildInfo(file *elf.File) uint64 {
	if s := file.Section(".go.buildinfo"); s != nil {
		return s.Addr
	}
	if len(file.Sections) > 0 {
		return 0
	}
	// A segment may be large, so it is read in parts. BuildInfo is shorter than 16
	// bytes, and therefore never lies in two of them.
	part := make([]byte, 64<<10)
	for _, p := range file.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		for start, n := -p.Vaddr&15, len(part); n == len(part); start += uint64(n) {
			n, _ = p.ReadAt(part, int64(start))
			for at := 0; at < n; at += 16 {
				if bytes.HasPrefix(part[at:n], []byte(BuildInfo)) {
					return p.Vaddr + start + uint64(at)
				}
			}
		}
	}
	return 0
}

// bytesAt returns what a program has at an address, at most so many bytes.
func bytesAt(file *elf.File, addr uint64, most int) []byte {
	for _, p := range file.Progs {
		if p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr-p.Vaddr < p.Filesz {
			b := make([]byte, min(uint64(most), p.Filesz-(addr-p.Vaddr)))
			n, _ := p.ReadAt(b, int64(addr-p.Vaddr))
			return b[:n]
		}
	}
	return nil
}
