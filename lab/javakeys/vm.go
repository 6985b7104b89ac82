package javakeys

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// handshakeTimeout is how long a JVM may take until it answers the first
	// commands.
	handshakeTimeout = 30 * time.Second
	// maxStopped bounds the threads of a JVM that are at a breakpoint at once.
	maxStopped = 1 << 14
)

// vm is a JVM at the other end of a JDWP connection.
type vm struct {
	conn  net.Conn
	sizes idSizes

	writing sync.Mutex
	mu      sync.Mutex
	last    uint32                  // id of a command
	waiting map[uint32]chan *packet // for the reply to it
	err     error                   // why the connection has ended
	stopped chan struct{}           // one place for each event that is being served
}

// failure is a command that the JVM could not carry out, by JDWP's error code.
type failure struct {
	command command
	code    uint16
}

func (f *failure) Error() string {
	return fmt.Sprintf("the JVM answers JDWP command %d/%d with error %d", f.command[0], f.command[1], f.code)
}

func newVM(conn net.Conn) *vm {
	return &vm{conn: conn, waiting: make(map[uint32]chan *packet), stopped: make(chan struct{}, maxStopped)}
}

// run reads until the connection ends. It hands each composite event to serve,
// on a goroutine of its own.
func (v *vm) run(in *bufio.Reader, serve func(*packet)) error {
	for {
		p, err := readPacket(in)
		switch {
		case err != nil:
		case p.reply:
			v.mu.Lock()
			answer := v.waiting[p.id]
			delete(v.waiting, p.id)
			v.mu.Unlock()
			if answer != nil {
				answer <- p
			}
		case p.command == eventComposite:
			select {
			case v.stopped <- struct{}{}:
				go func() {
					serve(p)
					<-v.stopped
				}()
			default:
				err = errors.New("too many threads of the JVM are at a breakpoint")
			}
		}
		if err != nil {
			v.end(err)
			return err
		}
	}
}

// end fails all commands whose reply has not come.
func (v *vm) end(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.err = err
	for _, answer := range v.waiting {
		close(answer)
	}
	v.waiting = nil
}

// call is a command that was sent.
type call struct {
	vm      *vm
	command command
	answer  chan *packet
	err     error
}

// send sends commands in one write. Their replies are read by wait.
func (v *vm) send(requests ...packet) []call {
	calls := make([]call, len(requests))
	var b []byte
	v.mu.Lock()
	for i := range requests {
		v.last++
		requests[i].id = v.last
		calls[i] = call{vm: v, command: requests[i].command, err: v.err}
		if v.err == nil {
			calls[i].answer = make(chan *packet, 1)
			v.waiting[v.last] = calls[i].answer
		}
		b = requests[i].append(b)
	}
	v.mu.Unlock()
	v.writing.Lock()
	defer v.writing.Unlock()
	_, _ = v.conn.Write(b) // an error ends the reader too
	return calls
}

// wait returns the reply.
func (c *call) wait() (*decoder, error) {
	if c.err != nil {
		return nil, c.err
	}
	p, ok := <-c.answer
	switch {
	case !ok:
		return nil, io.ErrUnexpectedEOF
	case p.failure != 0:
		return nil, &failure{c.command, p.failure}
	}
	return &decoder{b: p.data}, nil
}

// ask sends one command and returns its reply.
func (v *vm) ask(c command, data []byte) (*decoder, error) {
	return v.send(packet{command: c, data: data})[0].wait()
}

func (v *vm) readSizes() error {
	d, err := v.ask(vmIDSizes, nil)
	if err != nil {
		return err
	}
	v.sizes = idSizes{field: d.int(), method: d.int(), object: d.int(), class: d.int(), frame: d.int()}
	if d.err == nil && !v.sizes.valid() {
		d.err = errors.New("the JVM has identifiers of an impossible size")
	}
	return d.err
}

func (v *vm) object(o id) []byte { return appendID(nil, o, v.sizes.object) }
func (v *vm) class(c id) []byte  { return appendID(nil, c, v.sizes.class) }

