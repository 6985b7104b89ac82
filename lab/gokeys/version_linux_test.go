package gokeys

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"os"
	"runtime"
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
	if want, err := buildinfo.Read(bytes.NewReader(program)); err != nil || want.GoVersion != version {
		t.Fatalf("the test's own table: %v", err)
	}
	if got := goVersion(file); got != version {
		t.Errorf("by addresses: %q, not %q", got, version)
	}
	binary.LittleEndian.PutUint64(info[32:], 0)
	if got := goVersion(file); got != "" {
		t.Errorf("by an address of nothing: %q", got)
	}
}
