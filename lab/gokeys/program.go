package gokeys

import (
	"bytes"
	"debug/elf"
	"debug/gosym"
	"encoding/binary"
	"errors"
	"fmt"
	"go/version"
	"io"
	"regexp"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/text"
)

// Program is what is known of an executable file.
type Program struct {
	// Entry is the address of its first instruction as the file has it.
	Entry uint64
	// Traces says that it may use ptrace itself.
	Traces bool
	// Logs says that it knows $SSLKEYLOGFILE, so that it may log its secrets by
	// itself.
	Logs bool
	// Secrets are the functions that get each TLS secret: that of crypto/tls,
	// and of copies of it such as utls'.
	Secrets []Function
	// OpenSSL is its function that gets each TLS secret, in a program that has
	// OpenSSL linked into itself and the names of its functions; the address is
	// 0 in others.
	OpenSSL Function
	// Connects and PeerNames are connect(2) and getpeername(2) as Go's package
	// net calls them.
	Connects, PeerNames []Function
}

// Function is a function of a program in Go.
type Function struct {
	Address uint64 // as the file has it
	First   Instruction
}

// Oldest Go versions that pass arguments in registers.
var oldest = map[elf.Machine]string{elf.EM_X86_64: "go1.17", elf.EM_AARCH64: "go1.18"}

// writeKeyLog finds the functions of crypto/tls and its copies.
var writeKeyLog = text.Pattern(`\.\(\*[Cc]onfig\)\.writeKeyLog$`)

var (
	connect     = text.Pattern(`^syscall\.connect$`)
	getpeername = text.Pattern(`^syscall\.getpeername$`)
)

// tracing are functions of Go packages that trace.
var tracing = []string{"syscall.ptrace\x00", "syscall.ptracePtr\x00", "golang.org/x/sys/unix.ptrace\x00", "golang.org/x/sys/unix.ptracePtr\x00"}

// Inspect looks at an executable file. An error says why the keys of a Go
// program cannot be had; it is a sentence's predicate. Programs that are not
// written in Go, and those without crypto/tls, have no Secrets and no error.
func Inspect(r io.ReaderAt, machine elf.Machine) (*Program, error) {
	file, err := elf.NewFile(r)
	if err != nil {
		return &Program{}, nil // no program of this system, so that it does not run either
	}
	p := &Program{Entry: file.Entry}
	if imported, err := file.ImportedSymbols(); err == nil {
		p.Traces = slices.ContainsFunc(imported, func(s elf.ImportedSymbol) bool { return s.Name == "ptrace" })
	}
	p.OpenSSL = opensslSecrets(file, machine)
	p.Logs = (p.Traces || p.OpenSSL.Address != 0) && names(file, "SSLKEYLOGFILE")
	address, table := lineTable(file)
	if table == nil {
		switch version := goVersion(file); {
		case version != "" && len(file.Sections) == 0:
			return p, fmt.Errorf("is a Go program (%s) without section headers, by which lab finds its functions: it was stripped of them", version)
		case version != "":
			return p, fmt.Errorf("is a Go program (%s) without a table of its functions (.gopclntab)", version)
		}
		return p, nil
	}
	p.Logs = names(file, "SSLKEYLOGFILE")
	p.Traces = p.Traces || slices.ContainsFunc(tracing, func(name string) bool { return bytes.Contains(table, []byte(name)) })
	if !bytes.Contains(table, []byte("crypto/tls.(*Conn).")) {
		return p, nil
	}
	if file.Machine != machine {
		return p, errors.New("is for another processor than lab")
	}
	if minor, _, _ := strings.Cut(goVersion(file), " "); version.IsValid(minor) && version.Compare(minor, oldest[machine]) < 0 {
		return p, fmt.Errorf("is built with %s, and lab knows where keys pass from %s on", minor, oldest[machine])
	}
	if !bytes.Contains(table, []byte(".writeKeyLog\x00")) {
		return p, errors.New("has no function crypto/tls.(*Config).writeKeyLog, where keys pass: its names were obfuscated, or it was inlined")
	}
	functions, err := find(file, address, table, writeKeyLog(), connect(), getpeername())
	if err != nil {
		return p, err
	}
	p.Secrets, p.Connects, p.PeerNames = functions[0], functions[1], functions[2]
	return p, nil
}

// opensslSecrets finds nss_keylog_int of OpenSSL 1.1.1 and later, which has the
// label, the connection, the client random and the secret as its arguments, and
// is called whether or not there is a callback.
func opensslSecrets(file *elf.File, machine elf.Machine) (f Function) {
	if file.Machine != machine {
		return f
	}
	symbols, _ := file.Symbols()
	for _, s := range symbols {
		if s.Name != "nss_keylog_int" || elf.ST_TYPE(s.Info) != elf.STT_FUNC {
			continue
		}
		if first, ok := cPrologue(machine, codeAt(file, s.Value)); ok {
			return Function{s.Value, first}
		}
	}
	return f
}

func (p *Program) hasSecrets() bool { return len(p.Secrets) > 0 || p.OpenSSL.Address != 0 }

