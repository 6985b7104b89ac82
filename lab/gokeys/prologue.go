package gokeys

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// Instruction is the first one of a function in Go. It belongs to the check
// whether the stack has room: Go's compilers begin all functions so, but for
// very small ones.
type Instruction struct {
	code []byte
	kind kind
	// offset is that of kind addressBelow.
	offset int64
}

type kind uint8

const (
	compareStack kind = iota // amd64: CMPQ SP, 16(R14)
	addressBelow             // amd64: LEAQ offset(SP), R12, of functions with more than a small frame
	loadGuard                // arm64: MOVD 16(R28), R16
)

// prologue reads the first instruction of a function, and reports whether it is
// one that is known.
func prologue(machine elf.Machine, code []byte) (Instruction, bool) {
	if len(code) < 8 {
		return Instruction{}, false
	}
	switch {
	case machine == elf.EM_X86_64 && bytes.HasPrefix(code, []byte{0x49, 0x3b, 0x66, 0x10}):
		return Instruction{code: code[:4], kind: compareStack}, true
	case machine == elf.EM_X86_64 && bytes.HasPrefix(code, []byte{0x4c, 0x8d, 0x64, 0x24}):
		return Instruction{code: code[:5], kind: addressBelow, offset: int64(int8(code[4]))}, true
	case machine == elf.EM_X86_64 && bytes.HasPrefix(code, []byte{0x4c, 0x8d, 0xa4, 0x24}):
		return Instruction{code: code[:8], kind: addressBelow, offset: int64(int32(binary.LittleEndian.Uint32(code[4:])))}, true
	case machine == elf.EM_AARCH64 && binary.LittleEndian.Uint32(code) == 0xf9400b90:
		return Instruction{code: code[:4], kind: loadGuard}, true
	}
	return Instruction{}, false
}
