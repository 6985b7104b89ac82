package javakeys

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

// FuzzPacket: what can be read is written again as it was, and no length is
// believed before the bytes are there.
func FuzzPacket(f *testing.F) {
	f.Add((&packet{id: 1, command: vmIDSizes}).append(nil))
	f.Add((&packet{id: 7, reply: true, failure: 113, data: []byte{1, 2, 3}}).append(nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 64, 100})
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := readPacket(bytes.NewReader(data))
		if err != nil {
			return
		}
		again := p.append(nil)
		if p.reply {
			again[8] = data[8] // its other bits mean nothing
		} else {
			again[8] = data[8]
		}
		if !bytes.HasPrefix(data, again) {
			t.Errorf("%x is written as %x", data, again)
		}
	})
}

// reply returns a reply of a JVM.
func reply(id uint32, data ...byte) []byte {
	return (&packet{id: id, reply: true, data: data}).append(nil)
}

// FuzzJVM: a JVM that says anything neither stops the listener nor has it write
// what is no secret.
func FuzzJVM(f *testing.F) {
	sizes := reply(1, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0, 8)
	requests := append(append(reply(2, 0, 0, 0, 1), reply(3, 0, 0, 0, 2)...), reply(4, 0, 0, 0, 3)...)
	started := append(append([]byte{}, sizes...), requests...)
	breakpoint := []byte{suspendThread, 0, 0, 0, 1, eventBreakpoint, 0, 0, 0, 1}
	breakpoint = append(append(breakpoint, make([]byte, 8)...), 1)
	breakpoint = append(breakpoint, make([]byte, 24)...)
	f.Add(started)
	f.Add(reply(1, 0, 0, 0, 9, 0, 0, 0, 0))
	f.Add(append(started, (&packet{id: 1, command: eventComposite, data: breakpoint}).append(nil)...))
	f.Add(append(started, (&packet{id: 1, command: eventComposite, data: []byte{2, 0x7f, 0xff, 0xff, 0xff, 90}}).append(nil)...))
	f.Add([]byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var log bytes.Buffer
		j := &Listener{log: &log, report: func(Report) {}, open: make(map[net.Conn]*debuggee), changed: make(chan struct{})}
		lab, jvm := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, jvm) }()
		go func() {
			_, _ = jvm.Write(data)
			jvm.Close()
		}()
		done := make(chan struct{})
		go func() {
			defer close(done)
			j.debug(lab, bufio.NewReader(lab), "a test")
		}()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatal("a JVM that has ended is still waited for")
		}
		if log.Len() > 0 && bytes.Count(log.Bytes(), []byte("\n")) == 0 {
			t.Errorf("the log has %q", &log)
		}
	})
}

// TestOnlyReads: no command that lab sends changes a value of the program, or
// runs code in it.
func TestOnlyReads(t *testing.T) {
	changing := map[command]string{
		{1, 10}: "Exit", {1, 18}: "RedefineClasses", {3, 2}: "SetValues of a class", {3, 3}: "InvokeMethod", {3, 4}: "NewInstance",
		{9, 3}: "SetValues of an object", {9, 6}: "InvokeMethod", {11, 10}: "Stop", {11, 11}: "Interrupt", {13, 3}: "SetValues of an array",
		{16, 2}: "SetValues of a frame", {16, 4}: "PopFrames",
	}
	for _, c := range []command{vmClassBySignature, vmDispose, vmIDSizes, vmResume, typeFields, typeMethods, objectType, objectValues, stringValue,
		threadResume, threadFrames, arrayValues, eventSet, frameValues} {
		if name, ok := changing[c]; ok {
			t.Errorf("%v is %s", c, name)
		}
	}
}
