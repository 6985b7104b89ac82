package command_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/wiretap"
	"mtlslab.example/lab/lab/wiretap/wiretaptest"
)

// execLab is what programs run against under lab exec: a PKI, a server, and a
// capture without keys, as somebody on the wire would have made it.
type execLab struct {
	dir, program string
	port         string // of the server
	ports        []string
	capture      *capture.Writer
	wire         *keyless
	tap          *wiretap.Tap
}

// keyless is a sink that gets no secrets.
type keyless struct {
	wiretap.Sink
	open atomic.Int64 // connections
}

func (k *keyless) Open(e wiretap.Event) wiretap.Handler {
	k.open.Add(1)
	handle := k.Sink.Open(e)
	return func(e wiretap.Event) {
		if e.Kind != wiretap.Secret {
			handle(e)
		}
		if e.Kind == wiretap.Close {
			k.open.Add(-1)
		}
	}
}

func newExecLab(t testing.TB) *execLab {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the shim is for Linux")
	}
	need(t, "cc")
	l := &execLab{dir: t.TempDir(), program: labCommand(t)}
	m, err := certgen.Read(defaultManifest(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(l.path("cache"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := certgen.Generate(t.Context(), m, l.path("certs"), certgen.Options{}); err != nil {
		t.Fatal(err)
	}
	if l.capture, err = capture.Create(l.path("wire.pcapng"), capture.Options{}); err != nil {
		t.Fatal(err)
	}
	l.wire = &keyless{Sink: l.capture}
	l.tap = wiretap.New(l.wire)
	server, err := lab.Listen(t.Context(), "127.0.0.1:0", lab.Settings{
		Credentials: lab.Credentials{Dir: l.path("certs"), Certificate: "server", Trust: "client-ca"},
		Journal:     &lab.Journal{}, Tap: l.tap,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, l.port, _ = net.SplitHostPort(server.Addr().String())
	l.ports = []string{l.port}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l
}

func (l *execLab) path(name string) string { return filepath.Join(l.dir, name) }

// command is lab exec with a key log of that name.
func (l *execLab) command(t testing.TB, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), l.program, append([]string{"exec", "--keylog", name + ".keys", "--"}, args...)...)
	cmd.Dir = l.dir
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+l.path("cache"), "LAB_TEST_MANIFEST="+defaultManifest(t))
	return cmd
}

// run runs a client under lab exec, and returns what it has printed.
func (l *execLab) run(t *testing.T, name, stdin string, args ...string) string {
	t.Helper()
	need(t, args[0])
	cmd := l.command(t, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// lines reads the key log of that name and counts its lines by client random.
func (l *execLab) lines(t *testing.T, name string) map[string]int {
	t.Helper()
	file, err := os.Open(l.path(name + ".keys"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	counts := make(map[string]int)
	for e, err := range keylog.NewTail(file).Entries() {
		if err != nil {
			t.Fatalf("%s: %v", file.Name(), err)
		}
		counts[string(e.ClientRandom)]++
	}
	return counts
}

// tls13Lines are those of a TLS 1.3 handshake by OpenSSL: four traffic secrets
// and the exporter secret.
const tls13Lines = 5

// wantWhole checks that a key log has each line of so many handshakes once.
func (l *execLab) wantWhole(t *testing.T, name string, handshakes int) {
	t.Helper()
	counts := l.lines(t, name)
	if len(counts) != handshakes {
		t.Errorf("%s.keys has keys of %d handshakes, not %d", name, len(counts), handshakes)
	}
	for random, n := range counts {
		if n != tls13Lines {
			t.Errorf("%s.keys has %d lines of %x, not %d", name, n, random[:4], tls13Lines)
		}
	}
}

// serve runs a server under lab exec, calls it once it listens, and ends it.
func (l *execLab) serve(t *testing.T, name, port string, args []string, call func()) {
	t.Helper()
	need(t, args[0])
	l.ports = append(l.ports, port)
	cmd := l.command(t, name, args...)
	server := peertest.Start(t, cmd)
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if out := server.Wait(t); t.Failed() {
			t.Logf("%s", out)
		}
	}()
	if err := peertest.AwaitListener(port); err != nil {
		t.Error(err)
		return
	}
	call()
}

// get calls a server over a tapped connection.
func (l *execLab) get(t *testing.T, port, serverName, path string) {
	t.Helper()
	pem, err := os.ReadFile(l.path("certs/server-ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	own, err := tls.LoadX509KeyPair(l.path("certs/client.pem"), l.path("certs/client-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, DialContext: wiretaptest.Dialer(l.tap, new(net.Dialer).DialContext),
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: serverName, Certificates: []tls.Certificate{own}},
	}}
	response, err := client.Get("https://127.0.0.1:" + port + path)
	if err != nil {
		t.Error(err)
		return
	}
	response.Body.Close()
}

// finish ends the capture once its connections have ended.
func (l *execLab) finish(t *testing.T) {
	t.Helper()
	if err := peertest.Poll(func() error {
		if n := l.wire.open.Load(); n > 0 {
			return fmt.Errorf("%d connections are still open", n)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := l.capture.Close(); err != nil {
		t.Fatal(err)
	}
}

// requests are the paths that tshark sees in the capture, and how often, with
// the key logs of those names.
func (l *execLab) requests(t *testing.T, names ...string) map[string]int {
	t.Helper()
	var all []byte
	for _, name := range names {
		log, err := os.ReadFile(l.path(name + ".keys"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, log...)
	}
	if err := os.WriteFile(l.path("all.keys"), all, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-r", l.path("wire.pcapng"), "-o", "tls.keylog_file:" + l.path("all.keys"), "-Y", "http.request", "-T", "fields", "-e", "http.request.uri"}
	for _, port := range l.ports {
		args = append(args, "-d", "tcp.port=="+port+",tls")
	}
	out, err := exec.CommandContext(t.Context(), "tshark", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]int)
	for _, path := range strings.Fields(string(out)) {
		seen[path]++
	}
	return seen
}

// TestExecPrograms runs programs under lab exec, and has tshark decrypt what
// they have said with the keys that each has logged.
func TestExecPrograms(t *testing.T) {
	t.Parallel()
	l := newExecLab(t)
	combined := []byte{}
	for _, name := range []string{"client.pem", "client-key.pem"} {
		pem, err := os.ReadFile(l.path("certs/" + name))
		if err != nil {
			t.Fatal(err)
		}
		combined = append(combined, pem...)
	}
	if err := os.WriteFile(l.path("client-both.pem"), combined, 0o600); err != nil {
		t.Fatal(err)
	}
	peers, err := filepath.Abs("testdata/peer")
	if err != nil {
		t.Fatal(err)
	}
	url := "https://localhost:" + l.port + "/"
	want := make(map[string]int) // requests that tshark must see
	var logged []string
	expect := func(name string, times int) {
		want["/"+name] = times
		logged = append(logged, name)
	}
	program := func(name string, handshakes int, test func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			test(t)
			if !t.Failed() {
				expect(name, handshakes)
			}
		})
	}
	curl := []string{"curl", "-sS", "--cacert", "certs/server-ca.pem", "--cert", "certs/client.pem", "--key", "certs/client-key.pem"}

	program("curl", 1, func(t *testing.T) {
		l.run(t, "curl", "", append(curl, url+"curl")...)
		l.wantWhole(t, "curl", 1)
	})
	program("curl-tls12", 1, func(t *testing.T) {
		l.run(t, "curl-tls12", "", append(curl, "--tls-max", "1.2", url+"curl-tls12")...)
	})
	program("s_client", 1, func(t *testing.T) {
		l.run(t, "s_client", "GET /s_client HTTP/1.0\r\n\r\n", "openssl", "s_client", "-quiet", "-ign_eof", "-connect", "localhost:"+l.port,
			"-CAfile", "certs/server-ca.pem", "-verify_return_error", "-cert", "certs/client.pem", "-key", "certs/client-key.pem")
		l.wantWhole(t, "s_client", 1)
	})
	for mode, handshakes := range map[string]int{"once": 1, "threads": 50, "forks": 32, "closed": 1, "dropped": 1, "default": 50} {
		program("bare-"+mode, handshakes, func(t *testing.T) {
			need(t, "python3")
			l.run(t, "bare-"+mode, "", "python3", filepath.Join(peers, "bare.py"), l.port, "certs", mode)
			l.wantWhole(t, "bare-"+mode, handshakes)
		})
	}
	program("ab", 4, func(t *testing.T) {
		l.run(t, "ab", "", "ab", "-q", "-n", "4", "-E", "client-both.pem", url+"ab")
		l.wantWhole(t, "ab", 4)
	})
	program("socat", 1, func(t *testing.T) {
		l.run(t, "socat", "GET /socat HTTP/1.0\r\n\r\n", "socat", "-t", "5", "-", "OPENSSL:localhost:"+l.port+",cafile=certs/server-ca.pem,cert=certs/client.pem,key=certs/client-key.pem")
		l.wantWhole(t, "socat", 1)
	})
	program("perl", 1, func(t *testing.T) {
		need(t, "perl")
		l.run(t, "perl", "", "perl", filepath.Join(peers, "call.pl"), l.port, "certs")
		l.wantWhole(t, "perl", 1)
	})
	program("wget", 1, func(t *testing.T) {
		need(t, "wget")
		out, _ := l.command(t, "wget", "wget", "-q", "-O", "-", "--ca-certificate=certs/server-ca.pem", "--certificate=certs/client.pem",
			"--private-key=certs/client-key.pem", url+"wget").CombinedOutput() // fails: there is no such page
		if len(l.lines(t, "wget")) != 1 {
			t.Errorf("wget has logged no keys: %s", out)
		}
	})
	program("node", 1, func(t *testing.T) {
		l.run(t, "node", "", "node", filepath.Join(peers, "call.js"), l.port, "certs")
	})
	for _, flags := range [][]string{{"go"}, {"go-stripped", "-ldflags=-s -w", "-buildmode=pie"}} {
		for _, version := range []string{"", "-1.2"} {
			program(flags[0]+version, 2, func(t *testing.T) {
				need(t, "go")
				build := exec.Command("go", append(append([]string{"build", "-o", l.path(flags[0])}, flags[1:]...), filepath.Join(peers, "call.go"))...)
				if out, err := build.CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				args := []string{l.path(flags[0]), l.port, "certs", "/" + flags[0] + version}
				if version != "" {
					args = append(args, version)
				}
				l.run(t, flags[0]+version, "", args...)
			})
		}
	}
	port := peertest.FreePort(t)
	program("s_server", 1, func(t *testing.T) {
		l.serve(t, "s_server", port, []string{"openssl", "s_server", "-accept", port, "-cert", "certs/server.pem", "-key", "certs/server-key.pem", "-WWW"},
			func() { l.get(t, port, "localhost", "/s_server") })
		l.wantWhole(t, "s_server", 1)
	})
	t.Run("nginx", func(t *testing.T) {
		port := peertest.FreePort(t)
		l.writeNginx(t, port)
		l.serve(t, "nginx", port, []string{"nginx", "-p", l.dir, "-c", "nginx.conf"}, func() {
			l.get(t, port, "localhost", "/nginx-first")
			l.get(t, port, "server.127-0-0-1.nip.io", "/nginx-second")
		})
		l.wantWhole(t, "nginx", 2)
		if !t.Failed() {
			expect("nginx-first", 1)
			expect("nginx-second", 1)
			logged = append(logged[:len(logged)-2], "nginx")
		}
	})

	l.finish(t)
	need(t, "tshark")
	if seen := l.requests(t); len(seen) > 0 {
		t.Errorf("without keys tshark sees %v", seen)
	}
	seen := l.requests(t, logged...)
	for path, times := range want {
		if seen[path] != times {
			t.Errorf("with its keys tshark sees %s %d times, not %d", path, seen[path], times)
		}
	}
}

// writeNginx configures two virtual hosts, whose workers drop root's
// privileges.
func (l *execLab) writeNginx(t *testing.T, port string) {
	t.Helper()
	var hosts strings.Builder
	for _, host := range []string{"localhost", "server.127-0-0-1.nip.io"} {
		fmt.Fprintf(&hosts, `
server {
  listen 127.0.0.1:%s ssl;
  ssl_protocols TLSv1.3;
  server_name %s;
  ssl_certificate %[3]s/certs/server.pem;
  ssl_certificate_key %[3]s/certs/server-key.pem;
  ssl_client_certificate %[3]s/certs/client-ca.pem;
  ssl_verify_client on;
  location / { return 200 "%[2]s"; }
}`, port, host, l.dir)
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user nobody nogroup;"
	}
	config := fmt.Sprintf(`daemon off; %s worker_processes 2; pid %s/nginx.pid; error_log stderr;
events {}
http { access_log off; client_body_temp_path %[2]s/body; proxy_temp_path %[2]s/proxy; fastcgi_temp_path %[2]s/fcgi;
uwsgi_temp_path %[2]s/uwsgi; scgi_temp_path %[2]s/scgi; %s
}`, user, l.dir, &hosts)
	if err := os.WriteFile(l.path("nginx.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestExecOwnCallback runs a program that has key log callbacks of its own.
func TestExecOwnCallback(t *testing.T) {
	t.Parallel()
	l := newExecLab(t)
	source, err := filepath.Abs("testdata/peer/owncallback.c")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cc", "-o", l.path("owncallback"), source, "-l:libssl.so.3").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out := l.run(t, "own", "", l.path("owncallback"), l.port)
	l.wantWhole(t, "own", 7)
	log, err := os.ReadFile(l.path("own.keys"))
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]int{}
	for line := range strings.Lines(out) {
		who, text, _ := strings.Cut(line, " ")
		lines[who]++
		if !strings.Contains(string(log), text) {
			t.Errorf("the program's callback got %q, and the key log did not", line)
		}
	}
	if lines["first"] != 2*tls13Lines || lines["second"] != 2*tls13Lines {
		t.Errorf("the callbacks got %v lines, and there are %d for each", lines, 2*tls13Lines)
	}
}

// TestExecExplain: the connections of a program are drawn with their verdicts,
// and the exit status stays the program's.
func TestExecExplain(t *testing.T) {
	t.Parallel()
	l := newExecLab(t)
	m, err := certgen.Read(defaultManifest(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := certgen.Generate(t.Context(), m, l.path("others"), certgen.Options{}); err != nil {
		t.Fatal(err)
	}
	explain := func(t *testing.T, flag string, args ...string) (stderr string, status int) {
		t.Helper()
		need(t, args[0])
		cmd := l.command(t, "explain")
		cmd.Args = append([]string{l.program, "exec", "--keylog", "off", flag, "--"}, args...)
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if len(out) > 0 {
			t.Errorf("what was printed on stdout is not the program's: %s", out)
		}
		if strings.Contains(said.String(), "name a key log") {
			t.Errorf("a key log is lab's own matter here: %s", &said)
		}
		return strings.Join(strings.Fields(said.String()), " "), cmd.ProcessState.ExitCode()
	}
	const wrongCA = "Rejected by the client: the server's certificate leads to CN=server-ca, which the client does not trust"
	url := "https://localhost:" + l.port + "/"
	t.Run("curl", func(t *testing.T) {
		said, status := explain(t, "--explain", "curl", "-s", "--cacert", "others/server-ca.pem", url)
		if status != 60 || !strings.Contains(said, wrongCA) {
			t.Errorf("status %d: %s", status, said)
		}
	})
	t.Run("go, to a file while it runs", func(t *testing.T) {
		need(t, "go")
		peer, err := filepath.Abs("testdata/peer/call.go")
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("go", "build", "-o", l.path("call"), peer).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for times := 1; times <= 2; times++ { // the second run adds to the file
			script := fmt.Sprintf("./call %s others / 2>/dev/null; status=$?; until [ $(grep -c '^Rejected by the client' drawn.txt) = %d ]; do sleep 0.02; done; exit $status", l.port, 2*times)
			if said, status := explain(t, "--explain=drawn.txt", "sh", "-c", script); status != 1 || strings.Contains(said, "Rejected") {
				t.Errorf("status %d: %s", status, said)
			}
		}
		if info, err := os.Stat(l.path("drawn.txt")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file is not the user's alone: %v %v", info, err)
		}
	})
	t.Run("node", func(t *testing.T) { // which knows no proxies
		script := "require('https').get('" + url + "', {ca: require('fs').readFileSync('certs/server-ca.pem')}).on('error', () => process.exitCode = 1)" // exit would lose keys that Node has yet to write
		said, status := explain(t, "--explain", "node", "-e", script)
		if status != 1 || !strings.Contains(said, "Rejected by the server: the client sent no certificate") {
			t.Errorf("status %d: %s", status, said)
		}
	})
	t.Run("python", func(t *testing.T) { // likewise
		script := "import http.client, ssl\nhttp.client.HTTPSConnection('localhost', " + l.port + ", context=ssl.create_default_context(cafile='others/server-ca.pem')).connect()"
		said, status := explain(t, "--explain", "python3", "-c", script)
		if status != 1 || !strings.Contains(said, wrongCA) {
			t.Errorf("status %d: %s", status, said)
		}
	})
	t.Run("nothing to decrypt", func(t *testing.T) {
		said, status := explain(t, "--explain", "curl", "-s", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0", "--cacert", "certs/server-ca.pem", url)
		if status != 35 || !strings.Contains(said, "Rejected by the server: the server sent protocol_version") || strings.Contains(said, "no keys") {
			t.Errorf("status %d: %s", status, said)
		}
	})
	t.Run("wget", func(t *testing.T) { // which refuses when the handshake is over, and says nothing
		need(t, "wget")
		const refused = "lab: wget refused the server's certificate, as its exit status 5 says: after the handshake"
		own := []string{"wget", "-q", "-O-", "--tries=1", "--certificate", "certs/client.pem", "--private-key", "certs/client-key.pem"}
		for name, args := range map[string][]string{
			"another CA":                        append(own, "--ca-certificate", "others/server-ca.pem", url),
			"another CA, without a certificate": {"wget", "-q", "-O-", "--ca-certificate", "others/server-ca.pem", url},
		} {
			if said, status := explain(t, "--explain", args...); status != 5 || !strings.HasPrefix(said, refused) {
				t.Errorf("%s: status %d: %s", name, status, said)
			}
		}
		for name, args := range map[string][]string{
			"without a certificate":                {"wget", "-q", "-O-", "--tries=1", "--ca-certificate", "certs/server-ca.pem", url},
			"TLS 1.2 alone, without a certificate": {"wget", "-q", "-O-", "--tries=1", "--secure-protocol=TLSv1_2", "--ca-certificate", "certs/server-ca.pem", url},
		} {
			if said, status := explain(t, "--explain", args...); status == 0 || strings.Contains(said, "refused the server's") {
				t.Errorf("%s: status %d: %s", name, status, said)
			}
		}
	})
	t.Run("another host", func(t *testing.T) { // in a folder whose CAs have the names of the server's
		manifest := l.path("another.yaml")
		if err := os.WriteFile(manifest, []byte("subject: cn=server-ca\n---\nsubject: cn=client-ca\n---\nsubject: cn=server\nissuer: cn=server-ca\nsans: [DNS:other.example]\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := certgen.Read(manifest)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := certgen.Generate(t.Context(), m, l.path("another"), certgen.Options{}); err != nil {
			t.Fatal(err)
		}
		server, err := lab.Listen(t.Context(), "127.0.0.1:0", lab.Settings{
			Credentials: lab.Credentials{Dir: l.path("another"), Certificate: "server", Trust: "client-ca"}, Journal: &lab.Journal{}, Unasking: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- server.Serve(ctx) }()
		defer func() { stop(); <-served }()
		_, port, _ := net.SplitHostPort(server.Addr().String())
		for _, host := range []string{"localhost", "127.0.0.1"} {
			said, status := explain(t, "--explain", "curl", "-s", "--cacert", "another/server-ca.pem", "https://"+host+":"+port+"/")
			if status != 60 || !strings.Contains(said, "the server's certificate is not for "+host+": it is for other.example") || strings.Contains(said, "the connection does not show it") || strings.Contains(said, "of that name in certs") {
				t.Errorf("%s: status %d: %s", host, status, said)
			}
		}
		t.Run("java", func(t *testing.T) { // which looks localhost up by itself, and names no host
			need(t, "java", "javac")
			source := `import java.io.*; import java.net.*; import java.security.*; import java.security.cert.*; import javax.net.ssl.*;
public class Call {
  public static void main(String[] args) throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null);
    try (InputStream in = new FileInputStream(args[1])) {
      store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    HttpsURLConnection call = (HttpsURLConnection) URI.create(args[0]).toURL().openConnection();
    call.setSSLSocketFactory(context.getSocketFactory());
    call.getResponseCode();
  }
}`
			if err := os.WriteFile(l.path("Call.java"), []byte(source), 0o600); err != nil {
				t.Fatal(err)
			}
			said, status := explain(t, "--explain", "java", "Call.java", "https://localhost:"+port+"/", "another/server-ca.pem")
			_, verdict, _ := strings.Cut(said, "Rejected by the client: ")
			headline, _, _ := strings.Cut(verdict, "TLS 1.3,")
			if status != 1 || !strings.Contains(headline, "a name without a dot (localhost), and the server's certificate has neither 127.0.0.1 nor such a name") || strings.Contains(headline, "the keys differ") {
				t.Errorf("status %d: %s", status, said)
			}
		})
	})
	t.Run("many", func(t *testing.T) { // what is kept of a program that runs for long is bounded
		if !peertest.Full() {
			t.Skip("only in a full run")
		}
		script := "import urllib.request\nfor i in range(1012):\n try: urllib.request.urlopen('https://localhost:" + l.port + "/')\n except OSError: pass"
		said, status := explain(t, "--explain", "python3", "-c", script)
		if status != 0 || strings.Count(said, " rejected - ") != 1000 || !strings.Contains(said, " 1001 rejected - ") || !strings.Contains(said, " connections more, which would be too many here: --explain=FILE has room for all") {
			t.Errorf("status %d, %d lines: …%s", status, strings.Count(said, " rejected - "), said[max(0, len(said)-2000):])
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		said, status := explain(t, "--explain", l.path("call"), peertest.FreePort(t), "certs", "/")
		if status != 1 || !strings.Contains(said, "could not be reached: connection refused") {
			t.Errorf("status %d: %s", status, said)
		}
	})
}

// TestExecStatic: OpenSSL that is linked into a program.
func TestExecStatic(t *testing.T) {
	t.Parallel()
	l := newExecLab(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("for amd64")
	}
	source, err := filepath.Abs("testdata/peer/owncallback.c")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cc", "-static", "-o", l.path("static"), source, "-lssl", "-lcrypto").CombinedOutput(); err != nil {
		peertest.Missing(t, "needs the archives of OpenSSL: %s", out)
	}
	out := l.run(t, "static", "", l.path("static"), l.port)
	l.wantWhole(t, "static", 7)
	if strings.Contains(out, "lab:") {
		t.Errorf("lab has something to say: %s", out)
	}
}
