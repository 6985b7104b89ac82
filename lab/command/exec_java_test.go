//go:build unix

package command_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// javaLab is an execLab with Java programs: testdata/peer/Peer.java, compiled,
// and a key store for it.
type javaLab struct{ *execLab }

// smallJVM keeps a JVM of a test from taking a quarter of the memory.
var smallJVM = []string{"-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}

func newJavaLab(t testing.TB) javaLab {
	t.Helper()
	need(t, "java", "javac")
	l := javaLab{newExecLab(t)}
	l.compile(t, "", "Peer.java")
	for _, name := range []string{"client", "server"} {
		l.must(t, "openssl", "pkcs12", "-export", "-in", "certs/"+name+".pem", "-inkey", "certs/"+name+"-key.pem", "-out", name+".p12", "-passout", "pass:changeit")
	}
	return l
}

// compile compiles a program of testdata/peer that uses Peer and libraries.
func (l javaLab) compile(t testing.TB, libraries, program string) {
	t.Helper()
	source, err := filepath.Abs("testdata/peer/" + program)
	if err != nil {
		t.Fatal(err)
	}
	l.must(t, "javac", "-J-Xmx128m", "--release", "11", "-cp", l.dir+":"+libraries, "-d", l.dir, source)
}

func (l javaLab) must(t testing.TB, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = l.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// call is a Java client of the server at port, as arguments.
func (l javaLab) call(java, way, port, version string, times, threads int) []string {
	args := append([]string{java}, smallJVM...)
	return append(args, "-cp", l.dir, "Peer", "client.p12", way, port, version, strconv.Itoa(times), strconv.Itoa(threads))
}

func (l javaLab) server(java, way, port, version string) []string {
	args := append([]string{java}, smallJVM...)
	return append(args, "-cp", l.dir, "Peer", "server.p12", way, port, version, "0", "0")
}

// jdks are the programs java of the JDKs that are installed, by version. There
// is one in $PATH.
func jdks(t *testing.T) map[int]string {
	t.Helper()
	found := make(map[int]string)
	others, _ := filepath.Glob("/usr/lib/jvm/*/bin/java")
	for _, java := range append(others, "java") {
		out, err := exec.CommandContext(t.Context(), java, "-version").CombinedOutput()
		if version := regexp.MustCompile(`version "(\d+)`).FindSubmatch(out); err == nil && version != nil {
			n, _ := strconv.Atoi(string(version[1]))
			found[n] = java
		}
	}
	return found
}

// TestExecJava runs Java programs under lab exec.
func TestExecJava(t *testing.T) {
	t.Parallel()
	l := newJavaLab(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, javaLab)
	}{
		{"threads", testJavaThreads}, {"harmless", testJavaHarmless}, {"outlived", testJavaOutlived}, {"terminal", testJavaTerminal}, {"resumed", testJavaResumed},
		{"capture", testJavaCapture}, {"programs", testJavaPrograms},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, l) })
	}
}

