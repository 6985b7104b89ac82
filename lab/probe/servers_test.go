package probe

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/peertest"
)

// listening starts a program that prints "listening on PORT", and returns the
// port.
func listening(t testing.TB, program string, args ...string) string {
	t.Helper()
	peertest.Need(t, program)
	return strings.TrimSpace(strings.Fields(peertest.Start(t, exec.Command(program, args...)).Await(t, "^listening on "))[0])
}

// started starts a program that is to listen on a port.
func started(t testing.TB, port string, cmd *exec.Cmd) string {
	t.Helper()
	program := peertest.Start(t, cmd)
	if err := peertest.AwaitListener(port); err != nil {
		t.Fatalf("%v\n%s", err, &program.Output)
	}
	return port
}

func write(t testing.TB, file, text string) string {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (p *pki) apache(t testing.TB, directives string) string {
	t.Helper()
	peertest.Need(t, "apache2")
	dir, port := t.TempDir(), peertest.FreePort(t)
	if !strings.Contains(directives, "<Location") {
		directives += "\nRedirect gone /"
	}
	write(t, filepath.Join(dir, "private"), "hello")
	config := ""
	for _, name := range []string{"mpm_event", "authz_core", "ssl", "alias"} {
		config += fmt.Sprintf("LoadModule %s_module /usr/lib/apache2/modules/mod_%[1]s.so\n", name)
	}
	config += fmt.Sprintf("ServerRoot %s\nDocumentRoot %[1]s\nPidFile pid\nErrorLog /dev/stderr\nServerName localhost\nUser nobody\nGroup nogroup\nMutex posixsem\nListen 127.0.0.1:%s\n<VirtualHost 127.0.0.1:%[2]s>\nSSLEngine on\nSSLProtocol -all +TLSv1.2 +TLSv1.3\nSSLCertificateFile %s\nSSLCertificateKeyFile %s\nSSLCACertificateFile %s\n%s\n</VirtualHost>\n",
		dir, port, p.file("server.pem"), p.file("server-key.pem"), p.file("client-ca.pem"), strings.ReplaceAll(directives, "PORT", port))
	return started(t, port, exec.Command("apache2", "-X", "-f", write(t, filepath.Join(dir, "httpd.conf"), config)))
}

func (p *pki) haproxy(t testing.TB, bind string) string {
	t.Helper()
	peertest.Need(t, "haproxy")
	port := peertest.FreePort(t)
	config := fmt.Sprintf("global\n  log stdout format raw local0\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\nfrontend in\n  bind 127.0.0.1:%s ssl crt %s %s\n  http-request return status 200\n", port, p.join("server.pem", "server-key.pem"), bind)
	return started(t, port, exec.Command("haproxy", "-db", "-f", write(t, filepath.Join(t.TempDir(), "haproxy.cfg"), config)))
}

func (p *pki) stunnel(t testing.TB, options string) string {
	t.Helper()
	peertest.Need(t, "stunnel")
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	t.Cleanup(behind.Close)
	port := peertest.FreePort(t)
	config := fmt.Sprintf("foreground = yes\npid =\n[probe]\naccept = 127.0.0.1:%s\nconnect = %s\ncert = %s\nkey = %s\n%s\n", port, behind.Listener.Addr(), p.file("server.pem"), p.file("server-key.pem"), options)
	return started(t, port, exec.Command("stunnel", write(t, filepath.Join(t.TempDir(), "stunnel.conf"), config)))
}

func (p *pki) python(t testing.TB, mode, ca string, crl ...string) string {
	return listening(t, "python3", append([]string{filepath.Join("testdata", "server.py"), mode, p.file("server.pem"), p.file("server-key.pem"), ca}, crl...)...)
}

func (p *pki) node(t testing.TB, mode, ca string, crl ...string) string {
	return listening(t, "node", append([]string{filepath.Join("testdata", "server.js"), mode, p.file("server.pem"), p.file("server-key.pem"), ca}, crl...)...)
}

func (p *pki) java(t testing.TB, mode string, trusted ...string) string {
	t.Helper()
	const password = "changeit"
	dir := t.TempDir()
	own, err := certgen.PKCS12(p.dir, "server", password)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-Xmx64m", filepath.Join("testdata", "Server.java"), mode, password, write(t, filepath.Join(dir, "own.p12"), string(own))}
	for _, ca := range trusted {
		trust, err := certgen.TrustStore(p.dir, ca, password)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, write(t, filepath.Join(dir, ca+".p12"), string(trust)))
	}
	return listening(t, "java", args...)
}

