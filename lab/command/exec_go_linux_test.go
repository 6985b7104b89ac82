package command_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// buildPeer builds a program in Go of testdata/peer, and returns its path.
func buildPeer(t *testing.T, name string) string {
	t.Helper()
	need(t, "go")
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("Go programs are traced on amd64 and arm64")
	}
	program := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-o", program, "testdata/peer/"+name+".go").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// serveTLS serves HTTPS at an address, and returns that with its port.
func serveTLS(t *testing.T, address string) string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Log(err) // no IPv6
		return ""
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Listener = l
	s.StartTLS()
	t.Cleanup(s.Close)
	return l.Addr().String()
}

// echoAt echoes what comes first at each address.
func echoAt(t *testing.T, unix string) (udp string) {
	t.Helper()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { packets.Close() })
	go func() {
		b := make([]byte, 16)
		for {
			n, from, err := packets.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = packets.WriteTo(b[:n], from)
		}
	}()
	l, err := net.Listen("unix", unix)
	if err != nil {
		t.Fatal(err)
	}
	peertest.Serve(t, l, func(c net.Conn) {
		_, _ = io.Copy(c, c)
		c.Close()
	})
	return packets.LocalAddr().String()
}

// recorded is a program whose connections go to x.pcapng.
func recorded(t *testing.T, dir string, program ...string) *exec.Cmd {
	t.Helper()
	args := append([]string{"exec", "--keylog", "keys.log", "--capture", "x.pcapng", "--"}, program...)
	cmd := exec.CommandContext(t.Context(), labCommand(t), args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "LAB_TEST_MANIFEST="+defaultManifest(t), "XDG_CACHE_HOME="+dir)
	return cmd
}

// TestExecGoCapture: the TCP connections of Go programs are recorded with their
// keys, and look to the program as they do without lab. Others are left alone.
func TestExecGoCapture(t *testing.T) {
	t.Parallel()
	need(t, "tshark")
	program := buildPeer(t, "connect")
	dir := t.TempDir()
	four, six := serveTLS(t, "127.0.0.1:0"), serveTLS(t, "[::1]:0")
	unix := filepath.Join(dir, "socket")
	udp := echoAt(t, unix)
	cmd := recorded(t, dir, program, four, six, udp, unix, "localhost:"+peertest.FreePort(t))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	said := strings.Join(strings.Fields(string(out)), " ")
	if want := "the connection to " + four + " is not recorded: its socket is bound to 127.0.0.1; record it with --tap 127.0.0.1:9443=" + four; !strings.Contains(said, want) {
		t.Errorf("no %q in:\n%s", want, out)
	}
	args := []string{"-r", filepath.Join(dir, "x.pcapng"), "-Y", "http.request", "-T", "fields", "-e", "http.request.uri"}
	for _, address := range []string{four, six} {
		if _, port, err := net.SplitHostPort(address); err == nil {
			args = append(args, "-d", "tcp.port=="+port+",tls")
		}
	}
	seen, err := exec.CommandContext(t.Context(), "tshark", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"/four": 1, "/six": 1, "/many": 16}
	if six == "" {
		delete(want, "/six")
	}
	paths := strings.Fields(string(seen))
	for path, times := range want {
		if got := strings.Count(strings.Join(paths, " ")+" ", path+" "); got != times {
			t.Errorf("tshark sees %s %d times, not %d", path, got, times)
		}
	}
	if strings.Contains(string(seen), "/bound") {
		t.Error("what is said not to be recorded is recorded")
	}
}

