//go:build amd64 || arm64

package gokeys_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mtlslab.example/lab/lab/gokeys"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/peertest"
)

// TestMain runs another program under a tracer if the test asks itself to.
func TestMain(m *testing.M) {
	if log := os.Getenv("GOKEYS_TEST_LOG"); log != "" {
		os.Exit(traceMain(log, os.Args[1:]))
	}
	os.Exit(m.Run())
}

func traceMain(log string, args []string) int {
	if scope := os.Getenv("GOKEYS_TEST_SCOPE"); scope != "" {
		gokeys.SetKernelFiles(scope, os.Getenv("GOKEYS_TEST_VERSION"))
	}
	if slots, err := strconv.ParseUint(os.Getenv("GOKEYS_TEST_SLOTS"), 10, 64); err == nil {
		gokeys.SetRingSlots(slots)
	}
	if what := os.Getenv("GOKEYS_TEST_SECCOMP"); what != "" {
		forbidPtrace(what == "traceme")
	}
	keys, err := keylog.Open(log, nil)
	if err != nil {
		panic(err)
	}
	signal.Notify(make(chan os.Signal, 1), os.Interrupt) // which is the program's
	program := exec.Command(args[0], args[1:]...)
	program.Stdin, program.Stdout, program.Stderr = os.Stdin, os.Stdout, os.Stderr
	trace, err := gokeys.Start(program, gokeys.Options{Keys: keys, Cannot: func(err error) { fmt.Fprintln(os.Stderr, "cannot:", err) }})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 127
	}
	status, _ := trace.Wait()
	return status
}

// traced is a program that is run by the tracer in a process of its own.
func traced(t testing.TB, log string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), "GOKEYS_TEST_LOG="+log)
	return cmd
}

// run runs a program under the tracer to its end.
func run(t testing.TB, log string, args ...string) string {
	t.Helper()
	out, err := traced(t, log, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// build builds the peer, with flags and an environment.
func build(t testing.TB, env []string, flags ...string) string {
	t.Helper()
	peertest.Need(t, "go")
	dir := t.TempDir()
	source, err := os.ReadFile("testdata/peer/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"main.go": source, "go.mod": []byte("module peer\n\ngo 1.17\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", append([]string{"build", "-o", "peer"}, flags...)...)
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(dir, "peer")
}

// peer is the peer as it is built by default.
var peer = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "gokeys")
	if err != nil {
		panic(err)
	}
	path := filepath.Join(dir, "peer")
	if out, err := exec.Command("go", "build", "-o", path, "testdata/peer/main.go").CombinedOutput(); err != nil {
		panic(string(out))
	}
	return path
})

// reference is a server in this process and its own key log, which says what a
// program's must have.
type reference struct {
	address string
	mu      sync.Mutex
	lines   []string
}

func (r *reference) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, string(line))
	return len(line), nil
}

// sorted returns the lines that were logged.
func (r *reference) sorted() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.lines))
}

