package command_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mtlslab.example/lab/lab/command"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/snippet"
)

// bench is a PKI for snippets: a server, a client, one that is revoked, and a
// stranger of a CA of the same name.
type snippetBench struct {
	t         *testing.T
	dir, port string
	stranger  string // folder of another PKI
	uid, bin  string // of programs that refuse to be root
}

func newSnippetBench(t *testing.T, dir string) *snippetBench {
	t.Helper()
	b := &snippetBench{t: t, dir: dir, port: peertest.FreePort(t), stranger: t.TempDir()}
	manifest, err := os.ReadFile(defaultManifest(t))
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "certs.yaml"), append(manifest, "---\nsubject: CN=revoked\nissuer: CN=client-ca\nrevoked: true\n"...), 0o644))
	check(t, os.WriteFile(filepath.Join(dir, "password.txt"), []byte("a password\n"), 0o600))
	b.run("certs", "generate")
	b.run("certs", "generate", "--dir", b.stranger)
	return b
}

// lab runs lab on the PKI.
func (b *snippetBench) lab(args ...string) (out, talk string, status int) {
	b.t.Helper()
	manifest, err := os.ReadFile(defaultManifest(b.t))
	check(b.t, err)
	var stdout, stderr bytes.Buffer
	p := command.Program{Manifest: manifest, Stdout: &stdout, Stderr: &stderr}
	if !slices.Contains(args, "--dir") {
		args = append(args, "--dir", b.dir)
	}
	status = p.Run(b.t.Context(), append([]string{"lab"}, args...))
	return stdout.String(), stderr.String(), status
}

func (b *snippetBench) run(args ...string) string {
	b.t.Helper()
	out, talk, status := b.lab(args...)
	if status != 0 {
		b.t.Fatalf("lab %q: %d\n%s%s", args, status, out, talk)
	}
	return out
}

func (b *snippetBench) file(name string) string { return filepath.Join(b.dir, "certs", name) }

// write writes a file into the folder.
func (b *snippetBench) write(name, text string) string {
	b.t.Helper()
	file := filepath.Join(b.dir, name)
	check(b.t, os.WriteFile(file, []byte(text), 0o644))
	return file
}

func (b *snippetBench) snippet(args ...string) string {
	b.t.Helper()
	return b.run(append([]string{"snippet", "--addr", "127.0.0.1:" + b.port}, args...)...)
}

// served is a program that serves by its snippet.
type served struct {
	needs   string // program
	start   func(b *snippetBench, text string) *exec.Cmd
	readsNo bool                                          // CRLs
	call    func(b *snippetBench, cert, key string) error // nil: GET / by HTTP, answered with the client's name
	probe   []string                                      // arguments of lab probe beside the address; nil: it is not probed
	own     bool                                          // it does not run as root
	client  func(b *snippetBench, text string) *exec.Cmd  // of its own
	answers string
	full    bool // in the full run alone
}

var overHTTP = []string{"https://localhost:PORT/"}

