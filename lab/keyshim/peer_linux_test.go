package keyshim

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/wiretap"
)

// say has a shell of that user send a message to the proxy, and returns what it is answered.
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
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(c, "inner service")
			c.Close()
		}
	}()
	return l.Addr().String()
}

// TestProxyRefusesOtherUsers: another user gets nothing through the proxy, and nothing of theirs is recorded.
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

// TestProxyKnowsItsUser: programs that take no password from the environment, such as browsers, are served on Linux.
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

// TestOwnerOfSocket: only an open socket has an owner, by whatever protocol its program has named the address.
func TestOwnerOfSocket(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	own := func(c net.Conn) bool { return isOwnPeer(c.(*net.TCPConn)) }
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
	if !own(server) {
		t.Error("an IPv6 socket has no owner")
	}
	syscall.Close(fd)
	if own(server) {
		t.Error("a socket that is closed has an owner")
	}
}
