package gokeys

import (
	"debug/elf"
	"encoding/binary"
)

// goVersion returns the version of Go that built a program, such as "go1.26.0",
// or "" if it is not known. debug/buildinfo would bring along what reads the
// programs of all systems.
func goVersion(file *elf.File) string {
	const inText, start = 1 << 1, 32
	s := file.Section(".go.buildinfo")
	if s == nil || s.Type == elf.SHT_NOBITS {
		return ""
	}
	info, _ := s.Data()
	if len(info) < start {
		return ""
	}
	if info[15]&inText != 0 {
		size, n := binary.Uvarint(info[start:])
		if text := info[start+max(n, 0):]; n > 0 && size <= uint64(len(text)) {
			return string(text[:size])
		}
		return ""
	}
	// Before Go 1.18: the address of a string, which is an address and a length.
	if s := bytesAt(file, file.ByteOrder.Uint64(info[16:]), 16); len(s) == 16 {
		return string(bytesAt(file, file.ByteOrder.Uint64(s), file.ByteOrder.Uint64(s[8:])))
	}
	return ""
}

// bytesAt returns what a program has at an address, at most so many bytes.
func bytesAt(file *elf.File, addr, size uint64) []byte {
	for _, p := range file.Progs {
		if p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr < p.Vaddr+p.Filesz {
			b := make([]byte, min(size, p.Vaddr+p.Filesz-addr))
			n, _ := p.ReadAt(b, int64(addr-p.Vaddr))
			return b[:n]
		}
	}
	return nil
}
