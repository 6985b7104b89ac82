package gokeys

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"os"
	"runtime"
	"strings"
	"testing"
)

// The version is the one that debug/buildinfo reads, in the format of today and
// in that before Go 1.18, and half a table has none.
func TestGoVersion(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	if got := goVersion(file); got != runtime.Version() {
		t.Errorf("%q, not %q", got, runtime.Version())
	}
	bare := bytes.Clone(program)
	copy(bare[40:48], make([]byte, 8)) // e_shoff: no section headers
	copy(bare[60:64], make([]byte, 4)) // e_shnum, e_shstrndx
	if _, err := Inspect(bytes.NewReader(bare), machine); err == nil || !strings.Contains(err.Error(), "is a Go program ("+runtime.Version()+") without section headers") {
		t.Errorf("without section headers: %v", err)
	}
	s := file.Section(".go.buildinfo")
	info := program[s.Offset:][:s.Size]
	info[32] = 0xff // a version longer than the table
	info[33] = 0x7f
	if got := goVersion(file); got != "" {
		t.Errorf("of a table that is cut off: %q", got)
	}
	const version = "go1.16.15"
	info[15] = 0 // addresses follow
	binary.LittleEndian.PutUint64(info[16:], s.Addr+32)
	binary.LittleEndian.PutUint64(info[24:], s.Addr+32)
	binary.LittleEndian.PutUint64(info[32:], s.Addr+48)
	binary.LittleEndian.PutUint64(info[40:], uint64(len(version)))
	copy(info[48:], version)
	info[14] = 8
	if want, err := buildinfo.Read(bytes.NewReader(program)); err != nil || want.GoVersion != version {
		t.Fatalf("the test's own table: %v", err)
	}
	if got := goVersion(file); got != version {
		t.Errorf("by addresses: %q, not %q", got, version)
	}
	for what, c := range map[string]struct{ at, value uint64 }{
		"an address of nothing":     {32, 0},
		"an address at the end":     {32, 1<<64 - 1},
		"a length of memory":        {40, 1 << 62},
		"a negative length":         {40, 1<<64 - 1},
		"a string at no address":    {16, 0},
		"addresses of another size": {8, 1 << 32},
		"another beginning":         {0, 0},
	} {
		kept := bytes.Clone(info)
		binary.LittleEndian.PutUint64(info[c.at:], c.value)
		if got := goVersion(file); got != "" {
			t.Errorf("%s: %q", what, got)
		}
		copy(info, kept)
	}
	// A segment that is said to be longer than any memory.
	for _, p := range file.Progs {
		p.Filesz = 1<<63 - 1
	}
	binary.LittleEndian.PutUint64(info[40:], 1<<62)
	if got := goVersion(file); got != "" {
		t.Errorf("in a segment without an end: %q", got)
	}
}

// Go's build information is found wherever it is in a large program without
// section headers, which is not held in memory.
func TestGoVersionOfLargeProgram(t *testing.T) {
	const start, size = 1 << 12, 32 << 20
	program := make([]byte, start+size)
	copy(program, "\x7fELF\x02\x01\x01")
	header := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64}
	copy(header.Ident[:], program)
	segment := elf.Prog64{Type: uint32(elf.PT_LOAD), Off: start, Vaddr: 0x400008, Filesz: size, Memsz: size}
	for at, part := range map[int]any{0: header, 64: segment} {
		if _, err := binary.Encode(program[at:], binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	info := program[start+8+size/2:] // at 0x400010 and further
	copy(info, BuildInfo+"\x08\x02")
	copy(info[32:], "\x06go1.99")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Inspect(bytes.NewReader(program), machine)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "is a Go program (go1.99) without section headers") {
		t.Error(err)
	}
	if held := after.TotalAlloc - before.TotalAlloc; held > 1<<20 {
		t.Errorf("%d bytes of memory for a program of %d", held, len(program))
	}
}
