package keyshim

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/wiretap"
)

// say has a shell of that user send a message to the proxy, and returns what it
// is answered.
func say(t *testing.T, uid uint32, proxy *url.URL, message string) string {
	t.Helper()
	peertest.Need(t, "bash")
	const script = `exec 3<>/dev/tcp/${0%:*}/${0#*:} && printf "%b" "$1" >&3 && timeout 20 cat <&3`
	shell := exec.CommandContext(t.Context(), "bash", "-c", script, proxy.Host, message)
	shell.Dir = "/"
	shell.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	if uid == uint32(os.Geteuid()) {
		shell.SysProcAttr = nil
	}
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Logf("%v: %s", err, out) // cat, of a connection that was reset
	}
	return string(out)
}

// greeter is a server that greets and ends.
func greeter(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	peertest.Serve(t, l, func(c net.Conn) {
		fmt.Fprintln(c, "inner service")
		c.Close()
	})
	return l.Addr().String()
}

// TestProxyRefusesOtherUsers: another user gets nothing through the proxy, and
// nothing of theirs is recorded.
func TestProxyRefusesOtherUsers(t *testing.T) {
	const nobody = 65534
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	relay, proxy, sink := newProxy(t)
	inner := greeter(t)
	password, _ := proxy.User.Password()
	connect := "CONNECT " + inner + " HTTP/1.1\\r\\n%s\\r\\nfrom another user"
	if got := say(t, nobody, proxy, fmt.Sprintf(connect, "")); !strings.HasPrefix(got, "HTTP/1.1 407 ") || strings.Contains(got, "inner") {
		t.Errorf("HTTP: %q", got)
	}
	if got := say(t, nobody, proxy, `\x05\x01\x00\x05\x01\x00\x03\x09localhost\x20\xfbfrom another user`); got != "\x05\xff" {
		t.Errorf("SOCKS5: %q", got)
	}
	if got := say(t, nobody, proxy, `\x05\x01\x80\x05\x01\x00\x03\x09localhost\x20\xfbfrom another user`); got != "\x05\xff" {
		t.Errorf("asked for the proof that it is lab: %q", got)
	}
	if got := say(t, nobody, proxy, `\x1b[2J\n\n`); strings.Contains(got, "inner") || strings.Contains(got, password) {
		t.Errorf("nonsense: %q", got)
	}
	known := strings.ReplaceAll(basic(proxy.User.String()), "\r\n", `\r\n`)
	if got := say(t, nobody, proxy, fmt.Sprintf(connect, known)); !strings.Contains(got, "inner service") {
		t.Errorf("with the password, as a program that changes its user: %q", got)
	}
	recorded, err := relay.Close()
	if err != nil || recorded.Connections != 1 || recorded.Unreached != nil {
		t.Errorf("%+v, %v", recorded, err)
	}
	for _, e := range sink.of(wiretap.Data) {
		if strings.Contains(string(e.Data), password) || strings.Contains(string(e.Data), known) {
			t.Error("the password is in the recording")
		}
	}
}

// TestProxyKnowsItsUser: programs that take no password from the environment,
// such as browsers, are served on Linux.
func TestProxyKnowsItsUser(t *testing.T) {
	if os.Geteuid() == overflowUID {
		t.Skip("this user's number stands for all that have none")
	}
	relay, proxy, _ := newProxy(t)
	got := say(t, uint32(os.Geteuid()), proxy, "CONNECT "+greeter(t)+` HTTP/1.1\r\n\r\n`)
	if !strings.Contains(got, "inner service") {
		t.Errorf("%q", got)
	}
	if _, err := relay.Close(); err != nil {
		t.Error(err)
	}
}

// TestProxyServesItsUserFirst: clients of another user make way for each other,
// not for them the user's own.
func TestProxyServesItsUserFirst(t *testing.T) {
	const nobody = 65534
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	peertest.Need(t, "bash")
	relay, proxy, _ := newProxy(t)
	inner := greeter(t)
	oldest := dialProxy(t, proxy)
	const flood = `exec 3<>/dev/tcp/${0%:*}/${0#*:} || exit
		for ((i = 0; i < $1; i++)); do exec {fd}<>/dev/tcp/${0%:*}/${0#*:} || exit; done
		read -t 20 -u 3; (($? <= 128)) && echo the first has ended
		read # until the test is done`
	shell := exec.CommandContext(t.Context(), "bash", "-c", flood, proxy.Host, strconv.Itoa(3*maxAsking))
	shell.Dir = "/"
	shell.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	until, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "the first has ended\n" {
		t.Errorf("the other user: %q, %v", line, err)
	}
	newest := dialProxy(t, proxy)
	for name, c := range map[string]net.Conn{"newest": newest, "oldest": oldest} {
		fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\n\r\n", inner)
		if got, err := io.ReadAll(c); !strings.Contains(string(got), "inner service") {
			t.Errorf("the %s of the user is answered %q, %v", name, got, err)
		}
		c.Close()
	}
	until.Close()
	_ = shell.Wait()
	if recorded, err := relay.Close(); err != nil || recorded.Connections != 2 {
		t.Errorf("%+v, %v", recorded, err)
	}
}

// TestOwnerOfSocket: only an open socket has an owner, by whatever protocol its
// program has named the address.
func TestOwnerOfSocket(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addrs := func(c net.Conn) (client, server netip.AddrPort) {
		return c.RemoteAddr().(*net.TCPAddr).AddrPort(), c.LocalAddr().(*net.TCPAddr).AddrPort()
	}
	own := map[string]func(net.Conn) bool{
		"check": func(c net.Conn) bool { return isOwnPeer(c.(*net.TCPConn)) },
		"sock_diag": func(c net.Conn) bool {
			uid, ok, err := diagnoseSocket(addrs(c))
			if err != nil && err != unix.ENOENT {
				t.Logf("no sock_diag: %v", err)
				uid, ok = searchSocket(addrs(c))
			}
			return ok && uid == os.Geteuid()
		},
		"table": func(c net.Conn) bool {
			uid, ok := searchSocket(addrs(c))
			return ok && uid == os.Geteuid()
		},
	}
	fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no IPv6: %v", err)
	}
	mapped := &syscall.SockaddrInet6{Port: l.Addr().(*net.TCPAddr).Port}
	copy(mapped.Addr[:], net.ParseIP("127.0.0.1").To16())
	if err := syscall.Connect(fd, mapped); err != nil {
		t.Skipf("no IPv4 by IPv6: %v", err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for name, own := range own {
		if !own(server) {
			t.Errorf("%s: an IPv6 socket has no owner", name)
		}
	}
	if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		defer l.Close()
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		for name, own := range own {
			if !own(server) {
				t.Errorf("%s: a socket with IPv6 addresses has no owner", name)
			}
		}
	}
	syscall.Close(fd)
	for name, own := range own {
		if own(server) {
			t.Errorf("%s: a socket that is closed has an owner", name)
		}
	}
}
