package capture_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/wiretap"
	"mtlslab.example/lab/lab/wiretap/wiretaptest"
)

// TestTunnels: what Linux puts into a tunnel, and dumpcap records below it,
// reads as the ends have seen it.
func TestTunnels(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	need(t, "ip", "dumpcap", "tshark")
	for name, kind := range map[string]string{
		"vlan":   "link under type vlan proto 802.1ad id 7",
		"vxlan":  "type vxlan id 7 local LOCAL remote REMOTE dstport 4789",
		"geneve": "type geneve id 7 remote REMOTE",
		"gre":    "type gre local LOCAL remote REMOTE key 7",
		"gretap": "type gretap local LOCAL remote REMOTE",
		"erspan": "type erspan local LOCAL remote REMOTE seq key 7 erspan_ver 1",
		"ipip":   "type ipip local LOCAL remote REMOTE",
	} {
		t.Run(name, func(t *testing.T) { throughTunnel(t, kind) })
	}
}

// throughTunnel has two hosts talk through a tunnel over Ethernet.
func throughTunnel(t *testing.T, kind string) {
	hosts := [2]string{fmt.Sprintf("lab%d-a", os.Getpid()), fmt.Sprintf("lab%d-b", os.Getpid())}
	for _, host := range hosts {
		if err := ip("netns add " + host); err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { ip("netns del " + host) })
	}
	if err := ip(fmt.Sprintf("link add under netns %s type veth peer name under netns %s", hosts[0], hosts[1])); err != nil {
		t.Skip(err)
	}
	for i, host := range hosts {
		for _, arguments := range []string{
			"address add LOCAL/24 dev under", "link set under up",
			"link add over " + kind,
			"address add 10.0.0." + fmt.Sprint(i+1) + "/24 dev over", "link set over up",
		} {
			arguments = strings.NewReplacer("LOCAL", address4(i), "REMOTE", address4(1-i)).Replace(arguments)
			if err := ip("-n " + host + " " + arguments); err != nil {
				t.Skip(err) // such as a kernel that has no tunnels of that kind
			}
		}
	}

	seen := newTurns()
	var ln net.Listener
	inside(t, hosts[1], func() (err error) {
		ln, err = net.Listen("tcp", "10.0.0.2:8443")
		return err
	})
	defer ln.Close()
	name := filepath.Join(t.TempDir(), "under.pcapng")
	stop := startDumpcap(t, "ip", "netns", "exec", hosts[0], "dumpcap", "-q", "-i", "under", "-w", name)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		answer(wiretaptest.Listener(wiretap.New(seen), ln))
	}()
	var conn net.Conn
	inside(t, hosts[0], func() (err error) {
		conn, err = net.Dial("tcp", "10.0.0.2:8443")
		return err
	})
	ask(t, conn)

	var got *turns
	peertest.Poll(func() error {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got = newTurns()
		capture.Read(bytes.NewReader(file), capture.ReadOptions{Sink: got})
		for _, b := range got.said {
			if strings.HasSuffix(b.String(), " close") {
				return nil
			}
		}
		return errors.New("dumpcap has not seen all yet")
	})
	stop()
	<-answered
	got.words().same(t, seen.words())
	out, err := exec.Command("tshark", "-r", name, "-T", "fields", "-e", "tcp.stream", "-Y", "tls.handshake.type == 1").Output()
	if err != nil || strings.TrimSpace(string(out)) != "0" {
		t.Errorf("tshark finds ClientHello in streams %q, %v", out, err)
	}
}

func address4(host int) string { return fmt.Sprintf("192.0.2.%d", host+1) }

func ip(arguments string) error {
	if out, err := exec.Command("ip", strings.Fields(arguments)...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %s", arguments, out)
	}
	return nil
}

// inside runs f in a network namespace.
func inside(t *testing.T, namespace string, f func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		file, err := os.Open("/run/netns/" + namespace)
		if err == nil {
			defer file.Close()
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// answer speaks TLS with one client and says what it heard, twice.
func answer(l net.Listener) {
	conn, err := l.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	config := &tls.Config{Certificates: []tls.Certificate{testPKI().server}}
	server := tls.Server(conn, config)
	heard, err := io.ReadAll(server)
	if err == nil {
		server.Write(append(heard, heard...))
		server.CloseWrite()
	}
}

// ask speaks TLS with answer.
func ask(t *testing.T, conn net.Conn) {
	t.Helper()
	defer conn.Close()
	client := tls.Client(conn, &tls.Config{RootCAs: testPKI().roots, ServerName: "localhost"})
	question := bytes.Repeat([]byte("question"), 20_000)
	if _, err := client.Write(question); err != nil {
		t.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if heard, err := io.ReadAll(client); err != nil || len(heard) != 2*len(question) {
		t.Fatalf("%d bytes, %v", len(heard), err)
	}
}
