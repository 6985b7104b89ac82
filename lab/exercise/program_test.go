package exercise

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/verdict"
)

const programManifest = `subject: CN=server-ca
---
subject: CN=server
issuer: CN=server-ca
sans: [DNS:localhost, IP:127.0.0.1]
ext_key_usages: [ServerAuth]
---
subject: CN=client-ca
---
subject: CN=client
issuer: CN=client-ca
ext_key_usages: [ClientAuth]
`

// programFolder returns a folder, with a blank in its name, that has
// certificates and the given files.
func programFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "my exercises")
	m, err := certgen.Parse("certs.yaml", []byte(programManifest))
	if err == nil {
		_, err = certgen.Generate(t.Context(), m, filepath.Join(dir, "certs"), certgen.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// need skips the test where a program is missing.
func need(t *testing.T, name string) {
	t.Helper()
	if _, err := (&Program{Run: name}).look(); err != nil {
		peertest.Missing(t, "%v", err)
	}
}

// served starts a server, and returns its address.
func served(t *testing.T, run, dir, file string) (*process, string) {
	t.Helper()
	port, err := strconv.ParseUint(peertest.FreePort(t), 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	p := &Program{Name: "front", Role: endpoint.Server, Run: run, File: file, Port: defaultPort}
	r, err := p.serve(t.Context(), dir, map[uint16]uint16{defaultPort: uint16(port)})
	if err != nil {
		var failed *StartError
		if errors.As(err, &failed) {
			t.Log(failed.Output)
		}
		t.Fatal(err)
	}
	t.Cleanup(r.stop)
	return r, "127.0.0.1:" + strconv.FormatUint(port, 10)
}

// called calls a server with the certificate of a folder, or without one, and
// returns the exchange.
func called(t *testing.T, dir, addr, certificate string) *lab.Exchange {
	t.Helper()
	reports := make(chan *lab.Exchange, 1)
	u, err := url.Parse("https://localhost:" + addr[strings.LastIndexByte(addr, ':')+1:] + "/")
	if err != nil {
		t.Fatal(err)
	}
	client, err := lab.NewClient(lab.ClientOptions{URL: u, Addr: addr}, lab.Settings{
		Credentials: lab.Credentials{Dir: filepath.Join(dir, "certs"), Certificate: certificate, Trust: "server-ca"},
		Journal:     &lab.Journal{Each: func(x *lab.Exchange) { reports <- x }}})
	if err != nil {
		t.Fatal(err)
	}
	var rejected *lab.RejectedError
	if _, err := client.Call(t.Context()); err != nil && !errors.As(err, &rejected) {
		t.Fatal(err)
	}
	return <-reports
}

// servers are programs that want a certificate.
var servers = map[string]map[string]string{
	"nginx": {"nginx.conf": `events {}
http {
  access_log off;
  client_body_temp_path tmp1; proxy_temp_path tmp2; fastcgi_temp_path tmp3; uwsgi_temp_path tmp4; scgi_temp_path tmp5;
  server {
    listen 127.0.0.1:8443 ssl;
    ssl_certificate certs/server.pem;
    ssl_certificate_key certs/server-key.pem;
    ssl_client_certificate certs/client-ca.pem;
    ssl_verify_client on;
    location / { return 200 "hello\n"; }
  }
}
`},
	"openssl": {"serve.txt": `# the server
openssl s_server -accept 127.0.0.1:8443 -www -cert certs/server.pem \
  -key "certs/server-key.pem" -CAfile certs/client-ca.pem -Verify 1 -verify_return_error
`},
	"python": {"server.py": `import http.server, os, ssl
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("certs/server.pem", "certs/server-key.pem")
context.load_verify_locations("certs/client-ca.pem")
context.verify_mode = ssl.CERT_REQUIRED
server = http.server.HTTPServer(("127.0.0.1", 8443), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
`},
	"node": {"server.js": `const fs = require('fs')
require('https').createServer({
  cert: fs.readFileSync('certs/server.pem'), key: fs.readFileSync('certs/server-key.pem'),
  ca: fs.readFileSync('certs/client-ca.pem'), requestCert: true, rejectUnauthorized: true
}, (request, response) => response.end('hello')).listen(8443, '127.0.0.1')
`},
}

// They get a port of their own, whatever runs on the one in their files.
func TestProgramsServe(t *testing.T) {
	if l, err := net.Listen("tcp", "127.0.0.1:8443"); err == nil { // else somebody has it already
		defer l.Close()
	}
	for name, files := range servers {
		t.Run(name, func(t *testing.T) {
			need(t, name)
			dir := programFolder(t, files)
			for file := range files {
				r, addr := served(t, name, dir, file)
				if x := called(t, dir, addr, "client"); x.Outcome != verdict.Accepted || x.HTTP == nil {
					t.Errorf("the client with a certificate: %+v\n%s", x.Verdict, r.output())
				}
				if x := called(t, dir, addr, ""); x.HTTP != nil && x.HTTP.Status == 200 {
					t.Errorf("the client without one is let in: %+v\n%s", x.Verdict, r.output())
				}
			}
		})
	}
}

// A folder may be named relative to the working directory.
func TestProgramInARelativeFolder(t *testing.T) {
	need(t, "openssl")
	dir := programFolder(t, servers["openssl"])
	t.Chdir(filepath.Dir(dir))
	_, addr := served(t, "openssl", filepath.Base(dir), "serve.txt")
	if x := called(t, dir, addr, "client"); x.HTTP == nil {
		t.Errorf("%+v", x.Verdict)
	}
}

// A server that cannot start says so, with what it printed, and at once.
func TestProgramThatEndsAtItsStart(t *testing.T) {
	need(t, "openssl")
	dir := programFolder(t, map[string]string{"serve.txt": "openssl s_server -accept 8443 -cert certs/none.pem"})
	p := &Program{Name: "front", Role: endpoint.Server, Run: "openssl", File: "serve.txt", Port: defaultPort}
	_, err := p.serve(t.Context(), dir, map[uint16]uint16{defaultPort: 1})
	var failed *StartError
	if !errors.As(err, &failed) || !strings.Contains(failed.Output, "certs/none.pem") {
		t.Errorf("error %v, want a StartError with what OpenSSL says", err)
	}
}

// A server that never listens is waited for as long as its marking may take.
func TestServerThatDoesNotListen(t *testing.T) {
	need(t, "python")
	dir := programFolder(t, map[string]string{"server.py": "import time\nprint('busy', flush=True)\ntime.sleep(600)\n"})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	p := &Program{Name: "status", Role: endpoint.Server, Run: "python", File: "server.py", Port: defaultPort}
	_, err := p.serve(ctx, dir, map[uint16]uint16{defaultPort: 1})
	var failed *StartError
	if !errors.As(err, &failed) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want a StartError for the deadline", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "lab-*")); len(left) > 0 {
		t.Errorf("it leaves %s", left)
	}
}

// What a program has started ends with it, and so does one that does not end.
func TestProgramsAreEnded(t *testing.T) {
	need(t, "python")
	dir := programFolder(t, map[string]string{"hang.py": `import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; open('started', 'w').close(); time.sleep(600)"])
while True:
    try:
        open("started").close()
        break
    except OSError:
        time.sleep(0.005)
print("child", child.pid)
time.sleep(600)
`})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_ = peertest.Poll(func() error { _, err := os.Stat(filepath.Join(dir, "started")); return err })
		cancel()
	}()
	output, err := (&Program{Name: "shop", Run: "python", File: "hang.py"}).call(ctx, dir, nil, "")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a program that does not end: %v", err)
	}
	if runtime.GOOS == "linux" {
		for _, field := range strings.Fields(output) { // it was killed, and has yet to be gone
			peertest.Eventually(t, "the end of its child "+field, func() bool {
				state, err := os.ReadFile("/proc/" + field + "/stat")
				return err != nil || strings.Contains(string(state), ") Z ")
			})
		}
	}
}