// names reports whether a text is among a program's constants.
func names(file *elf.File, text string) bool {
	s := file.Section(".rodata")
	if s == nil || s.Type == elf.SHT_NOBITS {
		return false
	}
	constants, _ := s.Data()
	return bytes.Contains(constants, []byte(text))
}

// lineTable returns the table that says where functions are, and its address.
// The system's linker puts that of a position-independent program of Go 1.25
// and earlier among other data.
func lineTable(file *elf.File) (address uint64, table []byte) {
	for _, s := range file.Sections {
		if s.Type == elf.SHT_NOBITS {
			continue
		}
		if strings.HasSuffix(s.Name, ".gopclntab") {
			table, _ = s.Data()
			return s.Addr, table
		}
	}
	s := file.Section(".data.rel.ro")
	if s == nil || s.Type == elf.SHT_NOBITS {
		return 0, nil
	}
	data, _ := s.Data()
	for at := 0; at+8 <= len(data); at += 8 {
		if isTableStart(file, data[at:]) {
			return s.Addr + uint64(at), data[at:]
		}
	}
	return 0, nil
}

// isTableStart reports whether b begins like a table of Go 1.18 or later: a
// magic number, two bytes of 0, and the sizes of an instruction and a pointer.
func isTableStart(file *elf.File, b []byte) bool {
	const go118, go120 = 0xfffffff0, 0xfffffff1
	instruction := map[elf.Machine]byte{elf.EM_X86_64: 1, elf.EM_AARCH64: 4}[file.Machine]
	magic := file.ByteOrder.Uint32(b)
	return (magic == go118 || magic == go120) && b[4] == 0 && b[5] == 0 && b[6] == instruction && b[7] == 8
}

// find returns the functions with each of those names. There must be one with
// the first. The table counts from the address of Go's own code, which is the
// start of .text but for programs that the system's linker has linked.
func find(file *elf.File, tableAddr uint64, table []byte, names ...*regexp.Regexp) ([][]Function, error) {
	const startInTable = 24 // until Go 1.25; 0 if the program is position-independent
	starts := moduleText(file, tableAddr)
	if len(table) >= startInTable+8 {
		if start := file.ByteOrder.Uint64(table[startInTable:]); start != 0 {
			starts = append(starts, start)
		}
	}
	if text := file.Section(".text"); text != nil {
		starts = append(starts, text.Addr)
	}
	for _, start := range starts {
		symbols, err := gosym.NewTable(nil, gosym.NewLineTable(table, start))
		if err != nil {
			return nil, fmt.Errorf("has a table of its functions that cannot be read: %w", err)
		}
		found := make([][]Function, len(names))
		for _, f := range symbols.Funcs {
			i := slices.IndexFunc(names, func(name *regexp.Regexp) bool { return name.MatchString(f.Name) })
			if i < 0 {
				continue
			}
			if first, ok := prologue(file.Machine, codeAt(file, f.Entry)); ok {
				found[i] = append(found[i], Function{f.Entry, first})
			}
		}
		if len(found[0]) > 0 {
			return found, nil
		}
	}
	return nil, errors.New("begins its function crypto/tls.(*Config).writeKeyLog, where keys pass, in a way that lab does not know")
}

// codeAt returns the bytes at an address, as many as an instruction may have.
func codeAt(file *elf.File, addr uint64) []byte { return bytesAt(file, addr, 16) }

// textField is the offset of text in Go's runtime.moduledata, whose first field
// is the address of the line table.
const textField = 22 * 8

// moduleText returns the start of Go's code as runtime.moduledata has it, which
// is found by its pointer to the line table: in the data or, if the program is
// position-independent, in its relocations.
func moduleText(file *elf.File, table uint64) (starts []uint64) {
	for _, s := range file.Sections {
		if s.Type == elf.SHT_NOBITS {
			continue
		}
		switch {
		case s.Name == ".go.module" || s.Name == ".data" || s.Name == ".noptrdata" || s.Name == ".data.rel.ro":
			data, _ := s.Data()
			for at := range len(data) / 8 {
				if at*8+textField+8 <= len(data) && file.ByteOrder.Uint64(data[at*8:]) == table {
					starts = append(starts, file.ByteOrder.Uint64(data[at*8+textField:]))
				}
			}
		case s.Type == elf.SHT_RELA && s.Flags&elf.SHF_ALLOC != 0:
			data, _ := s.Data()
			starts = append(starts, relocatedText(file.ByteOrder, data, table)...)
		}
	}
	return slices.DeleteFunc(starts, func(start uint64) bool { return start == 0 })
}

// relocatedText is moduleText for relocations: offset, kind, value.
func relocatedText(order binary.ByteOrder, relocations []byte, table uint64) (starts []uint64) {
	const size = 24
	var fields []uint64
	for r := range slices.Chunk(relocations, size) {
		if len(r) == size && order.Uint64(r[16:]) == table {
			fields = append(fields, order.Uint64(r)+textField)
		}
	}
	for r := range slices.Chunk(relocations, size) {
		if len(r) == size && slices.Contains(fields, order.Uint64(r)) {
			starts = append(starts, order.Uint64(r[16:]))
		}
	}
	return starts
}