func newReference(t testing.TB) *reference {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	r := &reference{}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{KeyLogWriter: r, ClientAuth: tls.RequestClientCert,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	peertest.Serve(t, l, func(c net.Conn) {
		defer c.Close()
		_, _ = io.Copy(c, c)
	})
	r.address = l.Addr().String()
	return r
}

// logged returns the lines of a key log, sorted.
func logged(t testing.TB, log string) []string {
	t.Helper()
	content, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(strings.Lines(string(content)))
}

func newLog(t testing.TB) string { return filepath.Join(t.TempDir(), "keys.log") }

// wantSame compares a key log with the reference.
func wantSame(t testing.TB, log string, r *reference, lines int) {
	t.Helper()
	got, want := logged(t, log), r.sorted()
	if !slices.Equal(got, want) || len(got) != lines {
		t.Errorf("%d lines were logged, the server has %d, and %d were expected", len(got), len(want), lines)
	}
	if info, err := os.Stat(log); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// wantOrder compares the order of the lines of each connection with that of the
// reference.
func wantOrder(t testing.TB, log string, r *reference) {
	t.Helper()
	content, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	labels := func(lines []string) map[string][]string {
		of := make(map[string][]string)
		for _, line := range lines {
			if field := strings.Fields(line); len(field) == 3 {
				of[field[1]] = append(of[field[1]], field[0])
			}
		}
		return of
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if got, want := labels(slices.Collect(strings.Lines(string(content)))), labels(r.lines); !maps.EqualFunc(got, want, slices.Equal) {
		t.Error("the secrets of a connection are in another order than the server's")
	}
}

// Lines of a handshake by Go.
const (
	tls12Lines = 1
	tls13Lines = 4
)

func TestBuilds(t *testing.T) {
	t.Parallel()
	external := []string{"-ldflags=-linkmode=external -s -w"}
	builds := map[string]struct {
		flags []string
		cgo   bool
		go_   string
	}{
		"plain":        {},
		"stripped":     {flags: []string{"-ldflags=-s -w"}},
		"pie":          {flags: []string{"-buildmode=pie", "-ldflags=-s -w"}},
		"unoptimised":  {flags: []string{"-gcflags=all=-N -l"}},
		"external":     {flags: external, cgo: true},
		"external pie": {flags: append([]string{"-buildmode=pie"}, external...), cgo: true},
		"race":         {flags: []string{"-race"}, cgo: true},
	}
	if testing.Short() {
		delete(builds, "unoptimised") // which compiles the standard library
		delete(builds, "race")
	}
	if peertest.Full() {
		for _, version := range []string{"go1.27.3", "go1.24.9", "go1.22.12", "go1.21.13"} {
			build := builds["external pie"]
			build.go_ = version
			builds[version+" external pie"] = build
			build = builds["external"]
			build.go_ = version
			builds[version+" external"] = build
			build = builds["stripped"]
			build.go_ = version
			builds[version] = build
		}
	}
	for name, b := range builds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var env []string
			if b.cgo {
				peertest.Need(t, "cc")
				env = append(env, "CGO_ENABLED=1")
			}
			if b.go_ != "" {
				env = append(env, "GOTOOLCHAIN="+b.go_)
			}
			program := build(t, env, b.flags...)
			if runtime.GOARCH == "amd64" && !gokeys.Stores(program) {
				t.Error("each secret takes a stop")
			}
			for version, lines := range map[string]int{"12": tls12Lines, "13": tls13Lines} {
				server, log := newReference(t), newLog(t)
				run(t, log, program, "-version", version, "-n", "3", "-mutual", "call", server.address)
				wantSame(t, log, server, 3*lines)
			}
		})
	}
}

// serving starts a server that prints its address, and returns that. The server
// is killed at the end of the test.
func serving(t *testing.T, server *exec.Cmd) (address string) {
	t.Helper()
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	address, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}

func TestServer(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	cmd := traced(t, log, peer(), "serve")
	r := &reference{address: serving(t, cmd)}
	c, err := tls.Dial("tcp", r.address, &tls.Config{InsecureSkipVerify: true, KeyLogWriter: r})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "hello\n")
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	peertest.Eventually(t, "the secrets", func() bool { return len(logged(t, log)) == tls13Lines })
	wantSame(t, log, r, tls13Lines)
}

// TestResumption: a session of TLS 1.2 that is resumed has no secret of its
// own. In TLS 1.3 every connection has.
func TestResumption(t *testing.T) {
	t.Parallel()
	for version, lines := range map[string]int{"12": tls12Lines, "13": 3 * tls13Lines} {
		server, log := newReference(t), newLog(t)
		run(t, log, peer(), "-version", version, "-n", "3", "-resume", "call", server.address)
		wantSame(t, log, server, lines)
	}
}

func TestManyThreads(t *testing.T) {
	t.Parallel()
	server, log := newReference(t), newLog(t)
	run(t, log, peer(), "-threads", "200", "-goroutines", "64", "-n", "16", "call", server.address)
	wantSame(t, log, server, 64*16*tls13Lines)
	wantOrder(t, log, server)
}

// TestFullRing: where a program stores more secrets than it has room for, none
// is lost.
func TestFullRing(t *testing.T) {
	t.Parallel()
	for _, slots := range []string{"2", "8", "64"} {
		server, log := newReference(t), newLog(t)
		cmd := traced(t, log, peer(), "-goroutines", "64", "-n", "8", "call", server.address)
		cmd.Env = append(cmd.Env, "GOKEYS_TEST_SLOTS="+slots)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		wantSame(t, log, server, 64*8*tls13Lines)
		wantOrder(t, log, server)
	}
}

// TestInterrupted: signals of the runtime's own, for profiles and to preempt
// goroutines, may come anywhere in a program, also in lab's code.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	server, log := newReference(t), newLog(t)
	run(t, log, peer(), "-profile", "-goroutines", "16", "-n", "40", "call", server.address)
	wantSame(t, log, server, 16*40*tls13Lines)
	wantOrder(t, log, server)
}

// TestLastSecrets: what a program has stored just before its end is not lost,
// whatever ends it.
func TestLastSecrets(t *testing.T) {
	t.Parallel()
	for how, status := range map[string]int{"exit": 3, "kill": 137, "panic": 2, "exec": 0} {
		t.Run(how, func(t *testing.T) {
			for range 10 {
				server, log := newReference(t), newLog(t)
				cmd := traced(t, log, peer(), "-n", "2", "-end", how, "call", server.address)
				out, _ := cmd.CombinedOutput()
				if got := cmd.ProcessState.ExitCode(); got != status {
					t.Fatalf("status %d: %s", got, out)
				}
				wantSame(t, log, server, 2*tls13Lines)
			}
		})
	}
}

