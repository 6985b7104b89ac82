package command_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"mtlslab.example/lab/lab/peertest"
)

// outside is all that is beyond loopback, as a test may watch it: a TUN device
// with the default routes and the DNS server.
type outside struct {
	t   *testing.T
	tun *os.File
}

const dnsServer = "192.0.2.53"

// newOutside moves the test into namespaces of its own, in which /etc/hosts
// does not know localhost, and what the test starts from now on.
func newOutside(t *testing.T) *outside {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a network namespace")
	}
	need(t, "ip")
	runtime.LockOSThread() // and never unlocked: the thread ends with the test
	err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS)
	if errors.Is(err, syscall.EPERM) {
		t.Skipf("needs a network namespace: %v", err)
	}
	check(t, err)
	tun, err := openTUN("tun0")
	check(t, err)
	t.Cleanup(func() { tun.Close() })
	for _, line := range []string{"link set lo up", "link set tun0 up", "addr add 192.0.2.1/24 dev tun0", "route add default dev tun0"} {
		out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput()
		if err != nil {
			t.Fatalf("ip %s: %v\n%s", line, err, out)
		}
	}
	_ = exec.Command("ip", "-6", "route", "add", "default", "dev", "tun0").Run() // where there is IPv6
	check(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	for name, text := range map[string]string{"/etc/resolv.conf": "nameserver " + dnsServer + "\noptions timeout:1 attempts:1\n", "/etc/hosts": ""} {
		file := filepath.Join(t.TempDir(), filepath.Base(name))
		check(t, os.WriteFile(file, []byte(text), 0o644))
		check(t, unix.Mount(file, name, "", unix.MS_BIND, ""))
	}
	return &outside{t, tun}
}

// openTUN makes a network device whose packets are read from the file.
func openTUN(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	return os.NewFile(uintptr(fd), name), err
}

// packets returns what has been sent beyond loopback since the last call, but
// for the ICMPv6 that the kernel sends by itself. They come in order: a packet
// of the test's own is the last.
func (o *outside) packets() (all []string) {
	o.t.Helper()
	const last = "the last"
	mark, err := net.Dial("udp", "192.0.2.99:9")
	check(o.t, err)
	defer mark.Close()
	_, err = mark.Write([]byte(last))
	check(o.t, err)
	for packet := make([]byte, 1<<16); ; {
		n, err := o.tun.Read(packet)
		check(o.t, err)
		p := packet[:n]
		switch {
		case strings.HasSuffix(string(p), last):
			return all
		case p[0]>>4 == 4:
			all = append(all, fmt.Sprintf("IP protocol %d to %v: %q", p[9], net.IP(p[16:20]), p))
		case p[6] != 0 && p[6] != unix.IPPROTO_ICMPV6:
			all = append(all, fmt.Sprintf("IP protocol %d to %v: %q", p[6], net.IP(p[24:40]), p))
		}
	}
}

// TestNothingUnasked runs every command, and looks whether it connects to
// anything beyond loopback, or makes a DNS query. lab browser is left out: a
// browser calls its maker.
func TestNothingUnasked(t *testing.T) {
	program, dir := peertest.Build(t, "linux"), t.TempDir()
	o := newOutside(t)
	manifest, err := os.ReadFile(defaultManifest(t))
	check(t, err)
	elsewhere := "\ncrl_distribution_points: [http://crl.example/]\nocsp: [http://ocsp.example/]\n---\n"
	check(t, os.WriteFile(filepath.Join(dir, "certs.yaml"), []byte(strings.ReplaceAll(string(manifest)+"---\n", "\n---\n", elsewhere)), 0o644))
	lab := func(args string) *exec.Cmd {
		cmd := exec.Command(program, strings.Fields(args)...)
		cmd.Dir = dir
		return cmd
	}
	var ran []string
	for _, args := range []string{
		"help", "--version", "completion bash",
		"check", "certs generate", "check --server server --client client", "certs generate --dry-run", "certs regenerate", "certs list", "certs show client", "certs verify",
		"certs export client --format p12", "certs export client --format env", "certs add-name server 10.0.0.5", "certs handout client --url https://localhost:8443/", "join handouts/client.zip --dir joined", "snippet nginx", "snippet curl", "deploy compose", "deploy kubernetes",
		"up --count 1", "up --count 1 --crl require", "up --count 1 --addr localhost:8443", "up --count 1 --addr :8443",
		"client", "client --addr localhost:8443", "client --addr lab.localhost:8443", "client --url https://localhost:8443/", "client --url https://example.com/ --addr 127.0.0.1:8443",
		"explain lab.pcapng", "explain --list lab.pcapng", "explain --json lab.pcapng",
		"scenario list", "scenario show mtls", "scenario run --all", "scenario export expired-client --pki exported",
		"probe client --only expired-server -- true {url}",
		"explain example.com", "explain SAN", "explain --brief lab.pcapng", "explain lab.pcapng lab.pcapng", "explain lab.pcapng --html page.html",
		"up --count 1 --web 127.0.0.1:0", "scenario export expired-client --html lessons",
		"check certs", "check --server server --client client --server-name example.com",
		"exercise", "exercise list", "exercise start lost-link", "exercise verify", "exercise hint", "exercise explain --give-up", "exercise reset", "exercise show lost-link",
		"exercise lint lost-link", "exercise sheet lost-link", "exercise plan",
		"exec -- true", "exec --capture x.pcapng -- true", "exec --explain -- true", "exec --attach 1",
	} {
		ran = append(ran, args)
		_ = lab(args).Run() // for lab client there is no server
		if packets := o.packets(); packets != nil {
			t.Errorf("lab %s sends %q", args, packets)
		}
	}
	for _, addr := range []string{"127.0.0.1:8443", "localhost:8443"} {
		server := peertest.Start(t, lab("server --count 1 --addr "+addr))
		ran = append(ran, "server")
		server.Await(t, "^lab: server on ")
		out, err := lab("client --addr " + addr).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Hello CN=client") {
			t.Errorf("lab client --addr %s: %v\n%s", addr, err, out)
		}
		server.Wait(t)
		if packets := o.packets(); packets != nil {
			t.Errorf("lab server and client at %s send %q", addr, packets)
		}
	}
	server := peertest.Start(t, lab("server --addr 127.0.0.1:8443"))
	server.Await(t, "^lab: server on ")
	ran = append(ran, "probe")
	if out, err := lab("probe https://localhost:8443/").CombinedOutput(); !strings.Contains(string(out), "expired-client") {
		t.Errorf("lab probe: %v\n%s", err, out)
	}
	server.Kill()
	if packets := o.packets(); packets != nil {
		t.Errorf("lab probe sends %q", packets)
	}
	everyCommand(t, append(ran, "browser", "exercise watch")) // see above; it would not end

	_ = lab("client --url https://example.com/").Run()
	if packets := strings.Join(o.packets(), "\n"); !strings.Contains(packets, dnsServer) || !strings.Contains(packets, `example\x03com`) {
		t.Errorf("a URL that is asked for is not looked up, or nobody sees it: %s", packets)
	}
}
