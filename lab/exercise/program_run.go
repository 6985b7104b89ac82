package exercise

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mtlslab.example/lab/lab/text"
)

// process is a program that was started. Its stop must be called.
type process struct {
	cmd    *exec.Cmd
	tree   tree
	said   text.Tail
	file   string        // the copy with its ports
	ended  chan struct{} // closed when the program has ended
	unwait func() bool   // has it outlive the context in which it was started
}

// StartError is a server that did not begin to listen, or a client that could
// not be started.
type StartError struct {
	Program *Program
	Output  string // the end of what it printed
	Err     error
}

func (e *StartError) Error() string {
	return fmt.Sprintf("%s (%s with %s) does not start: %v", e.Program.Name, e.Program.Run, e.Program.File, e.Err)
}

// Unwrap returns what happened instead.
func (e *StartError) Unwrap() error { return e.Err }

// errEnded is a server that has ended at its start.
var errEnded = errors.New("it has ended")

// serve starts the program as a server, and returns when its port accepts
// connections. dir is a folder with what it needs, in which it may write; it is
// not kept from writing elsewhere. ports has by each port in the program's file
// the one to take in its place, p.Port among them. The process ends with ctx at
// the latest. Errors are *MissingProgramError, *StartError, and those of files
// and of ctx.
func (p *Program) serve(ctx context.Context, dir string, ports map[uint16]uint16) (*process, error) {
	r, err := p.start(ctx, dir, ports, kinds[p.Run].serve)
	if err != nil {
		return nil, err
	}
	waiting, cancel := ctx, func() {}
	if text, err := os.ReadFile(r.file); err == nil && !hasPort(text, ports[p.Port]) { // it may say itself what else is wrong
		waiting, cancel = context.WithTimeoutCause(ctx, time.Second, fmt.Errorf("%s does not listen on 127.0.0.1:%d", p.File, p.Port))
	}
	defer cancel()
	if err := r.await(waiting, net.JoinHostPort("127.0.0.1", strconv.Itoa(int(ports[p.Port])))); err != nil {
		r.stop()
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, ctx.Err()
		}
		return nil, &StartError{Program: p, Output: r.output(), Err: err}
	}
	return r, nil
}

// call runs the program as a client to its end, and returns the end of what it
// printed: its exit status says nothing that the wire does not. keylog is a
// file into which it may log its TLS keys; "": none. dir, ports and errors are
// as in serve.
func (p *Program) call(ctx context.Context, dir string, ports map[uint16]uint16, keylog string) (output string, err error) {
	var extra []string
	if keylog != "" {
		if keylog, err = filepath.Abs(keylog); err != nil {
			return "", err
		}
		extra = []string{"SSLKEYLOGFILE=" + keylog}
	}
	r, err := p.start(ctx, dir, ports, kinds[p.Run].call, extra...)
	if err != nil {
		return "", err
	}
	<-r.ended
	r.stop()
	if ctx.Err() != nil {
		return r.output(), fmt.Errorf("%s does not end: %w", p.Name, ctx.Err())
	}
	return r.output(), nil
}

// start starts the program with the arguments for its file, and extra variables
// in its environment. It ends with ctx.
func (p *Program) start(ctx context.Context, dir string, ports map[uint16]uint16, arguments func(dir, file string) ([]string, error), extra ...string) (*process, error) {
	path, err := p.look()
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil { // the program runs in it
		return nil, err
	}
	file, err := withPorts(dir, p.File, ports)
	if err != nil {
		return nil, err
	}
	args, err := arguments(dir, file)
	if err != nil {
		return nil, &StartError{Program: p, Err: err}
	}
	r := &process{cmd: exec.Command(path, args...), said: text.Tail{Most: 4 << 10}, file: filepath.Join(dir, file), ended: make(chan struct{})}
	r.cmd.Dir, r.cmd.Env = dir, append(environment(), extra...)
	r.cmd.Stdout, r.cmd.Stderr = &r.said, &r.said
	r.cmd.WaitDelay = time.Second // what it has started may hold its output open
	if err := r.tree.start(r.cmd); err != nil {
		return nil, &StartError{Program: p, Err: err}
	}
	go func() {
		r.tree.wait(r.cmd)
		close(r.ended)
	}()
	r.unwait = context.AfterFunc(ctx, func() { r.tree.kill(r.cmd) })
	return r, nil
}

// hushed are variables that would change what a program does, or have it write
// somewhere.
var hushed = []string{"SSLKEYLOGFILE", "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF", "NODE_OPTIONS", "NODE_EXTRA_CA_CERTS", "NODE_TLS_REJECT_UNAUTHORIZED",
	"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "PYTHONSTARTUP", "PORT", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}

// environment is that of every program: the user's, without what would change
// how TLS is spoken.
func environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(hushed, strings.ToUpper(name))
	})
	return append(env, "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1", "LC_ALL=C")
}

// await waits until the port of a server accepts connections.
func (r *process) await(ctx context.Context, addr string) error {
	const pause = 5 * time.Millisecond // between two connections
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err == nil {
			conn.Close()
			select {
			case <-r.ended: // somebody else listens there
				return errEnded
			default:
				return nil
			}
		}
		select {
		case <-r.ended:
			return errEnded
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// output returns the end of what the program has printed.
func (r *process) output() string { return r.said.String() }

// stop ends the program and all that it has started, and waits for its end. It
// may be called more than once.
func (r *process) stop() {
	r.unwait()
	r.tree.kill(r.cmd)
	<-r.ended
	_ = os.Remove(r.file) // it is of no use to anybody
}
