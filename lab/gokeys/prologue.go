package gokeys

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// Instruction is the first one of a function. In Go, it belongs to the check
// whether the stack has room: Go's compilers begin all functions so, but for
// very small ones.
type Instruction struct {
	code []byte
	kind kind
	// offset is that of kind addressBelow.
	offset int64
	// register is that of kind push, as instructions number it.
	register byte
}

// isWide reports whether a jump of amd64 fits in the place of the instruction,
// and whether that can be executed elsewhere.
func (i Instruction) isWide() bool { return i.kind == addressBelow && len(i.code) >= jumpSize }

const jumpSize = 5

type kind uint8

const (
	compareStack kind = iota // amd64: CMPQ SP, 16(R14)
	addressBelow             // amd64: LEAQ offset(SP), R12, of functions with more than a small frame
	loadGuard                // arm64: MOVD 16(R28), R16
	nothing                  // amd64: ENDBR64
	push                     // amd64: PUSHQ register
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

// cPrologue is prologue for functions in C.
func cPrologue(machine elf.Machine, code []byte) (Instruction, bool) {
	const pushRAX, extended = 0x50, 0x41 // extended: of the registers from R8 on
	switch {
	case machine != elf.EM_X86_64 || len(code) < 4:
		return Instruction{}, false
	case bytes.HasPrefix(code, []byte{0xf3, 0x0f, 0x1e, 0xfa}):
		return Instruction{code: code[:4], kind: nothing}, true
	case code[0]&^7 == pushRAX:
		return Instruction{code: code[:1], kind: push, register: code[0] & 7}, true
	case code[0] == extended && code[1]&^7 == pushRAX:
		return Instruction{code: code[:2], kind: push, register: code[1]&7 + 8}, true
	}
	return Instruction{}, false
}