var servers = map[string]served{
	"nginx": {needs: "nginx", probe: overHTTP, start: func(b *snippetBench, text string) *exec.Cmd {
		b.write("mtls.conf", text)
		return exec.Command("nginx", "-p", b.dir, "-e", "stderr", "-c", b.write("nginx.conf", "user root;\ndaemon off;\npid nginx.pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\ninclude mtls.conf;\n}\n"))
	}},
	"httpd": {needs: "apache2", probe: overHTTP, full: true, start: func(b *snippetBench, text string) *exec.Cmd {
		config := ""
		for _, name := range []string{"mpm_event", "authz_core", "ssl", "headers", "dir"} {
			config += fmt.Sprintf("LoadModule %s_module /usr/lib/apache2/modules/mod_%[1]s.so\n", name)
		}
		check(b.t, os.Mkdir(filepath.Join(b.dir, "www"), 0o755))
		b.write("www/index.html", "Hello CN=client\n")
		config += fmt.Sprintf("ServerRoot %s\nDocumentRoot %[1]s/www\nPidFile pid\nErrorLog /dev/stderr\nServerName localhost\nUser nobody\nGroup nogroup\nMutex posixsem\nDirectoryIndex index.html\n", b.dir)
		check(b.t, os.Chmod(b.dir, 0o755))
		check(b.t, os.Chmod(filepath.Dir(b.dir), 0o755))
		return exec.Command("apache2", "-X", "-f", b.write("httpd.conf", config+text))
	}},
	"haproxy": {needs: "haproxy", probe: overHTTP, full: true, start: func(b *snippetBench, text string) *exec.Cmd {
		b.run("certs", "export", "server", "--format", "pem-bundle")
		return exec.Command("haproxy", "-db", "-f", b.write("haproxy.cfg", "defaults\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n"+text))
	}},
	"caddy": {needs: "caddy", probe: overHTTP, full: true, readsNo: true, start: func(b *snippetBench, text string) *exec.Cmd {
		b.write("Caddyfile", strings.Replace(text, "\tauto_https off", "\tauto_https off\n\tadmin off\n\tskip_install_trust", 1))
		cmd := exec.Command("caddy", "run", "--config", filepath.Join(b.dir, "Caddyfile"))
		cmd.Env = append(os.Environ(), "HOME="+b.dir)
		return cmd
	}},
	"openssl": {needs: "openssl", probe: overHTTP, start: func(b *snippetBench, text string) *exec.Cmd {
		return exec.Command("sh", "-ec", strings.Replace(text, "\nopenssl", "\nexec openssl", 1))
	}, call: getAnything},
	"python": {needs: "python3", probe: overHTTP, start: func(b *snippetBench, text string) *exec.Cmd {
		return exec.Command("python3", b.write("server.py", text))
	}, call: getAnything},
	"node": {needs: "node", probe: overHTTP, full: true, start: func(b *snippetBench, text string) *exec.Cmd {
		return exec.Command("node", b.write("server.js", text))
	}, call: getAnything},
	"java": {needs: "java", probe: overHTTP, full: true, readsNo: true, start: func(b *snippetBench, text string) *exec.Cmd {
		b.run("certs", "export", "server", "--format", "p12", "--password-file", filepath.Join(b.dir, "password.txt"))
		b.run("certs", "export", "client-ca", "--format", "java-truststore", "--password-file", filepath.Join(b.dir, "password.txt"))
		cmd := exec.Command("java", "-Xmx64m", b.write("Server.java", text))
		cmd.Dir = b.dir
		return cmd
	}},
	"go": {needs: "go", probe: overHTTP, full: true, readsNo: true, start: func(b *snippetBench, text string) *exec.Cmd {
		return exec.Command(b.build("server", text))
	}},
	"etcd": {needs: "etcd", probe: []string{"https://localhost:PORT/health"}, full: true, start: func(b *snippetBench, text string) *exec.Cmd {
		text = strings.Replace(strings.TrimSpace(text), "/var/lib/etcd", filepath.Join(b.dir, "data"), 1)
		peer := "http://127.0.0.1:" + peertest.FreePort(b.t)
		return exec.Command("sh", "-ec", strings.Replace(text, "\netcd", "\nexec etcd", 1)+" --listen-peer-urls "+peer+" --initial-advertise-peer-urls "+peer+" --initial-cluster one="+peer)
	}, call: func(b *snippetBench, cert, key string) error { return b.get("/health", `"health"`, cert, key) }, client: shell, answers: "is healthy"},
	// What speaks no HTTP is not probed: lab probe knows an answer only where the
	// protocol is HTTP, or one of --starttls.
	"redis": {needs: "redis-server", full: true, readsNo: true, start: func(b *snippetBench, text string) *exec.Cmd {
		return exec.Command("redis-server", b.write("redis.conf", text+"save \"\"\n"))
	}, call: func(b *snippetBench, cert, key string) error { return b.talk("PING\r\n", "+PONG", cert, key) }, client: shell, answers: "PONG"},
	"grpc-python": {needs: "/usr/bin/python3", full: true, readsNo: true, start: func(b *snippetBench, text string) *exec.Cmd {
		if err := exec.Command("/usr/bin/python3", "-c", "import grpc").Run(); err != nil {
			peertest.Missing(b.t, "needs python3-grpcio: %v", err)
		}
		return exec.Command("/usr/bin/python3", b.write("server.py", text))
	}, call: func(b *snippetBench, cert, key string) error {
		return b.talk("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "", cert, key)
	}, client: func(b *snippetBench, text string) *exec.Cmd {
		return exec.Command("/usr/bin/python3", b.write("client.py", text))
	}, answers: "connected"},
	"postgresql": {needs: "pg_config", full: true, own: true, probe: []string{"localhost:PORT", "--starttls", "postgres"}, start: func(b *snippetBench, text string) *exec.Cmd {
		out, err := exec.Command("pg_config", "--bindir").Output()
		check(b.t, err)
		b.bin = strings.TrimSpace(string(out))
		data := filepath.Join(b.dir, "data")
		if out, err := b.as(filepath.Join(b.bin, "initdb"), "-D", data, "-A", "trust", "-N", "-U", "client", "--no-locale", "-E", "UTF8", "--wal-segsize=1").CombinedOutput(); err != nil {
			b.t.Fatalf("%v\n%s", err, out)
		}
		conf, hba, _ := strings.Cut(text, "# pg_hba.conf")
		check(b.t, os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte("#"+hba), 0o644))
		check(b.t, os.WriteFile(filepath.Join(data, "postgresql.conf"), []byte(conf+"unix_socket_directories = ''\nfsync = off\nshared_buffers = 1MB\n"), 0o644))
		return b.as(filepath.Join(b.bin, "postgres"), "-D", data)
	}, call: func(b *snippetBench, cert, key string) error {
		return b.client("psql", fmt.Sprintf("host=localhost port=%s dbname=postgres user=client sslmode=verify-full sslrootcert=%s sslcert=%s sslkey=%s", b.port, b.file("server-ca.pem"), cert, key), "-c", "select 1")
	}, client: func(b *snippetBench, text string) *exec.Cmd {
		return exec.Command("sh", "-ec", strings.TrimSpace(text)+" -c 'select 40 + 2'")
	}, answers: "42"},
	"mysql": {needs: "mariadbd", full: true, own: true, start: func(b *snippetBench, text string) *exec.Cmd {
		data := filepath.Join(b.dir, "data")
		if out, err := b.as("mariadb-install-db", "--no-defaults", "--datadir="+data, "--tmpdir="+b.dir, "--auth-root-authentication-method=normal", "--skip-test-db").CombinedOutput(); err != nil {
			b.t.Fatalf("%v\n%s", err, out)
		}
		// By the snippet's own line: a certificate is required user by user.
		init := b.write("init.sql", "CREATE USER 'client'@'%' REQUIRE SUBJECT '/CN=client';\n")
		return b.as("mariadbd", "--defaults-file="+b.write("my.cnf", text), "--datadir="+data, "--tmpdir="+b.dir, "--socket="+filepath.Join(b.dir, "socket"), "--pid-file="+filepath.Join(b.dir, "pid"), "--init-file="+init)
	}, call: func(b *snippetBench, cert, key string) error {
		args := []string{"--no-defaults", "-h", "localhost", "--protocol=tcp", "-P", b.port, "-u", "client", "--ssl-ca=" + b.file("server-ca.pem"), "--ssl-verify-server-cert", "-e", "select 1"}
		if cert != "" {
			args = append(args, "--ssl-cert="+cert, "--ssl-key="+key)
		}
		return b.client("mariadb", args...)
	}, client: func(b *snippetBench, text string) *exec.Cmd {
		return exec.Command("mariadb", "--defaults-file="+b.write("client.cnf", text), "--protocol=tcp", "-u", "client", "-e", "select 40 + 2")
	}, answers: "42"},
}