// TestFollowed: programs that the program starts are traced, whatever they are
// started by.
func TestFollowed(t *testing.T) {
	t.Parallel()
	call := func(server *reference) string { return peer() + " call " + server.address }
	for name, args := range map[string]func(*reference) []string{
		"exec": func(r *reference) []string { return []string{"sh", "-c", "exec " + call(r)} },
		"fork": func(r *reference) []string { return []string{"sh", "-c", call(r) + "; true"} },
		"background": func(r *reference) []string {
			return []string{"sh", "-c", "(" + call(r) + " & wait) | cat"}
		},
		"go":    func(r *reference) []string { return []string{peer(), "start", peer(), "call", r.address} },
		"twice": func(r *reference) []string { return []string{peer(), "start", "sh", "-c", call(r) + "; true"} },
		"thread": func(r *reference) []string {
			return []string{"python3", "-c", "import subprocess, sys, threading\nt = threading.Thread(target=subprocess.run, args=[sys.argv[1:]])\nt.start(); t.join()", peer(), "call", r.address}
		},
		"again":   func(r *reference) []string { return []string{"sh", "-c", call(r) + "; " + call(r)} },
		"cleared": func(r *reference) []string { return []string{"env", "-i", peer(), "call", r.address} },
	} {
		t.Run(name, func(t *testing.T) {
			server, log := newReference(t), newLog(t)
			args := args(server)
			peertest.Need(t, args[0])
			if out := run(t, log, args...); strings.Contains(out, "cannot:") {
				t.Error(out)
			}
			lines := tls13Lines
			if name == "again" {
				lines *= 2
			}
			wantSame(t, log, server, lines)
		})
	}
	t.Run("go test", func(t *testing.T) {
		server, log := newReference(t), newLog(t)
		dir := t.TempDir()
		source := fmt.Sprintf("package p\n\nimport (\n\t\"crypto/tls\"\n\t\"testing\"\n)\n\nfunc TestCall(t *testing.T) {\n\tc, err := tls.Dial(\"tcp\", %q, &tls.Config{InsecureSkipVerify: true})\n\tif err != nil {\n\t\tt.Fatal(err)\n\t}\n\tc.Close()\n}\n", server.address)
		for name, content := range map[string]string{"p_test.go": source, "go.mod": "module p\n\ngo 1.21\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := traced(t, log, "go", "test", "-count=1", ".")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "ok") {
			t.Fatalf("%v: %s", err, out)
		}
		wantSame(t, log, server, tls13Lines)
	})
	t.Run("go run", func(t *testing.T) {
		server, log := newReference(t), newLog(t)
		run(t, log, "go", "run", "testdata/peer/main.go", "call", server.address)
		wantSame(t, log, server, tls13Lines)
	})
}

// TestOwnLog: what a program logs to the same file by itself is there once.
func TestOwnLog(t *testing.T) {
	t.Parallel()
	peer := build(t, nil, "-ldflags=-X main.variable=SSLKEYLOGFILE")
	for _, flag := range []string{"-own=true", "-own=false"} {
		server, log := newReference(t), newLog(t)
		cmd := traced(t, log, peer, "-n", "20", flag, "call", server.address)
		cmd.Env = append(cmd.Env, "SSLKEYLOGFILE="+log)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		wantSame(t, log, server, 20*tls13Lines)
	}
}

// TestEnds: exit statuses and signals are those of the program.
func TestEnds(t *testing.T) {
	t.Parallel()
	for want, args := range map[int][]string{
		0:   {"true"},
		7:   {"sh", "-c", "exit 7"},
		143: {"sh", "-c", "kill $$"},
		134: {"sh", "-c", "ulimit -c 0; kill -ABRT $$"},
		42:  {"sh", "-c", "trap 'exit 42' USR1; kill -USR1 $$; while :; do :; done"},
		133: {"sh", "-c", "ulimit -c 0; kill -TRAP $$"},
		127: {"/nowhere"},
		1:   {"sh", "-c", "(sleep 0.2; kill -CONT $$) & kill -STOP $$; exit 1"},
	} {
		cmd := traced(t, newLog(t), args...)
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("%v: status %d, not %d: %s", args, got, want, out)
		}
	}
	crash := traced(t, newLog(t), "sh", "-c", "ulimit -c 0; exec "+peer()+" crash")
	out, _ := crash.CombinedOutput()
	if got := crash.ProcessState.ExitCode(); got != 134 || !bytes.Contains(out, []byte("SIGQUIT: quit")) {
		t.Errorf("status %d: %s", got, out)
	}
}

