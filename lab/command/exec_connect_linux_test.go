package command_test

import (
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// TestExecConnect: the TCP connections of programs that know no proxies are
// recorded, too, and look to the program as they do without lab. Others are left
// alone.
func TestExecConnect(t *testing.T) {
	t.Parallel()
	need(t, "tshark", "python3", "cc")
	dir := t.TempDir()
	four, six := serveTLS(t, "127.0.0.1:0"), serveTLS(t, "[::1]:0")
	unix := filepath.Join(dir, "socket")
	udp := echoAt(t, unix)
	if six == "" {
		six = "-"
	}
	script, err := filepath.Abs("testdata/peer/connect.py")
	if err != nil {
		t.Fatal(err)
	}
	program := []string{"python3", script, four, six, "127.0.0.1:" + peertest.FreePort(t), udp, unix}
	without, err := exec.CommandContext(t.Context(), program[0], program[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, without)
	}
	cmd := recorded(t, dir, program...)
	with, err := cmd.Output()
	sorted := func(lines []byte) string { return strings.Join(slices.Sorted(strings.Lines(string(lines))), "") }
	if err != nil || sorted(with) != sorted(without) {
		t.Fatalf("%v: with lab the program sees\n%s\nand without\n%s", err, with, without)
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
	want := map[string]int{"/blocking": 1, "/timeout": 1, "/many": 32, "/fork": 1, "/six": 1, "/mapped": 1, "/bound": 0}
	if six == "-" {
		want["/six"], want["/mapped"] = 0, 0
	}
	paths := strings.Join(strings.Fields(string(seen)), " ") + " "
	for path, times := range want {
		if got := strings.Count(paths, path+" "); got != times {
			t.Errorf("tshark sees %s %d times, not %d", path, got, times)
		}
	}
}

// TestExecConnectEarly: a library that connects before the shim has begun can do
// so, with a capture and without.
func TestExecConnectEarly(t *testing.T) {
	t.Parallel()
	need(t, "cc")
	dir := t.TempDir()
	const source = `#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
__attribute__((constructor)) static void early(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr = { htonl(INADDR_LOOPBACK) } }, peer = { 0 };
	socklen_t size = sizeof peer;
	int fd = socket(AF_INET, SOCK_STREAM, 0), status = connect(fd, (struct sockaddr *)&to, sizeof to);
	int named = getpeername(fd, (struct sockaddr *)&peer, &size);
	dprintf(1, "%d %d %d\n", status, named, peer.sin_port == to.sin_port);
}`
	_, port, _ := net.SplitHostPort(serveTLS(t, "127.0.0.1:0"))
	library := filepath.Join(dir, "early.so")
	cc := exec.CommandContext(t.Context(), "cc", "-shared", "-fPIC", "-DPORT="+port, "-o", library, "-x", "c", "-")
	cc.Stdin = strings.NewReader(source)
	if out, err := cc.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// What is preloaded last begins first.
	program := []string{"sh", "-c", `LD_PRELOAD="$LD_PRELOAD:$0" exec true`, library}
	with := recorded(t, dir, program...)
	without := exec.CommandContext(t.Context(), labCommand(t), append([]string{"exec", "--keylog", "keys.log", "--"}, program...)...)
	without.Dir, without.Env = with.Dir, with.Env
	for _, cmd := range []*exec.Cmd{with, without} {
		if out, err := cmd.Output(); err != nil || string(out) != "0 0 1\n" {
			t.Errorf("%v: %v: %q", cmd.Args, err, out)
		}
	}
}

// TestExecConnectOutlived: a program that outlives lab connects by itself.
func TestExecConnectOutlived(t *testing.T) {
	t.Parallel()
	need(t, "python3", "cc")
	dir := t.TempDir()
	asked := make(chan string, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path })}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	script := "import http.client, os, sys, time\nif os.fork(): sys.exit()\nfor f in 0, 1, 2: os.close(f)\nwhile os.path.exists('/proc/' + sys.argv[2]): time.sleep(0.01)\nhttp.client.HTTPConnection('127.0.0.1', int(sys.argv[1])).request('GET', '/after')"
	_, port, _ := net.SplitHostPort(l.Addr().String())
	// $PPID is lab, which waits for the shell.
	cmd := recorded(t, dir, "sh", "-c", `python3 -c "$1" "$2" $PPID`, "sh", script, port)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := <-asked; got != "/after" {
		t.Error(got)
	}
}
