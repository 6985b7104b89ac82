package javakeys

import (
	"net"
	"strconv"
)

// Connection is a TLS connection of a JVM.
type Connection struct {
	Process string // its program and its number, where they are known
	Server  bool   // the JVM is the server
	// Target is the HOST:PORT of the server as the program has named it, or ""
	// if that is not known: only an SSLEngine has it.
	Target string
}

// Watch has passed called with each connection that carries does not report, by
// its client random, as recorded. Both are called from several goroutines at
// once, while the connection waits. Watch is to be called before JVMs connect.
func (j *Listener) Watch(carries func(random []byte) bool, passed func(Connection)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.carries, j.passed = carries, passed
}

// watch looks at a connection whose first secret has been logged.
func (j *Listener) watch(d *debuggee, process string, context id, random []byte) {
	j.mu.Lock()
	carries, passed := j.carries, j.passed
	j.mu.Unlock()
	if passed == nil || carries(random) {
		return
	}
	c, _ := d.connection(context) // what is not known of it is left out
	c.Process = process
	passed(c)
}

// The classes of JSSE that lead from a handshake to its connection.
const (
	classHandshake = "Lsun/security/ssl/HandshakeContext;"
	classTransport = "Lsun/security/ssl/TransportContext;"
	classConfig    = "Lsun/security/ssl/SSLConfiguration;"
	classEngineTLS = "Lsun/security/ssl/SSLEngineImpl;"
	classEngine    = "Ljavax/net/ssl/SSLEngine;"
)

// connection returns what is known of the connection of a handshake.
func (d *debuggee) connection(handshake id) (c Connection, err error) {
	connection, err := d.get(handshake, classHandshake, "conContext", classTransport)
	if err != nil {
		return c, err
	}
	config, err := d.get(id(connection), classTransport, "sslConfig", classConfig)
	if err != nil {
		return c, err
	}
	client, err := d.get(id(config), classConfig, "isClientMode", "Z")
	if c.Server = client == 0; err != nil || c.Server {
		return c, err
	}
	engine, err := d.get(id(connection), classTransport, "transport", "Lsun/security/ssl/SSLTransport;")
	if err != nil || !d.isEngine(id(engine)) {
		return c, err
	}
	host, err := d.get(id(engine), classEngine, "peerHost", "Ljava/lang/String;")
	if err != nil || host == 0 {
		return c, err
	}
	port, err := d.get(id(engine), classEngine, "peerPort", "I")
	if err != nil || port == 0 || port > 65535 { // -1 is not known
		return c, err
	}
	name, err := d.ask(stringValue, d.object(id(host)))
	if err != nil {
		return c, err
	}
	c.Target = net.JoinHostPort(name.string(), strconv.FormatUint(port, 10))
	return c, name.err
}

// isEngine reports whether an object is an SSLEngine of JSSE.
func (d *debuggee) isEngine(object id) bool {
	engine, err := d.classBySignature(classEngineTLS)
	if err != nil || engine == 0 {
		return false
	}
	in, err := d.ask(objectType, d.object(object))
	if err != nil {
		return false
	}
	in.byte() // the kind
	return in.id(d.sizes.class) == engine
}
