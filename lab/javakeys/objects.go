package javakeys

import (
	"errors"
	"fmt"
	"sync"
)

func signatureOf(class string) string {
	b := []byte("L" + class + ";")
	for i, c := range b {
		if c == '.' {
			b[i] = '/'
		}
	}
	return string(b)
}

// field returns a field of a class that has been loaded.
func (d *debuggee) field(class, name, signature string) (id, error) {
	d.mu.Lock()
	known, ok := d.fields[class+name]
	d.mu.Unlock()
	if ok {
		return known, nil
	}
	c, err := d.classBySignature(class)
	if err != nil {
		return 0, err
	}
	if c == 0 {
		return 0, errUnknownJDK
	}
	fields, err := d.members(typeFields, c)
	if err != nil {
		return 0, err
	}
	f, ok := find(fields, name, signature)
	if !ok {
		return 0, errUnknownJDK
	}
	d.mu.Lock()
	d.fields[class+name] = f
	d.mu.Unlock()
	return f, nil
}

func find(members []member, name, signature string) (id, bool) {
	for _, m := range members {
		if m.name == name && m.signature == signature && !m.static {
			return m.id, true
		}
	}
	return 0, false
}

// arguments returns the objects that a method, which a thread has just entered,
// has as arguments in those slots.
func (d *debuggee) arguments(thread id, slots ...int) ([]id, error) {
	valuesIn := func(frame id) packet {
		b := appendID(d.object(thread), frame, d.sizes.frame)
		b = appendInt(b, len(slots))
		for _, slot := range slots {
			b = append(appendInt(b, slot), tagObject)
		}
		return packet{command: frameValues, data: b}
	}
	if expected := d.frames.expected(thread); expected != 0 {
		objects, err := d.values(&d.send(valuesIn(expected))[0], len(slots))
		if !errors.As(err, new(*failure)) {
			d.frames.seen(thread, expected)
			return objects, err
		}
	}
	in, err := d.ask(threadFrames, append(d.object(thread), 0, 0, 0, 0, 0, 0, 0, 1))
	if err != nil {
		return nil, err
	}
	if in.count(d.sizes.frame) == 0 {
		return nil, errShort
	}
	frame := in.id(d.sizes.frame)
	if in.err != nil {
		return nil, in.err
	}
	d.frames.seen(thread, frame)
	return d.values(&d.send(valuesIn(frame))[0], len(slots))
}

// frames expects the ids of frames, which saves asking for them: OpenJDK's
// agent counts how often each thread has gone on, and refuses the id of a frame
// of another time.
type frames struct {
	mu   sync.Mutex
	last map[id]id // by thread
	step id        // from one to the next
}

// expected returns the id of the frame that a thread has just entered, 0 if
// nothing is known.
func (f *frames) expected(thread id) id {
	f.mu.Lock()
	defer f.mu.Unlock()
	last, ok := f.last[thread]
	if !ok || f.step == 0 {
		return 0
	}
	return last + f.step
}

func (f *frames) seen(thread, frame id) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if last, ok := f.last[thread]; ok {
		f.step = frame - last
	}
	remember(f.last, thread, frame)
}

// Tags of values.
const (
	tagObject = 'L'
	tagArray  = '['
	tagString = 's'
	tagByte   = 'B'
)

func (d *debuggee) valuesOf(object id, fields ...id) packet {
	b := d.object(object)
	n := 0
	for _, f := range fields {
		if f != 0 {
			n++
		}
	}
	b = appendInt(b, n)
	for _, f := range fields {
		if f != 0 {
			b = appendID(b, f, d.sizes.field)
		}
	}
	return packet{command: objectValues, data: b}
}

// values returns n objects, none of which is null.
func (d *debuggee) values(c *call, n int) ([]id, error) {
	in, err := c.wait()
	if err != nil {
		return nil, err
	}
	if in.count(1+d.sizes.object) != n {
		return nil, errShort
	}
	objects := make([]id, n)
	for i := range objects {
		in.byte() // the tag
		if objects[i] = in.id(d.sizes.object); objects[i] == 0 && in.err == nil {
			return nil, errOpaqueKey
		}
	}
	return objects, in.err
}

// elements asks for all elements of an array, which the length -1 stands for in
// every JVM that has OpenJDK's agent.
func (d *debuggee) elements(array id) packet {
	return packet{command: arrayValues, data: append(d.object(array), 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)}
}

func byteArray(c *call) ([]byte, error) {
	in, err := c.wait()
	if err != nil {
		return nil, err
	}
	if tag := in.byte(); tag != tagByte && in.err == nil {
		return nil, fmt.Errorf("an array of the JVM has elements of type %q", tag)
	}
	b := in.take(in.int())
	if in.err == nil && (len(b) == 0 || len(b) > maxSecret) {
		return nil, fmt.Errorf("a secret of the JVM has %d bytes", len(b))
	}
	return b, in.err
}

// get returns the value of a field of an object: an id, 0 for null; an int or a
// boolean. The class is the one that declares the field.
func (d *debuggee) get(object id, class, name, signature string) (uint64, error) {
	field, err := d.field(class, name, signature)
	if err != nil {
		return 0, err
	}
	calls := d.send(d.valuesOf(object, field))
	in, err := calls[0].wait()
	if err != nil {
		return 0, err
	}
	if in.count(2) != 1 {
		return 0, errShort
	}
	size := map[byte]int{'Z': 1, 'I': 4}[in.byte()]
	if size == 0 {
		size = d.sizes.object
	}
	v := in.uint(size)
	return v, in.err
}

// bytesOf returns the elements of an array of bytes that a field holds.
func (d *debuggee) bytesOf(object id, class, name string) ([]byte, error) {
	array, err := d.get(object, class, name, "[B")
	if err != nil {
		return nil, err
	}
	if array == 0 {
		return nil, errOpaqueKey
	}
	calls := d.send(d.elements(id(array)))
	return byteArray(&calls[0])
}
