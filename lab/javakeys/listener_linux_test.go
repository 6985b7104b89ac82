package javakeys

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/peertest"
)

// TestStrangers: a process that was not started with the environment of this
// run learns nothing, not even that this is a debugger.
func TestStrangers(t *testing.T) {
	var log bytes.Buffer
	j, err := Listen(&log, func(r Report) { t.Errorf("a stranger is reported: %v", r) })
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for _, says := range []string{handshake, question + askStart + "\n", "GET / HTTP/1.0\r\n\r\n"} {
		conn, err := net.Dial("tcp", j.l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(conn, says)
		if got, err := io.ReadAll(conn); len(got) > 0 || os.IsTimeout(err) {
			t.Errorf("a stranger that says %q is told %q (%v)", says, got, err)
		}
		conn.Close()
	}
	if j.Seen() != 0 || log.Len() > 0 {
		t.Error("a stranger is taken for a JVM")
	}
}

// TestManyStrangers: those who hold connections open, and say nothing, keep
// nobody from being answered.
func TestManyStrangers(t *testing.T) {
	j, err := Listen(io.Discard, func(Report) {})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for range 300 {
		conn, err := net.Dial("tcp", j.l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if got := askAs(t, j, askOwn); got != "n" {
		t.Errorf("a JVM with a debugger of its own is told %q", got)
	}
}

// askAs returns the answer to a process with the environment of the run.
func askAs(t *testing.T, j *Listener, what string) string {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip(err)
	}
	_, port, _ := net.SplitHostPort(j.l.Addr().String())
	cmd := exec.Command("bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/$0; printf 'LAB JVM %s\n' "$1" >&3; cat <&3`, port, what)
	cmd.Env = j.WithShim(os.Environ(), nil)
	out, _ := cmd.CombinedOutput()
	return strings.TrimPrefix(string(out), handshake+j.token)
}

// TestDescendants: a process with the environment of this run is answered, and
// no longer once the Listener closes.
func TestDescendants(t *testing.T) {
	reports := make(chan Report, 9)
	j, err := Listen(io.Discard, func(r Report) { reports <- r })
	if err != nil {
		t.Fatal(err)
	}
	ask := func(what string) string { return askAs(t, j, what) }
	if got := ask(askOwn); got != "n" {
		t.Errorf("a JVM with a debugger of its own is told %q", got)
	}
	if r := <-reports; r.Reason != OwnDebugger || !strings.Contains(r.Process, "(process ") {
		t.Errorf("it is reported as %v", r)
	}
	if got := ask("anything"); got != "n" {
		t.Errorf("what cannot be understood is told %q", got)
	}
	if got := ask(askStart); got != "y" {
		t.Errorf("a JVM that can start is told %q", got)
	}
	j.Close() // does not wait for ever for a JVM that does not come
}

// TestSilentJVM: a JVM that no longer answers keeps nobody from closing the
// Listener.
func TestSilentJVM(t *testing.T) {
	j, err := Listen(io.Discard, func(Report) {})
	if err != nil {
		t.Fatal(err)
	}
	conn, jvm := net.Pipe()
	d := &debuggee{vm: newVM(conn)}
	j.open[conn] = d
	j.serving.Go(func() { _ = d.run(bufio.NewReader(conn), func(*packet) {}) })
	go func() { _, _ = io.Copy(io.Discard, jvm) }()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		j.Close()
	}()
	select {
	case <-closed:
	case <-time.After(peertest.Patience):
		t.Fatal("Close does not return")
	}
}

// TestWithoutShim: JVMs that would not start are left alone, and the words that
// a program has for its own JVMs stay.
func TestWithoutShim(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	image := func(release string, agent bool) string {
		dir := t.TempDir()
		if err := os.MkdirAll(dir+"/lib", 0o700); err != nil {
			t.Fatal(err)
		}
		if agent {
			if err := os.WriteFile(dir+"/lib/libjdwp.so", nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(dir+"/release", []byte("IMPLEMENTOR=\"x\"\nJAVA_VERSION=\""+release+"\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for _, c := range []struct {
		environ, args []string
		want          error
	}{
		{nil, []string{"run"}, ErrNoJDK},
		{[]string{"JAVA_HOME=" + image("1.8.0_432", true)}, []string{"run"}, ErrOldJDK},
		{[]string{"JAVA_HOME=" + image("17.0.15", false)}, []string{"run"}, ErrNoDebugger},
		{[]string{"JAVA_HOME=" + image("21", true)}, []string{"run"}, nil},
		{[]string{"JAVA_HOME=" + image("26-ea", true)}, []string{"run"}, nil},
		{[]string{"JAVA_HOME=" + image("21", true)}, []string{"catalina.sh", "jpda", "run"}, ErrOwnDebugger},
		{[]string{"JAVA_HOME=" + image("21", true), "JPDA_OPTS=-agentlib:jdwp=transport=dt_socket"}, []string{"run"}, ErrOwnDebugger},
	} {
		j, err := Listen(io.Discard, nil)
		if err != nil {
			t.Fatal(err)
		}
		environ, err := j.WithoutShim(append(c.environ, "JAVA_TOOL_OPTIONS=-Da=b"), c.args, nil)
		if err != c.want {
			t.Errorf("%v %v: %v, not %v", c.environ, c.args, err, c.want)
		}
		value, added := valueOf(environ, "JAVA_TOOL_OPTIONS"), c.want == nil
		if !strings.HasPrefix(value, "-Da=b") || strings.Contains(value, "VMOptionsFile") != added {
			t.Errorf("%v %v: JAVA_TOOL_OPTIONS is %q", c.environ, c.args, value)
		}
		if !added {
			j.Close()
			continue
		}
		if text, err := os.ReadFile(j.options); err != nil || !strings.Contains(string(text), "jdwp") {
			t.Errorf("the file of options has %q: %v", text, err)
		}
		j.Close()
		if text, err := os.ReadFile(j.options); err != nil || len(text) > 0 {
			t.Errorf("afterwards it has %q: %v", text, err)
		}
	}
}
