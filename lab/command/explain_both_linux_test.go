package command_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mtlslab.example/lab/lab/command"
	"mtlslab.example/lab/lab/peertest"
)

// TestPipes: captures may come through pipes, of <(ssh host cat FILE) in a shell.
// The names of these differ in numbers alone.
func TestPipes(t *testing.T) {
	capture, err := os.ReadFile(filepath.Join(foreignDir, "none.gnutls-gnutls.tls12.pcap"))
	check(t, err)
	for flag, want := range map[string]string{"--list": "1 connection at both ends", "--summary": "1 connection, "} {
		dir := t.TempDir()
		pipes := []string{filepath.Join(dir, "63"), filepath.Join(dir, "62")}
		for _, pipe := range pipes {
			check(t, unix.Mkfifo(pipe, 0o600))
			go func() { _ = os.WriteFile(pipe, capture, 0) }()
		}
		var out, errs bytes.Buffer
		p := command.Program{Stdout: &out, Stderr: &errs}
		status := p.Run(t.Context(), append([]string{"lab", "explain", "--dir", dir, "--keylog", "off", flag}, pipes...))
		if said := strings.Join(strings.Fields(out.String()), " "); status != 0 || !strings.Contains(said, want) {
			t.Errorf("%s: status %d: %s%s", flag, status, &out, &errs)
		}
	}
}

// between is a client and a server on this machine, with something between
// them, and a capture of dumpcap on either side of that.
type between struct {
	t           *testing.T
	dir         string
	program     string
	front, back string // ports
}

func newBetween(t *testing.T) *between {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to capture")
	}
	need(t, "dumpcap")
	b := &between{t: t, dir: t.TempDir(), program: labCommand(t), front: peertest.FreePort(t), back: peertest.FreePort(t)}
	check(t, b.command(b.program, "certs", "generate").Run())
	return b
}

func (b *between) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "LAB_TEST_MANIFEST="+defaultManifest(b.t), "SSLKEYLOGFILE=", "LC_ALL=C.UTF-8")
	return cmd
}

// nginx runs nginx with what a configuration adds, which may begin with modules.
func (b *between) nginx(more string) {
	b.t.Helper()
	need(b.t, "nginx")
	config := strings.NewReplacer("DIR", b.dir, "FRONT", b.front, "BACK", b.back).Replace(
		more + "\ndaemon off; pid DIR/nginx.pid; error_log stderr; master_process off; events {}\n")
	check(b.t, os.WriteFile(filepath.Join(b.dir, "nginx.conf"), []byte(config), 0o600))
	if out, err := b.command("nginx", "-t", "-p", b.dir, "-c", "nginx.conf").CombinedOutput(); err != nil {
		peertest.Missing(b.t, "needs an nginx with its stream module: %s", out)
	}
	peertest.Start(b.t, b.command("nginx", "-p", b.dir, "-c", "nginx.conf"))
	check(b.t, peertest.AwaitListener(b.front))
}

// call records a call on both sides.
func (b *between) call(client ...string) {
	b.t.Helper()
	server := peertest.Start(b.t, b.command(b.program, "server", "--count", "1", "--addr", "127.0.0.1:"+b.back, "--capture", "off"))
	server.Await(b.t, "server on ")
	captures := make(map[string]*peertest.Program)
	for name, port := range map[string]string{"client.pcapng": b.front, "server.pcapng": b.back} {
		p := peertest.Start(b.t, b.command("dumpcap", "-q", "-i", "lo", "-f", "tcp port "+port, "-w", name))
		p.Await(b.t, "^File: ")
		captures[name] = p
	}
	_ = b.command(client[0], client[1:]...).Run()
	server.Wait(b.t)
	for name, p := range captures {
		peertest.Eventually(b.t, "the end of the connection in "+name, func() bool { return b.ended(name) })
		p.Kill()
	}
}