// testJavaPrograms has tshark decrypt what clients and servers have said with
// the keys that each has logged. It ends the capture.
func testJavaPrograms(t *testing.T, l javaLab) {
	need(t, "keytool", "tshark")
	for _, name := range []string{"client", "server"} { // as people make them
		for _, ca := range []string{"server-ca", "client-ca"} {
			l.must(t, "keytool", "-J-Xmx64m", "-importcert", "-noprompt", "-alias", ca, "-file", "certs/"+ca+".pem", "-keystore", name+".p12", "-storepass", "changeit")
		}
	}
	const tls13Java = 4 // lines of a handshake: JSSE logs no exporter secret
	want := make(map[string]int)
	var logged []string
	for version, java := range jdks(t) {
		for protocol, lines := range map[string]int{"TLSv1.3": tls13Java, "TLSv1.2": 1} {
			ways := []string{"socket", "httpclient", "urlconnection", "resumed"}
			if version >= 21 {
				ways = append(ways, "virtual")
			}
			name := fmt.Sprintf("client%d%s", version, protocol)
			t.Run(name, func(t *testing.T) {
				const times = 2
				out := l.run(t, name, "", l.call(java, strings.Join(ways, ","), l.port, protocol, times, 1)...)
				if protocol == "TLSv1.3" && strings.Count(out, "resumed") != times-1 {
					t.Errorf("not all sessions but the first are resumed:\n%s", out)
				}
				counts := l.lines(t, name)
				if len(counts) != times*len(ways) {
					t.Errorf("keys of %d handshakes, not %d: %s", len(counts), times*len(ways), out)
				}
				for _, n := range counts {
					if n != lines {
						t.Errorf("%d lines of a handshake, not %d", n, lines)
					}
				}
				if info, err := os.Stat(l.path(name + ".keys")); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("the key log is not the user's alone: %v %v", info, err)
				}
				for _, way := range ways {
					for i := range times {
						want[fmt.Sprintf("/%s-%d", way, i)]++
					}
				}
				logged = append(logged, name)
			})
			name = fmt.Sprintf("server%d%s", version, protocol)
			t.Run(name, func(t *testing.T) {
				port := peertest.FreePort(t)
				l.serve(t, name, port, l.server(java, "server", port, protocol), func() { l.get(t, port, "localhost", "/"+name) })
				want["/"+name]++
				logged = append(logged, name)
			})
		}
	}
	l.finish(t)
	seen := l.requests(t, logged...)
	for path, times := range want {
		if seen[path] != times {
			t.Errorf("with its keys tshark sees %s %d times, not %d", path, seen[path], times)
		}
	}
}

// testJavaThreads: many threads at breakpoints at once come on, and each secret
// is logged.
func testJavaThreads(t *testing.T, l javaLab) {
	handshakes, threads := 200, 64
	if peertest.Full() {
		handshakes = 1000
	}
	l.run(t, "threads", "", l.call("java", "socket", l.port, "TLSv1.3", handshakes, threads)...)
	if counts := l.lines(t, "threads"); len(counts) != handshakes {
		t.Errorf("keys of %d handshakes, not %d", len(counts), handshakes)
	}
}

