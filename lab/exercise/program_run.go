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
	"sync"
	"time"
)

// Running is a program that was started. Stop must be called.
type Running struct {
	Addr string // of a server: 127.0.0.1 and the port

	cmd    *exec.Cmd
	tree   tree
	output tail
	ended  chan struct{} // closed when the program has ended
	err    error         // how it ended; valid then
}

// StartError is a server that did not begin to listen.
type StartError struct {
	Name   string
	Output string // the end of what it printed
	Err    error
}

func (e *StartError) Error() string { return fmt.Sprintf("%s does not listen: %v", e.Name, e.Err) }

// Unwrap returns what happened instead.
func (e *StartError) Unwrap() error { return e.Err }

// errEnded is a server that has ended at its start.
var errEnded = errors.New("it has ended")

// Serve starts the program as a server on a free port of 127.0.0.1, and returns
// when that port accepts connections. dir is a folder with what it needs, in
// which it may write; extra are variables of its environment, as "NAME=VALUE".
// A program that reads no configuration gets its port in the variable PORT.
// Errors are *MissingProgramError, *CommandLineError, *StartError, and those of
// files and of ctx.
func (p Program) Serve(ctx context.Context, dir string, extra ...string) (*Running, error) {
	const attempts = 3 // somebody else may take the port before the program has it
	for attempt := 1; ; attempt++ {
		r, err := p.serve(ctx, dir, extra)
		var failed *StartError
		if err == nil || attempt == attempts || !errors.As(err, &failed) || !strings.Contains(strings.ToLower(failed.Output), "in use") {
			return r, err
		}
	}
}

func (p Program) serve(ctx context.Context, dir string, extra []string) (*Running, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	args, err := kinds[p.Name].serve(dir, p.File, port)
	if err != nil {
		return nil, err
	}
	r, err := p.start(dir, args, append([]string{"PORT=" + port}, extra...))
	if err != nil {
		return nil, err
	}
	r.Addr = net.JoinHostPort("127.0.0.1", port)
	if err := r.await(ctx); err != nil {
		r.Stop()
		if ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, ctx.Err()
		}
		return nil, &StartError{Name: p.Name, Output: r.Output(), Err: err}
	}
	return r, nil
}

// Call runs the program as a client of a URL to its end, and returns its exit
// status, and the end of what it printed. dir and extra are as in Serve.
func (p Program) Call(ctx context.Context, dir, url string, extra ...string) (status int, output string, err error) {
	args, err := kinds[p.Name].call(dir, p.File, url)
	if err != nil {
		return 0, "", err
	}
	r, err := p.start(dir, args, extra)
	if err != nil {
		return 0, "", err
	}
	defer r.Stop()
	select {
	case <-r.ended:
	case <-ctx.Done():
		r.Stop()
		return -1, r.Output(), fmt.Errorf("%s does not end: %w", p.Name, ctx.Err())
	}
	return r.cmd.ProcessState.ExitCode(), r.Output(), nil
}

// start starts the program.
func (p Program) start(dir string, args, extra []string) (*Running, error) {
	path, err := p.Look()
	if err != nil {
		return nil, err
	}
	r := &Running{cmd: exec.Command(path, args...), ended: make(chan struct{})}
	r.cmd.Dir, r.cmd.Env = dir, append(environment(), extra...)
	r.cmd.Stdout, r.cmd.Stderr = &r.output, &r.output
	r.cmd.WaitDelay = time.Second // what it has started may hold its output open
	if err := r.tree.start(r.cmd); err != nil {
		return nil, &StartError{Name: p.Name, Err: err}
	}
	go func() {
		r.err = r.cmd.Wait()
		close(r.ended)
	}()
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
func (r *Running) await(ctx context.Context) error {
	const pause = 5 * time.Millisecond // between two connections
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "tcp", r.Addr)
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
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// Ended is closed when the program has ended.
func (r *Running) Ended() <-chan struct{} { return r.ended }

// Output returns the end of what the program has printed.
func (r *Running) Output() string { return r.output.String() }

// Stop ends the program and all that it has started, and waits for its end. It
// may be called more than once.
func (r *Running) Stop() {
	r.tree.kill(r.cmd)
	<-r.ended
}

// freePort returns a port of 127.0.0.1 that was free a moment ago.
func freePort(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

// mostKept is how many bytes it keeps.
const mostKept = 4 << 10

// Write never fails.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	t.kept = slices.Clone(t.kept[max(len(t.kept)-mostKept, 0):])
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}

// copyFolder copies the files of a folder, so that programs can run in the copy,
// and what they and the steps of an exercise change is not the participant's. It
// leaves out what is too large to be a part of an exercise, and what is no file.
func copyFolder(from, to string) error {
	const largest = 4 << 20
	return filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		info, err := os.Stat(path) // of what a link leads to
		if err != nil || !info.Mode().IsRegular() || info.Size() > largest {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o600)
	})
}
