package javakeys

import (
	"errors"
	"io"
	"sync"

	"mtlslab.example/lab/lab/keylog"
)

// The classes of JSSE in which a secret meets the connection that it belongs
// to: their constructor takes the state of the handshake and the secret. JDK
// 11 and later have them, and JDK 8 since its update 261.
const (
	classTLS13  = "sun.security.ssl.SSLTrafficKeyDerivation$T13TrafficKeyDerivation"
	classLegacy = "sun.security.ssl.SSLTrafficKeyDerivation$LegacyTrafficKeyDerivation" // TLS 1.2 and earlier
	classOld    = "sun.security.ssl.Handshaker"                                         // JSSE before that
	constructor = "(Lsun/security/ssl/HandshakeContext;Ljavax/crypto/SecretKey;)V"
)

// labels are the secrets of TLS 1.3 by the names that JSSE gives them.
var labels = map[string]string{
	"TlsClientEarlyTrafficSecret":     keylog.LabelClientEarlyTraffic,
	"TlsClientHandshakeTrafficSecret": keylog.LabelClientHandshakeTraffic,
	"TlsServerHandshakeTrafficSecret": keylog.LabelServerHandshakeTraffic,
	"TlsClientAppTrafficSecret":       keylog.LabelClientTraffic0,
	"TlsServerAppTrafficSecret":       keylog.LabelServerTraffic0,
}

const (
	randomSize    = 32
	maxSecret     = 64   // bytes: the size of the largest hash
	maxRemembered = 4096 // of each kind
)

// debuggee is a JVM and what is known of its classes.
type debuggee struct {
	*vm
	write  func(keylog.Entry)
	began  func(context id, random []byte) // is called when the first secret of a handshake was written
	failed func(error)                     // is called with what keeps secrets from being read

	frames frames

	mu      sync.Mutex
	legacy  id            // a class, 0 while it has not been loaded
	bouncy  map[id]bool   // classes: an application may load one for each of its parts
	fields  map[string]id // by class and name
	random  id            // the field HandshakeContext.clientHelloRandom
	bytes   id            // the field RandomCookie.randomBytes
	keys    map[id]keyClass
	latest  id                       // of keys
	randoms map[id]*[randomSize]byte // by HandshakeContext: a JVM never gives an id to another object
	names   map[id]string            // by String
}

// keyClass is a class of secrets.
type keyClass struct{ bytes, name id } // fields; name is 0 if it has none

// errUnknownJDK is a JDK whose TLS is not as lab expects it.
var errUnknownJDK = errors.New("its JSSE has other internals than those of JDK 8u261 to 25")

// errUnknownBouncy is another BouncyCastle than lab expects.
var errUnknownBouncy = errors.New("its BouncyCastle has other internals than version 1.72")

// errOpaqueKey is a secret that is not in the memory of Java, as with a
// PKCS #11 token.
var errOpaqueKey = errors.New("its security provider keeps secrets where Java cannot read them")

// start readies a JVM that has just connected.
func (d *debuggee) start() error {
	if err := d.readSizes(); err != nil {
		return err
	}
	return d.prepare()
}

// serve serves what has stopped a thread of the JVM, or all, and lets them go
// on whatever has become of it.
func (d *debuggee) serve(p *packet) {
	suspended, events, err := d.readEvents(p.data)
	goesOn := false
	for _, e := range events {
		switch e.kind {
		case eventClassPrepare:
			err = errors.Join(err, d.loaded(e))
		case eventBreakpoint:
			e.alone = suspended == suspendThread && len(events) == 1
			on, failed := d.hit(e)
			goesOn, err = on, errors.Join(err, failed)
		}
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		d.failed(err)
	}
	switch {
	case goesOn:
	case suspended == suspendThread && len(events) > 0:
		d.resume(events[0].thread)
	case suspended != 0:
		d.resume(0)
	}
}

// dispose ends the debugging: the JVM forgets its breakpoints and goes on.
func (d *debuggee) dispose() { _, _ = d.ask(vmDispose, nil) }

// prepare makes the JVM report the classes that matter when they are loaded.
func (d *debuggee) prepare() error {
	for _, name := range []string{classTLS13, classLegacy, classOld, classBouncy} {
		if err := d.awaitClass(name); err != nil {
			return err
		}
	}
	return nil
}

// loaded sets a breakpoint in a class that has just been loaded.
func (d *debuggee) loaded(e event) error {
	if e.signature == signatureOf(classBouncy) {
		return d.loadedBouncy(e)
	}
	isLegacy := e.signature == signatureOf(classLegacy)
	if !isLegacy && e.signature != signatureOf(classTLS13) {
		return errUnknownJDK
	}
	methods, err := d.members(typeMethods, e.class)
	if err != nil {
		return err
	}
	method, ok := find(methods, "<init>", constructor)
	if !ok {
		return errUnknownJDK
	}
	random, err := d.field("Lsun/security/ssl/HandshakeContext;", "clientHelloRandom", "Lsun/security/ssl/RandomCookie;")
	if err != nil {
		return err
	}
	bytes, err := d.field("Lsun/security/ssl/RandomCookie;", "randomBytes", "[B")
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.random, d.bytes = random, bytes
	if isLegacy {
		d.legacy = e.class
	}
	d.mu.Unlock()
	return d.setBreakpoint(e.class, method)
}

