//go:build amd64 || arm64

package gokeys

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// fileID identifies the content of a file.
type fileID struct {
	device, inode uint64
	size          int64
	changed       syscall.Timespec
}

// file is what is known of an executable file.
type file struct {
	*Program
	path       string
	err        error // why its keys cannot be had
	privileges bool  // running it changes the user, or gives capabilities
}

// placed is a program at the address that it was loaded to, which its first
// instruction has.
type placed struct {
	file  *file
	entry uint64
}

// image is a program in the memory of a process. Its threads and the processes
// that it forks share it.
type image struct {
	breakpoints map[uint64]breakpoint // of all processes with the program at that address
	logs        bool                  // it may log its secrets by itself
	alone       bool                  // it is not to be traced
	prepared    bool
	began       bool  // it has just begun to execute
	ring        *ring // nil: its secrets come by breakpoints alone
}

// breakpoint is at the first instruction of a function.
type breakpoint struct {
	Instruction
	// met does what lab has to do, and reports whether the thread is to go on
	// from the instruction. If not, met has changed the registers or will let
	// it go on later.
	met func(*Trace, *hit) (goesOn bool)
	// storable says that a jump to storeSecret can take its place.
	storable bool
}

// load looks at the program that a process has just begun to execute.
func (t *Trace) load(pid int) *image {
	f, err := t.executable(pid)
	if err != nil {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		t.say(&ProgramError{strings.TrimSpace(string(name)), "may not be read, so that it cannot be traced either; if it is setuid, it has not gained its privileges"})
		return &image{alone: true}
	}
	if f.privileges && !t.capable {
		if err := restart(pid); err == nil {
			return &image{alone: true}
		}
		t.say(&ProgramError{f.path, "gains privileges when it starts (setuid), which it cannot while lab exec traces it: sudo lab exec -- COMMAND"})
		return &image{}
	}
	switch {
	case f.Traces && (pid == t.root || f.hasSecrets()) && !f.Logs:
		t.say(&ProgramError{f.path, "traces programs by itself, which only one can: Go programs that it starts, and itself, run without their keys logged"})
		return &image{alone: true}
	case f.Traces:
		return &image{alone: true}
	case f.err != nil:
		t.say(&ProgramError{f.path, f.err.Error()})
	}
	i, err := t.place(pid, f)
	if err != nil {
		t.say(&ProgramError{f.path, fmt.Sprintf("cannot be looked at: %v", err)})
	}
	i.began = true
	return i
}

// place returns the image of a file at the address that it was loaded to.
func (t *Trace) place(pid int, f *file) (*image, error) {
	i := &image{logs: f.Logs}
	if !f.hasSecrets() {
		return i, nil
	}
	entry, err := entryOf(pid)
	if err != nil {
		return i, err
	}
	where := placed{f, entry}
	if i.breakpoints = t.breakpoints[where]; i.breakpoints == nil {
		i.breakpoints = make(map[uint64]breakpoint)
		t.breakpoints[where] = i.breakpoints
	}
	set := func(functions []Function, storable bool, met func(*Trace, *hit) bool) {
		for _, function := range functions {
			i.breakpoints[function.Address+entry-f.Entry] = breakpoint{Instruction: function.First, met: met, storable: storable}
		}
	}
	set(f.Secrets, !f.Logs, (*Trace).goSecret)
	if f.OpenSSL.Address != 0 {
		set([]Function{f.OpenSSL}, false, (*Trace).opensslSecret)
	}
	if t.o.Relay != nil {
		set(f.Connects, false, (*Trace).connect)
		set(f.PeerNames, false, (*Trace).peerName)
	}
	return i, nil
}

// executable returns what is known of the program of a process.
func (t *Trace) executable(pid int) (*file, error) {
	link := fmt.Sprintf("/proc/%d/exe", pid)
	r, err := os.Open(link)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return nil, err
	}
	stat := info.Sys().(*syscall.Stat_t)
	id := fileID{stat.Dev, stat.Ino, stat.Size, stat.Ctim}
	if known := t.files[id]; known != nil {
		return known, nil
	}
	f := &file{privileges: gainsPrivileges(r, stat)}
	f.path, _ = os.Readlink(link)
	f.Program, f.err = Inspect(r, machine)
	t.files[id] = f
	return f, nil
}

// HasSecrets reports whether the functions that get TLS secrets are found in
// the program at path.
func HasSecrets(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	p, _ := Inspect(file, machine)
	return p.hasSecrets()
}

// entryOf returns the address of the first instruction of a process's program
// (getauxval(3)).
func entryOf(pid int) (uint64, error) {
	const entry = 9 // AT_ENTRY
	vector, err := os.ReadFile(fmt.Sprintf("/proc/%d/auxv", pid))
	for ; len(vector) >= 16; vector = vector[16:] {
		if binary.NativeEndian.Uint64(vector) == entry {
			return binary.NativeEndian.Uint64(vector[8:]), nil
		}
	}
	if err == nil {
		err = os.ErrNotExist
	}
	return 0, err
}

// prepare sets the breakpoints of an image by a thread that has stopped.
func (t *Trace) prepare(tid int, i *image) {
	if i == nil || i.prepared || t.leaving {
		return
	}
	i.prepared = true
	if i.began {
		t.install(tid, i)
	}
	options := follows
	if len(i.breakpoints) > 0 {
		options |= unix.PTRACE_O_EXITKILL
	}
	if i.ring != nil {
		options |= unix.PTRACE_O_TRACEEXIT
	}
	if syscall.PtraceSetOptions(tid, options) != nil {
		return // it was killed
	}
	for address := range i.breakpoints {
		if i.ring.stores(address) {
			continue
		}
		if err := poke(tid, address, trap); err != nil {
			t.say(&SystemError{"a breakpoint cannot be set", err})
		}
	}
}

// clear takes the breakpoints out of the memory of a thread that has stopped.
func (t *Trace) clear(tid int, k *task) {
	i := t.imageOf(tid, k)
	if i.ring != nil {
		i.ring.close(tid)
		_, _ = t.drain(i.ring)
	}
	for address, first := range i.breakpoints {
		there := make([]byte, len(first.code))
		if peek(tid, there, span{address, uint64(len(there))}) == nil && bytes.HasPrefix(there, trap) {
			_ = poke(tid, address, original(there, first.code))
		}
	}
}

// imageOf returns the image of a thread. That of a new one, whose parent's stop
// was not seen yet, or which was killed before it could tell, is looked for.
func (t *Trace) imageOf(tid int, k *task) *image {
	if k.image == nil {
		if first := t.tasks[processOf(tid)]; first != nil && first.image != nil {
			k.image = first.image
			return k.image
		}
		k.image = &image{}
		if f, err := t.executable(tid); err == nil {
			k.image, _ = t.place(tid, f)
			k.image.prepared = true
		}
	}
	return k.image
}