func TestMissingProgram(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := look("java")
	var missing *MissingProgramError
	if !errors.As(err, &missing) || !strings.HasPrefix(err.Error(), "a JDK of Java 11 or later is missing: ") {
		t.Errorf("%v", err)
	}
}

func TestCommandLine(t *testing.T) {
	for line, want := range map[string][]string{
		"openssl s_server -accept 8443":                                 {"s_server", "-accept", "8443"},
		"# why\r\nopenssl s_server \\\r\n  -cert 'a b.pem' -key \"\"\r": {"s_server", "-cert", "a b.pem", "-key", ""},
		"openssl s_server -cert a\"b c\"d.pem":                          {"s_server", "-cert", "ab cd.pem"},
		"openssl s_server | cat":                                        nil,
		"openssl s_server $(id)":                                        nil,
		"openssl s_server 'a":                                           nil,
		"cat /etc/passwd":                                               nil,
		"openssl version\nopenssl s_server":                             nil,
		"":                                                              nil,
	} {
		words, err := commandLine("serve.txt", line, "openssl")
		if !slices.Equal(words, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %q, %v; want %q", line, words, err, want)
		}
	}
}

func TestPortsOfFiles(t *testing.T) {
	dir := programFolder(t, map[string]string{"nginx.conf": "listen 127.0.0.1:8443 ssl; # not 18443\nproxy_pass http://127.0.0.1:8081;\n"})
	for _, port := range []uint16{4711, 4712} {
		name, err := withPorts(dir, "nginx.conf", map[uint16]uint16{8443: port, 8081: port + 100})
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if want := fmt.Sprintf("listen 127.0.0.1:%d ssl; # not 18443\nproxy_pass http://127.0.0.1:%d;\n", port, port+100); err != nil || string(text) != want {
			t.Errorf("%s, %v; want %s", text, err, want)
		}
	}
}
