package tlswire

import (
	"fmt"
	"sync"
)

// Error says why bytes are not the message they claim to be, and where.
type Error struct {
	Field  string // the field that could not be read, in the RFC's words
	Offset int    // from the start of the message, its header included
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s at byte %d: %s", e.Field, e.Offset, e.Reason)
}

// layout is anything whose bytes a codec can walk.
type layout interface{ wire(c *codec) }

// codec walks a layout in one of three ways: it reads in into the layout's
// values, or writes the values to out, or writes them and notes the fields.
// After the first error each step does nothing.
type codec struct {
	reading bool
	in      []byte // what is left to read
	end     int    // offset in the message of the end of in
	memory  *Memory

	out     []byte
	tracing bool
	fields  []Field // the fields noted at the present depth

	err error
}

// decode reads all of b into l, whose extensions are stored in m. The bytes
// start at the given offset of their message.
func decode(b []byte, offset int, l layout, m *Memory) error {
	c := codecs.Get().(*codec)
	c.reading, c.in, c.end, c.memory = true, b, offset+len(b), m
	err := c.whole(l)
	*c = codec{}
	codecs.Put(c)
	return err
}

// codecs is a pool of idle codecs.
var codecs = sync.Pool{New: func() any { return new(codec) }}

// whole reads all of the input into l.
func (c *codec) whole(l layout) error {
	l.wire(c)
	if c.err == nil && len(c.in) > 0 {
		c.fail("end of message", fmt.Sprintf("%d bytes too many", len(c.in)))
	}
	return c.err
}

func (c *codec) fail(field, reason string) {
	if c.err == nil {
		at := len(c.out)
		if c.reading {
			at = c.end - len(c.in)
		}
		c.err = &Error{Field: field, Offset: at, Reason: reason}
	}
}

func (c *codec) take(name string, n int) []byte {
	if c.err != nil {
		return nil
	}
	if n < 0 || n > len(c.in) {
		c.fail(name, fmt.Sprintf("wants %d bytes, %d are left", n, len(c.in)))
		return nil
	}
	b := c.in[:n]
	c.in = c.in[n:]
	return b
}

func (c *codec) note(f Field) {
	if c.tracing {
		c.fields = append(c.fields, f)
	}
}

// valued replaces the value of the latest field.
func (c *codec) valued(value func() string) {
	if c.tracing && c.err == nil && len(c.fields) > 0 {
		c.fields[len(c.fields)-1].Value = value()
	}
}

// has reports whether an optional last part of a structure is there: when
// reading, whether bytes are left for it.
func (c *codec) has(present bool) bool {
	if c.reading {
		return c.err == nil && len(c.in) > 0
	}
	return present
}

func bigEndian(b []byte) (n uint32) {
	for _, x := range b {
		n = n<<8 | uint32(x)
	}
	return n
}

func putBigEndian(b []byte, n int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i], n = byte(n), n>>8
	}
}

// number is an unsigned integer of size bytes.
func number[T ~uint8 | ~uint16 | ~uint32](c *codec, size int, name string, v *T, note string) {
	if c.err != nil {
		return
	}
	if c.reading {
		*v = T(bigEndian(c.take(name, size)))
		return
	}
	at := len(c.out)
	c.out = append(c.out, make([]byte, size)...)
	putBigEndian(c.out[at:], int(*v))
	if c.tracing {
		c.note(Field{Name: name, Offset: at, Length: size, Value: fmt.Sprint(*v), Note: note})
	}
}

// fixed is as many bytes as v has.
func (c *codec) fixed(name string, v []byte, note string) {
	if c.err != nil {
		return
	}
	if c.reading {
		copy(v, c.take(name, len(v)))
		return
	}
	if c.tracing {
		c.note(Field{Name: name, Offset: len(c.out), Length: len(v), Value: short(v), Note: note})
	}
	c.out = append(c.out, v...)
}

// rest is all that is left of the enclosing vector or message.
func (c *codec) rest(name string, v *[]byte, note string) {
	if c.err != nil {
		return
	}
	if c.reading {
		*v = c.take(name, len(c.in))
		return
	}
	if c.tracing && len(*v) > 0 {
		c.note(Field{Name: name, Offset: len(c.out), Length: len(*v), Value: short(*v), Note: note})
	}
	c.out = append(c.out, *v...)
}