// hit serves a breakpoint. It reports whether the thread goes on already.
func (d *debuggee) hit(e event) (goesOn bool, err error) {
	d.mu.Lock()
	isBouncy := d.bouncy[e.class]
	d.mu.Unlock()
	if !isBouncy {
		return d.read(e)
	}
	err = d.readBouncy(e)
	if errors.Is(err, errUnknownJDK) {
		return false, errUnknownBouncy
	}
	return false, err
}

// read reads the secret that a stopped thread is about to use, and writes it to
// the key log. Each answer of the JVM that it waits for costs the connection
// time, so it asks for as much as it can at once. The thread goes on as soon as
// the JVM has read the secret, unless it is the first one of a handshake.
func (d *debuggee) read(e event) (goesOn bool, err error) {
	arguments, err := d.arguments(e.thread, 1, 2)
	if err != nil {
		return false, err
	}
	context, key := arguments[0], arguments[1]
	d.mu.Lock()
	random, isLegacy := d.randoms[context], e.class == d.legacy
	likely := d.keys[d.latest]
	d.mu.Unlock()
	isFirst := random == nil
	requests := []packet{{command: objectType, data: d.object(key)}, d.valuesOf(key, likely.bytes, likely.name)}
	if isFirst {
		requests = append(requests, d.valuesOf(context, d.random))
	}
	calls := d.send(requests...)
	class, err := d.keyClass(&calls[0])
	if err != nil {
		return false, err
	}
	values := &calls[1]
	if class != likely {
		values = &d.send(d.valuesOf(key, class.bytes, class.name))[0]
	}
	secret, err := d.values(values, class.fields())
	if err != nil {
		return false, err
	}
	label := keylog.LabelClientRandom
	if !isLegacy {
		if label, err = d.label(secret); err != nil || label == "" {
			return false, err
		}
	}
	requests = append(requests[:0], d.elements(secret[0]))
	switch {
	case isFirst:
		cookie, err := d.values(&calls[2], 1)
		if err != nil {
			return false, err
		}
		requests = append(requests, d.valuesOf(cookie[0], d.bytes))
	case e.alone:
		requests = append(requests, d.resumption(e.thread))
		goesOn = true
	}
	calls = d.send(requests...)
	entry := keylog.Entry{Label: label}
	if entry.Secret, err = byteArray(&calls[0]); err != nil {
		return goesOn, err
	}
	if isFirst {
		if random, err = d.randomOf(context, &calls[1]); err != nil {
			return false, err
		}
	}
	entry.ClientRandom = random[:]
	d.write(entry)
	if isFirst {
		d.began(context, random[:])
	}
	return goesOn, nil
}

// randomOf returns the client random of a handshake, from the reply to the
// question for its array.
func (d *debuggee) randomOf(context id, c *call) (*[randomSize]byte, error) {
	array, err := d.values(c, 1)
	if err != nil {
		return nil, err
	}
	b, err := byteArray(&d.send(d.elements(array[0]))[0])
	if err != nil {
		return nil, err
	}
	if len(b) != randomSize {
		return nil, errUnknownJDK
	}
	random := (*[randomSize]byte)(b)
	d.mu.Lock()
	defer d.mu.Unlock()
	remember(d.randoms, context, random)
	return random, nil
}

// keyClass returns the class of a secret, from the reply to objectType.
func (d *debuggee) keyClass(c *call) (known keyClass, err error) {
	in, err := c.wait()
	if err != nil {
		return known, err
	}
	in.byte() // the kind
	class := in.id(d.sizes.class)
	if in.err != nil {
		return known, in.err
	}
	d.mu.Lock()
	known, ok := d.keys[class]
	d.latest = class
	d.mu.Unlock()
	if ok {
		return known, nil
	}
	fields, err := d.members(typeFields, class)
	if err != nil {
		return known, err
	}
	bytes, ok := find(fields, "key", "[B")
	if !ok {
		return known, errOpaqueKey
	}
	known.bytes = bytes
	known.name, _ = find(fields, "algorithm", "Ljava/lang/String;")
	d.mu.Lock()
	remember(d.keys, class, known)
	d.mu.Unlock()
	return known, nil
}

// fields is how many fields of a secret can be read.
func (k keyClass) fields() int {
	if k.name == 0 {
		return 1
	}
	return 2
}

// label returns the label of a secret of TLS 1.3, "" if it is none that a key
// log has. JSSE names it as the algorithm of the key.
func (d *debuggee) label(secret []id) (string, error) {
	if len(secret) < 2 {
		return "", errUnknownJDK
	}
	d.mu.Lock()
	name, ok := d.names[secret[1]]
	d.mu.Unlock()
	if !ok {
		in, err := d.ask(stringValue, d.object(secret[1]))
		if err != nil {
			return "", err
		}
		if name = in.string(); in.err != nil {
			return "", in.err
		}
		d.mu.Lock()
		remember(d.names, secret[1], name)
		d.mu.Unlock()
	}
	return labels[name], nil
}

// remember stores a value, and forgets all others if there are too many.
func remember[T any](in map[id]T, of id, value T) {
	if len(in) >= maxRemembered {
		clear(in)
	}
	in[of] = value
}