// TestStandardStreams: stdin and stdout are the program's own.
func TestStandardStreams(t *testing.T) {
	t.Parallel()
	cmd := traced(t, newLog(t), "cat")
	cmd.Stdin = strings.NewReader("hello")
	if out, err := cmd.Output(); err != nil || string(out) != "hello" {
		t.Errorf("%q: %v", out, err)
	}
}

// state returns the state of a process as proc_pid_status(5) has it, "" if
// there is none.
func state(pid int) string {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(status), "\nState:\t")
	return after[:min(1, len(after))]
}

// TestKilledTracer: a program that has a breakpoint ends with the tracer, and
// any other goes on. None stays stopped.
func TestKilledTracer(t *testing.T) {
	t.Parallel()
	cmd := traced(t, newLog(t), "sh", "-c", peer()+" serve & echo $! $$; exec sleep 60")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(out)
	var server, other int
	if _, err := fmt.Fscanln(in, &server, &other); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(other, syscall.SIGKILL) }()
	if _, err := in.ReadString('\n'); err != nil { // the server's address
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	peertest.Eventually(t, "the server ends", func() bool { s := state(server); return s == "" || s == "Z" })
	if s := state(other); s != "S" {
		t.Errorf("the other program is in state %q", s)
	}
}

// TestFewerStops: a program stores secrets by itself once it has met the
// breakpoint, by code that it has in memory of its own.
func TestFewerStops(t *testing.T) {
	t.Parallel()
	if runtime.GOARCH != "amd64" {
		t.Skip("the breakpoint stays on other processors")
	}
	server := newReference(t)
	out := run(t, newLog(t), "sh", "-c", peer()+" -forever call "+server.address+" & p=$!; for i in $(seq 1000); do grep -E '^[0-9a-f-]+ r-xp 00000000 00:00 0 *$' /proc/$p/maps && break; sleep 0.01; done; kill $p; wait")
	if !strings.Contains(out, " r-xp ") {
		t.Errorf("no such code: %s", out)
	}
}

// TestTracers: a program that traces others can do so, and it is said that keys
// cannot be had.
func TestTracers(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"strace": {"-f", "-o", "/dev/null"},
		"gdb":    {"-q", "-batch", "-ex", "run", "-ex", "quit", "--args"},
	} {
		t.Run(name, func(t *testing.T) {
			peertest.Need(t, name)
			server, log := newReference(t), newLog(t)
			out := run(t, log, append(append([]string{name}, args...), peer(), "call", server.address)...)
			if len(server.sorted()) == 0 || len(logged(t, log)) > 0 {
				t.Errorf("%d lines of %d: %s", len(logged(t, log)), len(server.sorted()), out)
			}
			if !strings.Contains(out, "traces programs by itself") {
				t.Errorf("it is not said why: %s", out)
			}
		})
	}
}

// TestSetuid: programs gain their privileges although they are started by one
// that is traced.
func TestSetuid(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a setuid program")
	}
	peertest.Need(t, "id")
	dir, err := os.MkdirTemp("/var/tmp", "gokeys") // which others can enter
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	id := filepath.Join(dir, "id")
	path, _ := exec.LookPath("id")
	content, err := os.ReadFile(path)
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), os.WriteFile(id, content, 0o755), os.Chmod(id, 0o4755|os.ModeSetuid), os.Mkdir(dir+"/log", 0o700), os.Chown(dir+"/log", 65534, 65534))
	}
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err == nil {
		content, err = os.ReadFile(self)
	}
	if err == nil {
		err = os.WriteFile(dir+"/self", content, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{id + " -u", id + " -u; true"} {
		cmd := exec.Command(dir+"/self", "sh", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOKEYS_TEST_LOG="+dir+"/log/keys.log")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "0\n" {
			t.Errorf("%s: %v: %s", command, err, out)
		}
	}
}

// TestInspectBuilds: the functions are found in the programs of both
// processors, stripped or not.
func TestInspectBuilds(t *testing.T) {
	t.Parallel()
	if !peertest.Full() {
		t.Skip("only in a full run: the standard library is compiled")
	}
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		for _, flags := range [][]string{nil, {"-ldflags=-s -w", "-buildmode=pie"}} {
			file, err := os.Open(build(t, []string{"GOARCH=" + arch}, flags...))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			p, err := gokeys.Inspect(file, machine)
			if err != nil || len(p.Secrets) != 1 || len(p.Connects) != 1 || len(p.PeerNames) != 1 {
				t.Errorf("%s %v: %+v, %v", arch, flags, p, err)
			}
		}
	}
}