// as returns a command as the user nobody.
func (b *snippetBench) as(program string, args ...string) *exec.Cmd {
	cmd := exec.Command("setpriv", append([]string{"--reuid", b.uid, "--clear-groups", program}, args...)...)
	cmd.Dir = b.dir
	return cmd
}

// client runs a client of a database.
func (b *snippetBench) client(program string, args ...string) error {
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return err
}

// give gives the folder to nobody, as whom servers run that refuse to be root.
func (b *snippetBench) give() {
	b.t.Helper()
	nobody, err := user.Lookup("nobody")
	check(b.t, err)
	b.uid = nobody.Uid
	id, err := strconv.Atoi(nobody.Uid)
	check(b.t, err)
	check(b.t, filepath.WalkDir(b.dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, id, -1))
	}))
}

// getAnything is GET / for a server whose answer is its own.
func getAnything(b *snippetBench, cert, key string) error { return b.get("/", "", cert, key) }

// build builds a program in Go.
func (b *snippetBench) build(name, text string) string {
	b.t.Helper()
	folder := filepath.Join(b.dir, "go-"+name)
	check(b.t, os.MkdirAll(folder, 0o755))
	check(b.t, os.WriteFile(filepath.Join(folder, "go.mod"), []byte("module example\n\ngo 1.26\n"), 0o644))
	check(b.t, os.WriteFile(filepath.Join(folder, "main.go"), []byte(text), 0o644))
	cmd := exec.Command("go", "build", "-o", name, ".")
	cmd.Dir, cmd.Env = folder, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(folder, name)
}