// testJavaHarmless: no Java program fails, or acts in another way, because
// it runs under lab exec. Where its keys cannot be had, lab says why.
func testJavaHarmless(t *testing.T, l javaLab) {
	call := strings.Join(l.call("java", "socket", l.port, "TLSv1.3", 1, 1), " ")
	// runs returns what both lab and the program have printed.
	runs := func(t *testing.T, name, script string, environ ...string) string {
		t.Helper()
		cmd := l.command(t, name, "sh", "-c", script)
		cmd.Env = append(cmd.Env, environ...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.Join(strings.Fields(string(out)), " ")
	}
	wants := func(t *testing.T, out string, all ...string) {
		t.Helper()
		for _, want := range all {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in:\n%s", want, out)
			}
		}
	}
	const debugger = "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=127.0.0.1:0"
	t.Run("own debugger", func(t *testing.T) {
		out := runs(t, "own1", strings.Replace(call, "java", "java "+debugger, 1))
		wants(t, out, "done in", "has a debugger of its own", "Listening for transport dt_socket")
		if strings.Contains(out, "no TLS secrets came") {
			t.Errorf("lab does not know why there are no keys: %s", out)
		}
	})
	for _, variable := range []string{"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"} {
		t.Run("own debugger in "+variable, func(t *testing.T) {
			out := runs(t, "own-"+variable, call, variable+"="+debugger)
			wants(t, out, "done in", "has a debugger of its own")
		})
	}
	t.Run("own debugger in a file", func(t *testing.T) {
		if err := os.WriteFile(l.path("arguments"), []byte(debugger), 0o600); err != nil {
			t.Fatal(err)
		}
		out := runs(t, "own-file", strings.Replace(call, "java", "java @arguments", 1))
		wants(t, out, "done in", "has a debugger of its own")
	})
	t.Run("own options", func(t *testing.T) {
		out := runs(t, "options", call, "JAVA_TOOL_OPTIONS=-Dof.its.own=1")
		wants(t, out, "Picked up JAVA_TOOL_OPTIONS: -Dof.its.own=1 -agentlib:jdwp=", "done in")
		if len(l.lines(t, "options")) != 1 {
			t.Error("there are no keys")
		}
	})
	t.Run("version", func(t *testing.T) {
		if out := runs(t, "version", "java -version 2>&1 | head -n 1"); strings.Contains(out, "Picked up") || !strings.Contains(out, "version") {
			t.Errorf("a script reads as the version: %s", out)
		}
	})
	t.Run("no debugger in the image", func(t *testing.T) {
		if _, err := exec.LookPath("jlink"); err != nil {
			t.Skip(err)
		}
		l.must(t, "jlink", "--add-modules", "java.base,java.net.http,jdk.httpserver,jdk.crypto.ec", "--output", "image")
		out := runs(t, "image", strings.Replace(call, "java", "image/bin/java", 1))
		wants(t, out, "done in", "lacks the module jdk.jdwp.agent")
	})
	t.Run("by JAVA_HOME and scripts", func(t *testing.T) {
		home, err := exec.LookPath("java")
		if err != nil {
			t.Fatal(err)
		}
		if home, err = filepath.EvalSymlinks(home); err != nil {
			t.Fatal(err)
		}
		runs(t, "home", `sh -c "`+strings.Replace(call, "java", `'$JAVA_HOME'/bin/java`, 1)+`"`, "JAVA_HOME="+filepath.Dir(filepath.Dir(home)))
		if len(l.lines(t, "home")) != 1 {
			t.Error("there are no keys")
		}
	})
	t.Run("exit status", func(t *testing.T) {
		err := l.command(t, "status", "java", "-cp", l.dir, "Peer", "missing.p12", "socket", l.port, "TLSv1.3", "1", "1").Run()
		if exit := (*exec.ExitError)(nil); !asExit(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("a program that fails with 1 ends with %v", err)
		}
	})
	t.Run("somebody else listens at the port of lab", func(t *testing.T) {
		impostor, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer impostor.Close()
		var asked atomic.Int64
		go func() {
			for {
				conn, err := impostor.Accept()
				if err != nil {
					return
				}
				asked.Add(1)
				_, _ = conn.Write([]byte("JDWP-Handshake" + strings.Repeat("y", 100)))
				conn.Close()
			}
		}()
		out := runs(t, "impostor", "LAB_JAVA_TOOL_OPTIONS=-agentlib:jdwp=transport=dt_socket,server=n,suspend=y,address="+impostor.Addr().String()+" "+call)
		wants(t, out, "done in")
		if strings.Contains(out, "Picked up") || asked.Load() != 1 {
			t.Errorf("a JVM connects to it as its debugger: it is asked %d times\n%s", asked.Load(), out)
		}
	})
	t.Run("without a compiler", func(t *testing.T) {
		out := runs(t, "plain", call, withoutShim(l)...)
		wants(t, out, "done in", "-XX:VMOptionsFile=")
		if len(l.lines(t, "plain")) != 1 {
			t.Error("there are no keys")
		}
	})
}