// resume lets one thread go on, or all if thread is 0.
func (v *vm) resume(thread id) {
	if thread == 0 {
		v.send(packet{command: vmResume})
		return
	}
	v.send(v.resumption(thread))
}

func (v *vm) resumption(thread id) packet {
	return packet{command: threadResume, data: v.object(thread)}
}

// member is a field or a method.
type member struct {
	id              id
	name, signature string
	static          bool
}

// members asks for the fields or the methods of a class.
func (v *vm) members(of command, class id) ([]member, error) {
	d, err := v.ask(of, v.class(class))
	if err != nil {
		return nil, err
	}
	size := v.sizes.method
	if of == typeFields {
		size = v.sizes.field
	}
	const static = 0x0008
	list := make([]member, 0, d.count(size+12))
	for range cap(list) {
		m := member{id: d.id(size), name: d.string(), signature: d.string()}
		m.static = d.int()&static != 0
		list = append(list, m)
	}
	return list, d.err
}

// classBySignature returns the first class with a signature, 0 if none is
// loaded.
func (v *vm) classBySignature(signature string) (id, error) {
	d, err := v.ask(vmClassBySignature, appendString(nil, signature))
	if err != nil {
		return 0, err
	}
	if d.count(5+v.sizes.class) == 0 {
		return 0, d.err
	}
	d.byte() // the kind
	return d.id(v.sizes.class), d.err
}

// awaitClass asks for an event when a class of that name has been loaded. It
// stops the thread that loads it.
func (v *vm) awaitClass(name string) error {
	b := []byte{eventClassPrepare, suspendThread}
	b = appendInt(b, 1)
	b = append(b, onlyClass)
	_, err := v.ask(eventSet, appendString(b, name))
	return err
}

// setBreakpoint asks for an event at the entry of a method. It stops the
// thread.
func (v *vm) setBreakpoint(class, method id) error {
	b := []byte{eventBreakpoint, suspendThread}
	b = appendInt(b, 1)
	b = append(b, onlyLocation, typeIsClass)
	b = appendID(b, class, v.sizes.class)
	b = appendID(b, method, v.sizes.method)
	_, err := v.ask(eventSet, append(b, 0, 0, 0, 0, 0, 0, 0, 0))
	return err
}

// Kinds of events, the threads that they stop, and what restricts them.
const (
	eventBreakpoint   = 2
	eventClassPrepare = 8
	eventVMStart      = 90
	eventVMDeath      = 99

	suspendThread = 1
	suspendAll    = 2

	onlyClass    = 5
	onlyLocation = 7
	typeIsClass  = 1
)

// event is a VM start, a class that was loaded, or a breakpoint.
type event struct {
	kind      byte
	thread    id
	class     id
	signature string // of a class that was loaded
	alone     bool   // nothing else has stopped the thread
}

// readEvents reads a composite event: which threads it has stopped, and what
// has happened. What follows an event of another kind cannot be read.
func (v *vm) readEvents(data []byte) (suspended byte, events []event, err error) {
	d := &decoder{b: data}
	suspended = d.byte()
	for range d.count(5) {
		e := event{kind: d.byte()}
		d.int() // the request
		switch e.kind {
		case eventVMStart:
			e.thread = d.id(v.sizes.object)
		case eventVMDeath:
		case eventClassPrepare:
			e.thread = d.id(v.sizes.object)
			d.byte() // the kind of type
			e.class = d.id(v.sizes.class)
			e.signature = d.string()
			d.int() // status
		case eventBreakpoint:
			e.thread = d.id(v.sizes.object)
			d.byte()
			e.class = d.id(v.sizes.class)
			d.id(v.sizes.method)
			d.take(8) // the index of its code
		default:
			return suspended, events, fmt.Errorf("the JVM sends an event %d that was not asked for", e.kind)
		}
		if d.err != nil {
			break
		}
		events = append(events, e)
	}
	return suspended, events, d.err
}