// config is that of a client which shows a certificate, "" for none.
func (b *snippetBench) config(cert, key string) *tls.Config {
	b.t.Helper()
	pem, err := os.ReadFile(b.file("server-ca.pem"))
	check(b.t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	config := &tls.Config{RootCAs: pool, ServerName: "localhost"}
	if cert != "" {
		own, err := tls.LoadX509KeyPair(cert, key)
		check(b.t, err)
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil } // whatever CAs are named
	}
	return config
}

// get returns why a request is not answered with status 200 and a text.
func (b *snippetBench) get(path, want, cert, key string) error {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: b.config(cert, key), DisableKeepAlives: true}, Timeout: 10 * time.Second}
	answer, err := client.Get("https://localhost:" + b.port + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
		return fmt.Errorf("%s: %q, %v", answer.Status, body, err)
	}
	return err
}

// talk returns why a text is not answered with another one.
func (b *snippetBench) talk(text, want, cert, key string) error {
	config := b.config(cert, key)
	config.NextProtos = []string{"h2"}
	if want != "" {
		config.NextProtos = nil
	}
	conn, err := tls.Dial("tcp", "127.0.0.1:"+b.port, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		return err
	}
	answer := make([]byte, 64)
	n, err := conn.Read(answer)
	if n == 0 || !strings.Contains(string(answer[:n]), want) {
		return fmt.Errorf("%q, %w", answer[:n], err)
	}
	return nil
}

// Every server that Debian has lets in the good client alone, as its snippet
// has it, and lab probe finds nothing.
func TestSnippetServers(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the programs are looked for on Linux alone")
	}
	for name, s := range servers {
		t.Run(name, func(t *testing.T) {
			if s.full && !peertest.Full() {
				t.Skip("in the full run alone (LAB_FULL)")
			}
			need(t, s.needs)
			dir, err := os.MkdirTemp("", "lab-snippet")
			check(t, err)
			t.Cleanup(func() { os.RemoveAll(dir) })
			b := newSnippetBench(t, dir)
			text := b.snippet(name, "--server")
			if s.own {
				if os.Geteuid() != 0 {
					t.Skip("needs root, to run it as somebody else")
				}
				b.give()
			}
			cmd := s.start(b, text)
			program := peertest.Start(t, cmd)
			if s.own {
				t.Cleanup(func() { // in good order, or its shared memory is left
					_ = cmd.Process.Signal(os.Interrupt)
					_ = cmd.Process.Signal(syscall.SIGTERM)
					program.Wait(t)
				})
			}
			if err := peertest.AwaitListener(b.port); err != nil {
				t.Fatalf("%v\n%s", err, &program.Output)
			}
			call := s.call
			if call == nil {
				call = func(b *snippetBench, cert, key string) error { return b.get("/", "client", cert, key) }
			}
			if err := call(b, b.file("client.pem"), b.file("client-key.pem")); err != nil {
				t.Errorf("the good client is not let in: %v\n%s", err, &program.Output)
			}
			stranger := filepath.Join(b.stranger, "certs")
			refused := map[string][2]string{
				"no certificate": {},
				"a stranger":     {filepath.Join(stranger, "client.pem"), filepath.Join(stranger, "client-key.pem")},
				"a server":       {b.file("server.pem"), b.file("server-key.pem")},
			}
			if !s.readsNo {
				refused["one that is revoked"] = [2]string{b.file("revoked.pem"), b.file("revoked-key.pem")}
			}
			for who, files := range refused {
				if err := call(b, files[0], files[1]); err == nil {
					t.Errorf("%s is let in", who)
				}
			}
			if s.client != nil {
				text := b.run("snippet", name, "--client", "--addr", "localhost:"+b.port)
				if out, err := s.client(b, text).CombinedOutput(); err != nil || !strings.Contains(string(out), s.answers) {
					t.Errorf("its own client: %v\n%s", err, out)
				}
			}
			if s.probe == nil {
				return
			}
			args := []string{"probe"}
			for _, arg := range s.probe {
				args = append(args, strings.ReplaceAll(arg, "PORT", b.port))
			}
			if !s.readsNo && name != "etcd" { // which closes the connection of one that is revoked without an alert: lab probe cannot tell
				args = append(args, "--revoked", "revoked")
			}
			if out, talk, status := b.lab(args...); status != 0 {
				t.Errorf("lab probe: %d\n%s%s\n%s", status, out, talk, &program.Output)
			}
		})
	}
}