// testJavaOutlived: JVMs that lab leaves behind go on, and those that are
// started later start.
func testJavaOutlived(t *testing.T, l javaLab) {
	endings := map[string]syscall.Signal{"killed": syscall.SIGKILL, "ended": 0}
	for how, environ := range map[string][]string{"shim": nil, "plain": withoutShim(l)} {
		for ending, signal := range endings {
			name := "late-" + how + "-" + ending
			t.Run(name, func(t *testing.T) {
				output := l.path(name + ".txt")
				call := strings.Join(l.call("java", "socket", l.port, "TLSv1.3", 1, 1), " ")
				script := `exec 3<&0; (cat <&3; ` + call + `; echo "status $?") >` + output + ` 2>&1 &`
				goOn := l.leave(t, name, script, environ, signal, func() error {
					_, err := os.Stat(output)
					return err
				})
				if err := peertest.Poll(l.noOptions); err != nil {
					t.Error(err)
				}
				goOn()
				if err := peertest.Poll(func() error {
					if out, _ := os.ReadFile(output); !strings.Contains(string(out), "status 0") {
						return fmt.Errorf("the JVM says %q", out)
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	for ending, signal := range endings {
		name := "daemon-" + ending
		t.Run(name, func(t *testing.T) {
			port := peertest.FreePort(t)
			script := `exec 3<&0; ` + strings.Join(l.server("java", "daemon", port, "TLSv1.3"), " ") + ` <&3 >` + name + `.txt 2>&1 &`
			defer l.leave(t, name, script, nil, signal, func() error {
				err := peertest.AwaitListener(port)
				if err == nil {
					l.get(t, port, "localhost", "/before")
				}
				return err
			})()
			for range 3 {
				l.get(t, port, "localhost", "/after")
			}
		})
	}
}

// withoutShim is an environment in which the shim cannot be built.
func withoutShim(l javaLab) []string {
	return []string{"CC=/nonexistent", "XDG_CACHE_HOME=" + l.path("none")}
}

// noOptions fails while a file has options for JVMs.
func (l javaLab) noOptions() error {
	files, _ := filepath.Glob(l.path("none/lab/java/*.options"))
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Size() > 0 {
			return fmt.Errorf("%s is not emptied", file)
		}
	}
	return nil
}

// leave runs a script under lab exec that leaves a program behind. Once
// meanwhile succeeds, lab is ended by a signal, or ends by itself if that is 0.
// What leave returns ends the standard input of the program.
func (l javaLab) leave(t *testing.T, name, script string, environ []string, signal syscall.Signal, meanwhile func() error) (stop func()) {
	t.Helper()
	stdin, typing, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() { typing.Close() })
	t.Cleanup(stop)
	if signal != 0 {
		script += " wait"
	}
	cmd := l.command(t, name, "sh", "-c", script)
	cmd.Env, cmd.Stdin = append(cmd.Env, environ...), stdin
	err = cmd.Start()
	stdin.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := peertest.Poll(meanwhile); err != nil {
		t.Error(err)
	}
	if signal != 0 {
		_ = cmd.Process.Signal(signal)
	}
	_ = cmd.Wait()
	return stop
}

// testJavaTerminal: what the terminal sends for Ctrl-Z and Ctrl-C does what it
// does without lab.
func testJavaTerminal(t *testing.T, l javaLab) {
	start := func(t *testing.T, name string, args []string) (cmd *exec.Cmd, send func(syscall.Signal)) {
		cmd = l.command(t, name, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { // unless it has ended
			if cmd.ProcessState == nil {
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
				_ = cmd.Wait()
			}
		})
		return cmd, func(s syscall.Signal) {
			if err := syscall.Kill(-cmd.Process.Pid, s); err != nil {
				t.Error(err)
			}
		}
	}
	t.Run("stop", func(t *testing.T) {
		const handshakes = 100
		cmd, send := start(t, "stop", l.call("java", "socket", l.port, "TLSv1.3", handshakes, 8))
		if err := peertest.Poll(func() error {
			if info, err := os.Stat(l.path("stop.keys")); err != nil || info.Size() == 0 {
				return errors.New("there are no keys")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		send(syscall.SIGTSTP)
		if err := peertest.Poll(func() error {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
			if _, state, _ := strings.Cut(string(stat), ") "); err == nil && !strings.HasPrefix(state, "T") {
				err = fmt.Errorf("lab is not stopped: %.1s", state)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
		send(syscall.SIGCONT)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		if counts := l.lines(t, "stop"); len(counts) != handshakes {
			t.Errorf("keys of %d handshakes, not %d", len(counts), handshakes)
		}
	})
	t.Run("interrupt", func(t *testing.T) {
		port := peertest.FreePort(t)
		cmd, send := start(t, "interrupt", l.server("java", "server", port, "TLSv1.3"))
		if err := peertest.AwaitListener(port); err != nil {
			t.Fatal(err)
		}
		send(syscall.SIGINT)
		if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 130 {
			t.Errorf("a JVM that is interrupted ends with %v", cmd.ProcessState)
		}
	})
}

// testJavaResumed: a resumed session of TLS 1.2 has its own line, on both
// sides.
func testJavaResumed(t *testing.T, l javaLab) {
	need(t, "tshark")
	port, tap := peertest.FreePort(t), peertest.FreePort(t)
	l.serve(t, "side", port, l.server("java", "server", port, "TLSv1.2"), func() {
		cmd := exec.CommandContext(t.Context(), l.program, append([]string{"exec", "--keylog", "resumed.keys", "--capture", "resumed.pcapng", "--tap", "127.0.0.1:" + tap + "=127.0.0.1:" + port, "--"},
			l.call("java", "resumed", tap, "TLSv1.2", 3, 1)...)...)
		cmd.Dir, cmd.Env = l.dir, l.command(t, "x").Env
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Count(string(out), "resumed\n") != 2 {
			t.Fatalf("%v: not all sessions but the first are resumed:\n%s", err, out)
		}
	})
	for _, side := range []string{"side", "resumed"} {
		if n := len(l.lines(t, side)); n != 3 {
			t.Errorf("%s has keys of %d handshakes, not 3", side, n)
		}
	}
	seen, err := exec.CommandContext(t.Context(), "tshark", "-r", l.path("resumed.pcapng"), "-d", "tcp.port=="+port+",tls", "-Y", "http.request", "-T", "fields", "-e", "http.request.uri").Output()
	if want := "/resumed-0 /resumed-1 /resumed-2"; err != nil || strings.Join(strings.Fields(string(seen)), " ") != want {
		t.Errorf("tshark sees %q, not %q: %v", seen, want, err)
	}
}

func asExit(err error, exit **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError)
	*exit = e
	return ok
}

// testJavaCapture: Java's sockets are recorded through the proxy. Channels
// are not, and --tap records those.
func testJavaCapture(t *testing.T, l javaLab) {
	need(t, "tshark")
	record := func(t *testing.T, capture, way, port string, flags ...string) (paths, said string) {
		t.Helper()
		args := append([]string{"exec", "--keylog", "off", "--capture", capture}, append(flags, "--")...)
		cmd := exec.CommandContext(t.Context(), l.program, append(args, l.call("java", way, port, "TLSv1.3", 1, 1)...)...)
		cmd.Dir, cmd.Env = l.dir, l.command(t, "x").Env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		seen, err := exec.CommandContext(t.Context(), "tshark", "-r", l.path(capture), "-d", "tcp.port=="+l.port+",tls", "-Y", "http.request", "-T", "fields", "-e", "http.request.uri").Output()
		if err != nil && len(flags) > 0 {
			t.Error(err)
		}
		return strings.TrimSpace(string(seen)), strings.Join(strings.Fields(string(out)), " ")
	}
	if paths, said := record(t, "socket.pcapng", "socket", l.port); paths != "/socket-0" {
		t.Errorf("the capture of a socket has %q: %s", paths, said)
	}
	_, said := record(t, "channel.pcapng", "httpclient", l.port)
	for _, want := range []string{"to localhost:" + l.port + " is not recorded", "--tap 127.0.0.1:9443=localhost:" + l.port, "nothing was recorded: the program's 1 connection did"} {
		if !strings.Contains(said, want) {
			t.Errorf("lab does not say %q: %s", want, said)
		}
	}
	paths, said := record(t, "both.pcapng", "socket,httpclient", l.port)
	if want := "1 connection of the program did not use the proxy"; paths != "/socket-0" || !strings.Contains(said, want) {
		t.Errorf("the capture has %q, and lab does not say %q: %s", paths, want, said)
	}
	explained := exec.CommandContext(t.Context(), l.program, append([]string{"exec", "--explain", "--keylog", "off", "--"}, l.call("java", "socket", l.port, "TLSv1.3", 1, 1)...)...)
	explained.Dir, explained.Env = l.dir, l.command(t, "x").Env
	if out, err := explained.CombinedOutput(); err != nil || !strings.Contains(string(out), "GET /socket-0") || !strings.Contains(string(out), "Accepted") {
		t.Errorf("lab does not draw the connection of a Java program: %v\n%s", err, out)
	}
	port := peertest.FreePort(t)
	if paths, said := record(t, "tap.pcapng", "httpclient", port, "--tap", "127.0.0.1:"+port+"=127.0.0.1:"+l.port); paths != "/httpclient-0" {
		t.Errorf("the capture of a channel has %q: %s", paths, said)
	}
}