// opaque is a vector of bytes behind a length of size bytes
// (RFC 9846 section 3.4).
func opaque[T ~[]byte | ~string](c *codec, size int, name string, v *T, note string) {
	if c.err != nil {
		return
	}
	if c.reading {
		*v = T(c.take(name, int(bigEndian(c.take(name, size)))))
		return
	}
	at := c.open(size)
	c.out = append(c.out, *v...)
	c.close(name, at, size)
	if c.tracing {
		c.note(Field{Name: name, Offset: at, Length: len(c.out) - at, Prefix: size, Value: render(*v), Note: note})
	}
}

// vector is a structure behind a length of size bytes, which it must fill.
func (c *codec) vector(size int, name, note string, body func()) {
	if c.err != nil {
		return
	}
	if c.reading {
		b := c.take(name, int(bigEndian(c.take(name, size))))
		if c.err != nil {
			return
		}
		outer, end := c.in, c.end
		c.in, c.end = b, c.end-len(outer)
		body()
		if c.err == nil && len(c.in) > 0 {
			c.fail(name, fmt.Sprintf("%d bytes too many", len(c.in)))
		}
		c.in, c.end = outer, end
		return
	}
	at := c.open(size)
	inner := c.within(body)
	c.close(name, at, size)
	c.note(Field{Name: name, Offset: at, Length: len(c.out) - at, Prefix: size, Note: note, Fields: inner})
}

// group is a structure with a name of its own and no length.
func (c *codec) group(name, note string, body func()) {
	if c.err != nil {
		return
	}
	if c.reading {
		body()
		return
	}
	at := len(c.out)
	inner := c.within(body)
	if len(c.out) > at {
		c.note(Field{Name: name, Offset: at, Length: len(c.out) - at, Note: note, Fields: inner})
	}
}

func (c *codec) within(body func()) []Field {
	outer := c.fields
	c.fields = nil
	body()
	inner := c.fields
	c.fields = outer
	return inner
}

func (c *codec) open(size int) (at int) {
	at = len(c.out)
	c.out = append(c.out, make([]byte, size)...)
	return at
}

func (c *codec) close(name string, at, size int) {
	n := len(c.out) - at - size
	if uint64(n)>>(8*size) != 0 {
		c.fail(name, fmt.Sprintf("%d bytes do not fit a length of %d bytes", n, size))
		return
	}
	putBigEndian(c.out[at:at+size], n)
}

// list is a vector of items. It is read as non-nil: present, if empty.
func list[T any](c *codec, size int, name string, v *[]T, note string, each func(*T)) {
	c.vector(size, name, note, func() {
		if c.reading {
			for *v = []T{}; c.err == nil && len(c.in) > 0; {
				var empty T
				*v = append(*v, empty)
				each(&(*v)[len(*v)-1])
			}
			return
		}
		for i := range *v {
			each(&(*v)[i])
		}
	})
	c.valued(func() string { return summary(c.fields[len(c.fields)-1].Fields) })
}

// numbers is a list of integers of width bytes each.
func numbers[T ~uint8 | ~uint16 | ~uint32](c *codec, size, width int, name, item string, v *[]T, note string) {
	if b, ok := c.ahead(size); ok && len(b)%width == 0 {
		c.in = c.in[size+len(b):]
		*v = make([]T, len(b)/width)
		for i := range *v {
			(*v)[i] = T(bigEndian(b[i*width : i*width+width]))
		}
		return
	}
	list(c, size, name, v, note, func(x *T) { number(c, width, item, x, "") })
}

// ahead returns the content of the vector that comes next, if c reads and all
// of it is there. It is for lists that messages have much of: they are read
// from it directly, in a fraction of the time. Of one that is malformed, list
// says where.
func (c *codec) ahead(size int) (b []byte, ok bool) {
	if !c.reading || c.err != nil || len(c.in) < size {
		return nil, false
	}
	if n := size + int(bigEndian(c.in[:size])); n <= len(c.in) {
		return c.in[size:n], true
	}
	return nil, false
}