// called is a program that calls by its snippet.
type called struct {
	needs string
	full  bool
	run   func(b *snippetBench, text string) *exec.Cmd
}

func shell(b *snippetBench, text string) *exec.Cmd { return exec.Command("sh", "-ec", text) }

var callers = map[string]called{
	"curl": {needs: "curl", run: shell},
	"wget": {needs: "wget", run: shell},
	"openssl": {needs: "openssl", run: func(b *snippetBench, text string) *exec.Cmd {
		return exec.Command("sh", "-ec", `printf 'GET / HTTP/1.0\r\nHost: localhost\r\n\r\n' | `+text[strings.Index(text, "openssl s_client"):])
	}},
	"python": {needs: "python3", run: func(b *snippetBench, text string) *exec.Cmd {
		return exec.Command("python3", b.write("client.py", text))
	}},
	"node": {needs: "node", full: true, run: func(b *snippetBench, text string) *exec.Cmd {
		return exec.Command("node", b.write("client.js", text))
	}},
	"go": {needs: "go", full: true, run: func(b *snippetBench, text string) *exec.Cmd {
		return exec.Command(b.build("client", text))
	}},
	"java": {needs: "java", full: true, run: func(b *snippetBench, text string) *exec.Cmd {
		password := filepath.Join(b.dir, "password.txt")
		for _, ca := range []string{"server-ca", "other-ca"} {
			b.lab("certs", "export", ca, "--format", "java-truststore", "--password-file", password) // the second is there for one of the calls
		}
		b.lab("certs", "export", "client", "--format", "p12", "--password-file", password)
		cmd := exec.Command("java", "-Xmx64m", b.write("Client.java", text))
		cmd.Dir = b.dir
		return cmd
	}},
	"nginx": {needs: "nginx", full: true, run: func(b *snippetBench, text string) *exec.Cmd {
		front := peertest.FreePort(b.t)
		config := b.write("nginx.conf", fmt.Sprintf("user root;\ndaemon off;\npid nginx.pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\nserver {\nlisten 127.0.0.1:%s;\n%s}\n}\n", front, text))
		return through(b, front, exec.Command("nginx", "-p", b.dir, "-e", "stderr", "-c", config))
	}},
	"httpd": {needs: "apache2", full: true, run: func(b *snippetBench, text string) *exec.Cmd {
		front, config := peertest.FreePort(b.t), ""
		b.run("certs", "export", "client", "--format", "pem-bundle")
		for _, name := range []string{"mpm_event", "authz_core", "ssl", "proxy", "proxy_http"} {
			config += fmt.Sprintf("LoadModule %s_module /usr/lib/apache2/modules/mod_%[1]s.so\n", name)
		}
		config += fmt.Sprintf("ServerRoot %s\nPidFile pid-%[2]s\nErrorLog /dev/stderr\nServerName localhost\nUser nobody\nGroup nogroup\nMutex posixsem\nListen 127.0.0.1:%[2]s\n", b.dir, front)
		return through(b, front, exec.Command("apache2", "-X", "-f", b.write("httpd.conf", config+text)))
	}},
	"haproxy": {needs: "haproxy", full: true, run: func(b *snippetBench, text string) *exec.Cmd {
		front := peertest.FreePort(b.t)
		b.run("certs", "export", "client", "--format", "pem-bundle")
		config := fmt.Sprintf("defaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\nfrontend in\n  bind 127.0.0.1:%s\n  default_backend mtls\n%s", front, text)
		return through(b, front, exec.Command("haproxy", "-db", "-f", b.write("haproxy.cfg", config)))
	}},
	"caddy": {needs: "caddy", full: true, run: func(b *snippetBench, text string) *exec.Cmd {
		front := peertest.FreePort(b.t)
		cmd := exec.Command("caddy", "run", "--config", b.write("Caddyfile", fmt.Sprintf("{\n\tadmin off\n\tauto_https off\n}\nhttp://127.0.0.1:%s {\n%s}\n", front, text)))
		cmd.Env = append(os.Environ(), "HOME="+b.dir)
		return through(b, front, cmd)
	}},
}

