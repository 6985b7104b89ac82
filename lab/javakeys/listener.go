package javakeys

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"mtlslab.example/lab/lab/keylog"
)

// Variable is the environment variable from which the shim gives a JVM its
// options. Its value begins with the option that has the JVM connect to the
// Listener.
const Variable = "LAB_JAVA_TOOL_OPTIONS"

// Limits of what a process at the other end of a connection may take.
const (
	maxConnections = 1024 // of JVMs at a time
	maxStrangers   = 16   // connections at a time whose process is not known yet
	maxQuestion    = 256  // bytes of what the shim asks
	grantTimeout   = 2 * time.Second
	closeTimeout   = time.Second
)

// Listener takes the connections of JVMs and logs their secrets. On Linux it
// takes those alone that were started with its environment; elsewhere a process
// cannot be seen behind its connection, and any of this machine is taken.
type Listener struct {
	log     io.Writer
	report  func(Report)
	l       net.Listener
	token   string // is in the environment of this run alone
	options string // a file, see WithoutShim
	guard   func() // ends what empties it, nil if there is none

	serving sync.WaitGroup
	mu      sync.Mutex
	closed  bool
	open    map[net.Conn]*debuggee   // nil until the handshake is done
	granted int                      // JVMs that were told to connect and have not yet
	latest  time.Time                // when the last of them was told so
	changed chan struct{}            // closed and made anew when granted changes
	carries func(random []byte) bool // see Watch
	passed  func(Connection)
	seen    int
}

// Reason is why the secrets of a JVM are not logged.
type Reason uint8

// The reasons.
const (
	OwnDebugger Reason = iota + 1 // it has a debugger of its own, and a JVM takes one only
	NoDebugger                    // its image is without the module jdk.jdwp.agent
	UnknownJDK                    // its JSSE has other internals
	OpaqueKeys                    // its security provider, such as a PKCS #11 token, keeps secrets to itself
	Embedded                      // it is part of another program, which may have a debugger for it
	Unread                        // another reason: see Err
)

// Report is a JVM whose secrets are not logged.
type Report struct {
	Process string // its program and its number, where they are known
	Reason  Reason
	Err     error // of Unread
}

// Listen returns a Listener on the loopback interface that writes lines of a
// key log to log, each in one write. report is called for JVMs whose secrets
// cannot be logged, from several goroutines at once. The caller closes the
// Listener.
func Listen(log io.Writer, report func(Report)) (*Listener, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	j := &Listener{log: log, report: report, l: l, token: rand.Text(), open: make(map[net.Conn]*debuggee), changed: make(chan struct{})}
	j.serving.Go(j.accept)
	return j, nil
}

// accept takes connections. What connects while many others are looked at has
// to wait, and is not refused: a JVM would end.
func (j *Listener) accept() {
	strangers := make(chan struct{}, maxStrangers)
	for {
		strangers <- struct{}{}
		conn, err := j.l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, mostly
			<-strangers
			time.Sleep(10 * time.Millisecond)
			continue
		}
		j.serving.Go(func() {
			defer conn.Close()
			process, ok := j.descendant(conn.(*net.TCPConn))
			<-strangers
			if ok {
				j.serve(conn, process)
			}
		})
	}
}

// serve serves one connection of a process that this run has started. It is a
// JVM's, or the shim asks on behalf of one that is about to start.
func (j *Listener) serve(conn net.Conn, process string) {
	j.mu.Lock()
	if len(j.open) >= maxConnections {
		j.mu.Unlock()
		return
	}
	j.open[conn] = nil
	j.mu.Unlock()
	defer func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.open, conn)
	}()
	_ = conn.SetDeadline(time.Now().Add(handshakeTimeout))
	if _, err := io.WriteString(conn, handshake); err != nil { // a JVM waits for it
		return
	}
	in := bufio.NewReader(conn)
	first, err := in.Peek(len(question))
	if err != nil {
		return
	}
	if string(first) == question {
		j.answer(conn, in, process)
		return
	}
	got := make([]byte, len(handshake))
	if _, err := io.ReadFull(in, got); err != nil || string(got) != handshake {
		return
	}
	j.grant(-1)
	j.debug(conn, in, process)
}

// The shim asks in one line, before a JVM reads its options. The answer is the
// token and a letter, so the shim knows that lab listens.
const (
	question    = "LAB JVM "
	askStart    = "start"
	askOwn      = "own"
	askNone     = "none"
	askEmbedded = "embedded"
	answerYes   = 'y'
	answerNo    = 'n'
)