func (p *pki) caddy(t testing.TB, mode, ca string) string {
	t.Helper()
	peertest.Need(t, "caddy")
	dir, port := t.TempDir(), peertest.FreePort(t)
	config := fmt.Sprintf("{\n\tadmin off\n\tauto_https off\n}\nhttps://localhost:%s {\n\tbind 127.0.0.1\n\ttls %s %s {\n\t\tclient_auth {\n\t\t\tmode %s\n\t\t\ttrusted_ca_cert_file %s\n\t\t}\n\t}\n\trespond hello\n}\n", port, p.file("server.pem"), p.file("server-key.pem"), mode, ca)
	cmd := exec.Command("caddy", "run", "--config", write(t, filepath.Join(dir, "Caddyfile"), config))
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	return started(t, port, cmd)
}

// postgres starts PostgreSQL, which refuses to run as root.
func (p *pki) postgres(t testing.TB, hba string, settings ...string) string {
	t.Helper()
	peertest.Need(t, "pg_config", "setpriv")
	out, err := exec.Command("pg_config", "--bindir").Output()
	if err != nil {
		t.Fatal(err)
	}
	bin := strings.TrimSpace(string(out))
	nobody, err := user.Lookup("nobody")
	if err != nil {
		peertest.Missing(t, "needs the user nobody: %v", err)
	}
	id, _ := strconv.Atoi(nobody.Uid)
	dir, err := os.MkdirTemp("", "probe-postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	own := func(file string) {
		if err := os.Chown(file, id, -1); err != nil {
			peertest.Missing(t, "needs root: %v", err)
		}
	}
	own(dir)
	as := func(program string, args ...string) *exec.Cmd {
		cmd := exec.Command("setpriv", append([]string{"--reuid", nobody.Uid, "--clear-groups", filepath.Join(bin, program)}, args...)...)
		cmd.Dir = dir
		return cmd
	}
	if out, err := as("initdb", "-D", dir, "-A", "trust", "-N", "-U", "client", "--no-locale", "-E", "UTF8", "--wal-segsize=1").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	write(t, filepath.Join(dir, "pg_hba.conf"), hba+"\n")
	for _, name := range []string{"server.pem", "server-key.pem", "client-ca.pem", "other-ca.pem", filepath.Base(p.join("client-ca.pem", "server-ca.pem")), "client-ca-crl.pem"} {
		text, err := os.ReadFile(p.file(name))
		if err != nil {
			t.Fatal(err)
		}
		own(write(t, filepath.Join(dir, name), string(text)))
	}
	port := peertest.FreePort(t)
	args := []string{"-D", dir}
	for _, setting := range append([]string{"listen_addresses=127.0.0.1", "port=" + port, "unix_socket_directories=", "fsync=off", "shared_buffers=1MB", "ssl=on", "ssl_cert_file=server.pem", "ssl_key_file=server-key.pem", "ssl_ca_file=client-ca.pem"}, settings...) {
		args = append(args, "-c", setting)
	}
	cmd := as("postgres", args...)
	program := peertest.Start(t, cmd)
	t.Cleanup(func() { // in good order, or its shared memory is left
		_ = cmd.Process.Signal(syscall.SIGINT)
		program.Wait(t)
	})
	program.Await(t, "database system is ready to accept connections")
	return port
}