// ended reports whether a capture has the end of its connection.
func (b *between) ended(name string) bool {
	out, _ := b.command(b.program, "explain", name, "--json").Output()
	return strings.Contains(string(out), `"end":"`) && !strings.Contains(string(out), `"end":"cut off"`)
}

// says runs lab explain of two captures and looks for sentences, whatever their
// line breaks are.
func (b *between) says(near, far string, sentences ...string) {
	b.t.Helper()
	out, err := b.command(b.program, "explain", near, far, "--brief").CombinedOutput()
	said := regexp.MustCompile(`\s+`).ReplaceAllString(string(out), " ")
	for _, s := range sentences {
		if err != nil || !strings.Contains(said, s) {
			b.t.Errorf("lab explain %s %s does not say %q: %v\n%s", near, far, s, err, out)
		}
	}
}

// TestBetweenNginx: nginx ends TLS, shows its own certificate to the client, and
// none to the server, which wants one.
func TestBetweenNginx(t *testing.T) {
	b := newBetween(t)
	b.nginx(`http { access_log off;
  client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
  server { listen 127.0.0.1:FRONT ssl; ssl_certificate DIR/certs/server.pem; ssl_certificate_key DIR/certs/server-key.pem;
    ssl_client_certificate DIR/certs/client-ca.pem; ssl_verify_client on;
    location / { proxy_pass https://127.0.0.1:BACK; } } }`)
	b.call(b.program, "client", "--addr", "127.0.0.1:"+b.front, "--capture", "off")
	b.says("client.pcapng", "server.pcapng",
		"client.pcapng was recorded near the client, server.pcapng near the server",
		"Very probably, something between the two ends TLS and calls the server on a connection of its own",
		"it asks the server for no name, where the client asked for \"localhost\"",
		"the client was shown the server's own certificate, CN=server: what ends TLS has its key, too",
		"the certificate of the client, CN=client, does not get to the server: the server asked for one and got none",
		"Rejected by the server: the client sent no certificate")
}

// TestBetweenProxyLine: nginx passes TLS through and puts a PROXY line before
// it.
func TestBetweenProxyLine(t *testing.T) {
	b := newBetween(t)
	module := "/usr/lib/nginx/modules/ngx_stream_module.so"
	load := ""
	if _, err := os.Stat(module); err == nil {
		load = "load_module " + module + ";\n"
	}
	b.nginx(load + `stream { server { listen 127.0.0.1:FRONT; proxy_pass 127.0.0.1:BACK; proxy_protocol on; } }`)
	b.call(b.program, "client", "--addr", "127.0.0.1:"+b.front, "--capture", "off")
	b.says("client.pcapng", "server.pcapng", "line of the PROXY protocol", "rejected by the server: a load balancer has put a PROXY line before TLS", "Fix: tell the server to expect it")
}

// TestBetweenSocat: socat passes TLS through. The same with the times of one
// file moved by an hour, and with the two files given the wrong way round.
func TestBetweenSocat(t *testing.T) {
	b := newBetween(t)
	need(t, "socat", "editcap")
	peertest.Start(t, b.command("socat", "TCP-LISTEN:"+b.front+",bind=127.0.0.1,reuseaddr", "TCP:127.0.0.1:"+b.back))
	check(t, peertest.AwaitListener(b.front))
	b.call(b.program, "client", "--addr", "127.0.0.1:"+b.front, "--capture", "off")
	translated := fmt.Sprintf("the client calls 127.0.0.1:%s and the server is called as 127.0.0.1:%s", b.front, b.back)
	b.says("client.pcapng", "server.pcapng", "1 connection at both ends", translated, "The clocks agree within")
	b.says("server.pcapng", "client.pcapng", "client.pcapng was recorded near the client, server.pcapng near the server", translated)
	check(t, b.command("editcap", "-t", "3600", "server.pcapng", "ahead.pcapng").Run())
	b.says("client.pcapng", "ahead.pcapng", translated, "The clock of ahead.pcapng is 1h0m0s ahead of that of client.pcapng")
}