// through starts a proxy, and returns a command that calls it.
func through(b *snippetBench, front string, proxy *exec.Cmd) *exec.Cmd {
	b.t.Helper()
	program := peertest.Start(b.t, proxy)
	if err := peertest.AwaitListener(front); err != nil {
		b.t.Fatalf("%v\n%s", err, &program.Output)
	}
	return exec.Command("curl", "-sSf", "http://127.0.0.1:"+front+"/")
}

// Every client that Debian has shows its certificate, and refuses a server of
// another CA, and one of another name.
func TestSnippetClients(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the programs are looked for on Linux alone")
	}
	need(t, "curl")
	program := peertest.Build(t, "linux")
	for name, c := range callers {
		t.Run(name, func(t *testing.T) {
			if c.full && !peertest.Full() {
				t.Skip("in the full run alone (LAB_FULL)")
			}
			need(t, c.needs)
			b := newSnippetBench(t, t.TempDir())
			check(t, os.Link(filepath.Join(b.stranger, "certs", "server-ca.pem"), b.file("other-ca.pem")))
			serve(t, b, program, "server")
			call := func(host string, more ...string) (string, error) {
				text := b.run(append([]string{"snippet", name, "--client", "--addr", host + ":" + b.port}, more...)...)
				out, err := c.run(b, text).CombinedOutput()
				return string(out), err
			}
			if out, err := call("localhost"); err != nil || !strings.Contains(out, "Hello CN=client") {
				t.Errorf("%v\n%s", err, out)
			}
			if out, err := call("localhost", "--ca", "other-ca"); err == nil || strings.Contains(out, "Hello") {
				t.Errorf("a server of another CA is called: %s", out)
			}
			if out, err := call("127.0.0.2"); err == nil || strings.Contains(out, "Hello") {
				t.Errorf("a server of another name is called: %s", out)
			}
		})
	}
}

// serve starts the lab's own server.
func serve(t *testing.T, b *snippetBench, program, cert string) {
	t.Helper()
	server := peertest.Start(t, exec.Command(program, "server", "--dir", b.dir, "--cert", cert, "--addr", "0.0.0.0:"+b.port, "--capture", "off", "--keylog", "off", "--brief"))
	server.Await(t, "^lab: server on ")
}

// Every snippet is there in full: nothing is left to fill in, every path of the
// side is in it, and the lines are not too long to read.
func TestSnippetsAreWhole(t *testing.T) {
	b := newSnippetBench(t, t.TempDir())
	for _, name := range snippet.Names() {
		_, sides, err := snippet.Sides(name)
		check(t, err)
		for _, side := range sides {
			text := b.snippet(name, "--"+side.String())
			for _, left := range []string{"{{", "<no value>", "TODO", "$FILE"} {
				if strings.Contains(text, left) && name != "caddy" {
					t.Errorf("%s of %s has %q", side, name, left)
				}
			}
			if lines := strings.Count(text, "\n"); lines > 50 {
				t.Errorf("%s of %s has %d lines", side, name, lines)
			}
			if !strings.Contains(text, b.port) && !strings.HasPrefix(name, "grpc-go") && !slices.Contains([]string{"spring-boot", "traefik", "envoy"}, name) {
				t.Errorf("%s of %s has no port:\n%s", side, name, text)
			}
			other := "server"
			if side.String() == "server" {
				other = "client"
			}
			if strings.Contains(text, "/certs/"+other+".pem") || strings.Contains(text, "/certs/"+other+"-key.pem") {
				t.Errorf("%s of %s has the files of the other side:\n%s", side, name, text)
			}
		}
	}
}