// answer answers the shim: whether the JVM may have its options.
func (j *Listener) answer(conn net.Conn, in *bufio.Reader, process string) {
	line, err := bufio.NewReader(io.LimitReader(in, maxQuestion)).ReadBytes('\n')
	if err != nil {
		return
	}
	reply := byte(answerNo)
	switch string(bytes.TrimSpace(bytes.TrimPrefix(line, []byte(question)))) {
	case askStart:
		if j.grant(1) {
			reply = answerYes
		}
	case askOwn:
		j.report(Report{Process: process, Reason: OwnDebugger})
	case askNone:
		j.report(Report{Process: process, Reason: NoDebugger})
	case askEmbedded:
		j.report(Report{Process: process, Reason: Embedded})
	}
	_, _ = conn.Write(append([]byte(j.token), reply)) // the shim may ask a stranger, were lab killed
}

// grant counts the JVMs that are about to connect. It reports whether they may.
func (j *Listener) grant(n int) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if n > 0 && (j.closed || len(j.open)+j.granted >= maxConnections) {
		return false
	}
	j.granted = max(0, j.granted+n)
	if n > 0 {
		j.latest = time.Now()
	}
	close(j.changed)
	j.changed = make(chan struct{})
	return true
}

// debug logs the secrets of a JVM until its connection ends.
func (j *Listener) debug(conn net.Conn, in *bufio.Reader, process string) {
	d := &debuggee{vm: newVM(conn), write: j.write, keys: make(map[id]keyClass), randoms: make(map[id]*[randomSize]byte), names: make(map[id]string), frames: frames{last: make(map[id]id)}, fields: make(map[string]id), bouncy: make(map[id]bool)}
	var once sync.Once
	d.failed = func(err error) {
		once.Do(func() { j.report(reportOf(process, err)) })
	}
	d.began = func(context id, random []byte) { j.watch(d, process, context, random) }
	ready := make(chan struct{})
	go func() {
		defer close(ready)
		if err := d.start(); err != nil {
			d.failed(err)
			conn.Close() // the JVM then goes on by itself
			return
		}
		_ = conn.SetDeadline(time.Time{})
		j.mu.Lock()
		j.seen++
		if _, open := j.open[conn]; open {
			j.open[conn] = d
		}
		closed := j.closed
		j.mu.Unlock()
		if closed {
			dispose(conn, d)
		}
	}()
	_ = d.run(in, func(p *packet) {
		<-ready
		d.serve(p)
	})
	<-ready
}

// dispose lets a JVM go on without a debugger. One that does not answer does so
// when the connection is closed, which its reader then does.
func dispose(conn net.Conn, d *debuggee) {
	_ = conn.SetDeadline(time.Now().Add(closeTimeout))
	d.dispose()
}

func reportOf(process string, err error) Report {
	r := Report{Process: process, Reason: Unread, Err: err}
	switch {
	case errors.Is(err, errUnknownJDK):
		r.Reason = UnknownJDK
	case errors.Is(err, errOpaqueKey):
		r.Reason = OpaqueKeys
	}
	return r
}

func (j *Listener) write(e keylog.Entry) {
	line, _ := e.AppendText(nil)
	_, _ = j.log.Write(line)
}

// Seen returns how many JVMs have connected.
func (j *Listener) Seen() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.seen
}

// Close lets the JVMs that are still there go on without a debugger, and stops
// listening. JVMs that were told to connect do so before, within 2 seconds.
func (j *Listener) Close() {
	j.mu.Lock()
	j.closed = true
	if j.options != "" {
		_ = os.Truncate(j.options, 0)
	}
	if j.guard != nil {
		j.guard()
		j.guard = nil
	}
	late := time.After(grantTimeout - time.Since(j.latest))
	j.mu.Unlock()
	for {
		j.mu.Lock()
		granted, changed := j.granted, j.changed
		j.mu.Unlock()
		if granted == 0 {
			break
		}
		select {
		case <-changed:
			continue
		case <-late:
		}
		break
	}
	j.l.Close()
	j.mu.Lock()
	var disposing sync.WaitGroup
	for conn, d := range j.open {
		if d != nil {
			disposing.Go(func() { dispose(conn, d) })
		}
	}
	j.mu.Unlock()
	disposing.Wait()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		j.serving.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(closeTimeout):
		j.mu.Lock()
		for conn := range j.open {
			conn.Close()
		}
		j.mu.Unlock()
		<-ended
	}
}
