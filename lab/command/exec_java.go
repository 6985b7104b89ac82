package command

import (
	"net/url"
	"os/exec"
	"strings"
	"sync"

	"mtlslab.example/lab/lab/javakeys"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/keyshim"
)

// jvms logs the keys of the Java programs that a program starts, or is.
type jvms struct {
	*Program
	listener *javakeys.Listener
	shim     bool // is there

	mu       sync.Mutex
	said     map[javakeys.Reason]bool
	passed   int // connections that have passed the proxy by
	passedBy map[javakeys.Connection]bool
}

// listenForJVMs returns what logs the keys of JVMs to a key log. library is the
// shim, or "". The caller closes its listener when the program has ended.
func (p *Program) listenForJVMs(keys *keylog.Writer, library string) (_ *jvms, err error) {
	j := &jvms{Program: p, shim: library != "", said: make(map[javakeys.Reason]bool), passedBy: make(map[javakeys.Connection]bool)}
	j.listener, err = javakeys.Listen(keys, j.report)
	return j, err
}

// prepare has the JVMs that program starts, or is, connect to lab, and use a
// proxy of relay unless it is nil.
func (j *jvms) prepare(program *exec.Cmd, relay *keyshim.Relay, proxy *url.URL) {
	if proxy != nil {
		j.listener.Watch(relay.Carries, j.passing)
	}
	others := javakeys.ProxyOptions(proxy)
	if j.shim {
		program.Env = j.listener.WithShim(program.Env, others)
		return
	}
	var err error
	program.Env, err = j.listener.WithoutShim(program.Env, program.Args, others)
	if obstacle, file := keyshim.Inspect(program.Path); err != nil && obstacle == keyshim.Java {
		j.say("the keys of %s are not logged: %v; %s", file, err, otherEnd)
	}
}

// passing counts a connection that is not recorded, and says how it would be,
// once for each server.
func (j *jvms) passing(c javakeys.Connection) {
	const most = 5 // servers
	if addrProblem(c.Target, "") != "" || strings.ContainsFunc(c.Target, func(r rune) bool { return r <= ' ' || r > '~' }) {
		c.Target = ""
	}
	j.mu.Lock()
	j.passed++
	of := javakeys.Connection{Server: c.Server, Target: c.Target}
	said := j.passedBy[of] || len(j.passedBy) >= most
	if !said {
		j.passedBy[of] = true
	}
	j.mu.Unlock()
	switch {
	case said:
	case c.Server:
		j.say("a connection of %s is not recorded: it is the server, and a proxy records clients; add --tap 127.0.0.1:9443=HOST:PORT with the address at which it listens, and have its clients connect to port 9443", c.Process)
	case c.Target == "":
		j.say("a connection of %s is not recorded: it has not used the proxy; add --tap 127.0.0.1:9443=HOST:PORT with the server's address, and have the program connect to port 9443 of this machine", c.Process)
	default:
		j.say("the connection of %s to %s is not recorded: Java's channels (HttpClient, Netty) know no proxy; add --tap 127.0.0.1:%[3]s=%[2]s, and have the program connect to port %[3]s of this machine", c.Process, c.Target, tapPort(c.Target))
	}
}

// tapPort returns a port to listen at for connections to target. It is not
// target's own, which a server on this machine has.
func tapPort(target string) string {
	if strings.HasSuffix(target, ":9443") {
		return "9543"
	}
	return "9443"
}

// count returns how many connections were not recorded.
func (j *jvms) count() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.passed
}

// keyless reports whether it was said of a JVM that its keys are not logged.
func (j *jvms) keyless() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.said) > 0
}

// report says why keys of a JVM are not logged, once for each reason.
func (j *jvms) report(r javakeys.Report) {
	j.mu.Lock()
	said := j.said[r.Reason]
	j.said[r.Reason] = true
	j.mu.Unlock()
	if said {
		return
	}
	switch r.Reason {
	case javakeys.OwnDebugger:
		j.say("%s has a debugger of its own (jdwp), and a JVM takes only one: its keys are not logged; %s", r.Process, otherEnd)
	case javakeys.NoDebugger:
		j.say("%s lacks the module jdk.jdwp.agent, with which lab reads keys: they are not logged; %s", r.Process, otherEnd)
	case javakeys.UnknownJDK:
		j.say("the JDK of %s is not known to lab: its keys are not logged; %s", r.Process, otherEnd)
	case javakeys.OpaqueKeys:
		j.say("%s has a security provider that keeps secrets to itself, as a PKCS #11 token does: not all keys are logged; %s", r.Process, otherEnd)
	case javakeys.Embedded:
		j.say("%s has a JVM in itself, which lab leaves alone: its keys are not logged; %s", r.Process, otherEnd)
	case javakeys.Unread:
		j.say("not all keys of %s are logged: %v", r.Process, r.Err)
	}
}