// TestExecGoCaptureServer: connections to a server in Go are not recorded, and
// lab says at once what records them.
func TestExecGoCaptureServer(t *testing.T) {
	t.Parallel()
	cmd := recorded(t, t.TempDir(), buildPeer(t, "connect"), "serve", "1")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.Dial("tcp", strings.TrimSpace(address), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if want := "it is a server's, or was not made by Go's package net; record it with --tap 127.0.0.1:9443=HOST:PORT"; !strings.Contains(strings.Join(strings.Fields(said.String()), " "), want) {
		t.Errorf("no %q in:\n%s", want, &said)
	}
}

// TestExecGoPrograms: well-known programs in Go, as Debian builds them, open
// decrypted: servers through a tap, and a client by its own connections.
func TestExecGoPrograms(t *testing.T) {
	if !peertest.Full() {
		t.Skip("only in a full run")
	}
	need(t, "caddy", "etcd", "etcdctl", "tshark", "curl")
	l := newExecLab(t)
	start := func(t *testing.T, name, port, tapped string, program ...string) {
		t.Helper()
		cmd := l.command(t, name)
		cmd.Args = append([]string{l.program, "exec", "--keylog", "off", "--capture", name + ".pcapng", "--tap", "127.0.0.1:" + tapped + "=127.0.0.1:" + port, "--"}, program...)
		cmd.Env = append(cmd.Env, "HOME="+l.dir, "XDG_DATA_HOME="+l.dir, "XDG_CONFIG_HOME="+l.dir)
		server := peertest.Start(t, cmd)
		stop := func() { _ = cmd.Process.Signal(syscall.SIGTERM); server.Wait(t) }
		t.Cleanup(stop)
		if err := peertest.AwaitListener(port); err != nil {
			t.Fatal(err)
		}
	}
	run := func(t *testing.T, program ...string) string {
		t.Helper()
		cmd := l.command(t, "x")
		cmd.Args = append([]string{l.program, "exec", "--keylog", "off", "--capture", "client.pcapng", "--"}, program...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	sees := func(t *testing.T, capture, port, field, want string) {
		t.Helper()
		if err := peertest.Poll(func() error {
			out, err := exec.CommandContext(t.Context(), "tshark", "-r", l.path(capture), "-d", "tcp.port=="+port+",tls", "-T", "fields", "-e", field).Output()
			if err == nil && !strings.Contains(string(out), want) {
				err = fmt.Errorf("tshark sees no %s %s in %s: %s", field, want, capture, strings.Join(strings.Fields(string(out)), " "))
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	t.Run("caddy", func(t *testing.T) {
		port, tapped := peertest.FreePort(t), peertest.FreePort(t)
		config := fmt.Sprintf("{\n admin off\n auto_https disable_redirects\n}\nhttps://localhost:%s, https://localhost:%s {\n tls %[3]s/certs/server.pem %[3]s/certs/server-key.pem\n respond hello\n}\n", port, peertest.FreePort(t), l.dir)
		if err := os.WriteFile(l.path("Caddyfile"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		start(t, "caddy", port, tapped, "caddy", "run", "--config", "Caddyfile")
		if out, err := exec.CommandContext(t.Context(), "curl", "-sS", "--http1.1", "--cacert", l.path("certs/server-ca.pem"), "https://localhost:"+tapped+"/of-caddy").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		sees(t, "caddy.pcapng", port, "http.request.uri", "/of-caddy")
	})
	t.Run("etcd", func(t *testing.T) {
		port, tapped, peer := peertest.FreePort(t), peertest.FreePort(t), peertest.FreePort(t)
		start(t, "etcd", port, tapped, "etcd", "--cert-file=certs/server.pem", "--key-file=certs/server-key.pem", "--client-cert-auth", "--trusted-ca-file=certs/client-ca.pem",
			"--listen-client-urls=https://127.0.0.1:"+port, "--advertise-client-urls=https://localhost:"+tapped, "--listen-peer-urls=http://127.0.0.1:"+peer, "--log-level=error")
		out := run(t, "etcdctl", "--cacert=certs/server-ca.pem", "--cert=certs/client.pem", "--key=certs/client-key.pem", "--endpoints=https://localhost:"+tapped, "put", "name", "value")
		if !strings.Contains(out, "OK") {
			t.Error(out)
		}
		sees(t, "client.pcapng", tapped, "http2.headers.path", "/etcdserverpb.KV/Put")
		sees(t, "etcd.pcapng", port, "http2.headers.path", "/etcdserverpb.KV/Put")
	})
}

// TestExecAttach: the keys of a program that runs already are logged until lab
// ends, in whatever way, and the program runs on.
func TestExecAttach(t *testing.T) {
	t.Parallel()
	l := newExecLab(t)
	program := buildPeer(t, "connect")
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(signal.String(), func(t *testing.T) {
			server := exec.CommandContext(t.Context(), program, "serve", "2")
			out, err := server.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			address, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			name := "attach-" + strconv.Itoa(int(signal))
			cmd := l.command(t, name)
			cmd.Args = []string{l.program, "exec", "--keylog", name + ".keys", "--attach", strconv.Itoa(server.Process.Pid)}
			said, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(said).ReadString('\n'); err != nil || !strings.Contains(line, "the keys of process") {
				t.Fatalf("%v: %s", err, line)
			}
			call := func() {
				t.Helper()
				c, err := tls.Dial("tcp", strings.TrimSpace(address), &tls.Config{InsecureSkipVerify: true})
				if err != nil {
					t.Fatal(err)
				}
				c.Close()
			}
			call()
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			call() // which ends the server
			if err := server.Wait(); err != nil {
				t.Errorf("the program has ended with lab: %v", err)
			}
			if n := len(l.lines(t, name)); n != 1 {
				t.Errorf("keys of %d handshakes, not 1", n)
			}
		})
	}
}

// TestExecInterrupted: lab is killed by SIGINT if that has killed the program,
// which ends the loop of a shell, and only then.
func TestExecInterrupted(t *testing.T) {
	t.Parallel()
	for script, killed := range map[string]bool{"kill -INT $$": true, "exit 130": false, "kill -TERM $$": false} {
		cmd := exec.CommandContext(t.Context(), labCommand(t), "exec", "--keylog", "keys.log", "--", "sh", "-c", script)
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), "LAB_TEST_MANIFEST="+defaultManifest(t))
		_ = cmd.Run()
		by := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if got := by.Signaled() && by.Signal() == syscall.SIGINT; got != killed || !killed && by.ExitStatus() <= 128 {
			t.Errorf("%s: %v", script, cmd.ProcessState)
		}
	}
}
