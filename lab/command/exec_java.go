package command

import (
	"bytes"
	"errors"
	"net/url"
	"os/exec"
	"sync"

	"mtlslab.example/lab/lab/javakeys"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/keyshim"
)

// jvms logs the keys of the Java programs that a program starts, or is.
type jvms struct {
	*Program
	listener *javakeys.Listener
	log      *keylog.Writer
	shim     bool // is there

	relay *keyshim.Relay // the proxy of the program, nil if there is none

	mu      sync.Mutex
	said    map[javakeys.Reason]bool
	passing bool // a connection has passed the proxy by, and that was said
}

// listenForJVMs returns what logs the keys of JVMs to log. library is the shim,
// or "". The caller closes it when the program has ended.
func (p *Program) listenForJVMs(log, library string) (*jvms, error) {
	w, err := keylog.Open(log, func(err error) { p.say("the key log has ended: %v", err) })
	if err != nil {
		return nil, err
	}
	j := &jvms{Program: p, log: w, shim: library != "", said: make(map[javakeys.Reason]bool)}
	if j.listener, err = javakeys.Listen(j, j.report); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return j, nil
}

func (j *jvms) close() {
	j.listener.Close()
	_ = j.log.Close()
}

// prepare has the JVMs that program starts, or is, connect to lab, and use a
// proxy of relay unless it is nil.
func (j *jvms) prepare(program *exec.Cmd, relay *keyshim.Relay, proxy *url.URL) {
	if proxy != nil {
		j.relay = relay
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

// Write appends a line to the key log. The first secret of a connection that
// has passed the proxy by is the earliest sign of one.
func (j *jvms) Write(line []byte) (int, error) {
	_, _ = j.log.Write(line)
	if j.relay == nil {
		return len(line), nil
	}
	entry, err := keylog.ParseLine(bytes.TrimSuffix(line, []byte("\n")))
	if err != nil || j.relay.Carries(entry.ClientRandom) {
		return len(line), nil
	}
	j.mu.Lock()
	said := j.passing
	j.passing = true
	j.mu.Unlock()
	if !said {
		j.say("a Java program has a connection that is not recorded: it is a server's, or one of java.nio (HttpClient, Netty), which knows no proxy; record it with --tap 127.0.0.1:9443=HOST:PORT, where HOST:PORT is the server's address, and have the client connect to 127.0.0.1:9443")
	}
	return len(line), nil
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
