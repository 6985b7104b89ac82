package probe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
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
	"mtlslab.example/lab/lab/starttls"
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
	config := ""
	for _, name := range []string{"mpm_event", "authz_core", "ssl", "alias"} {
		config += fmt.Sprintf("LoadModule %s_module /usr/lib/apache2/modules/mod_%[1]s.so\n", name)
	}
	config += fmt.Sprintf("ServerRoot %s\nDocumentRoot %[1]s\nPidFile pid\nErrorLog /dev/stderr\nServerName localhost\nUser nobody\nGroup nogroup\nMutex posixsem\nListen 127.0.0.1:%s\n<VirtualHost 127.0.0.1:%[2]s>\nSSLEngine on\nSSLProtocol -all +TLSv1.2 +TLSv1.3\nSSLCertificateFile %s\nSSLCertificateKeyFile %s\nSSLCACertificateFile %s\nRedirect gone /\n%s\n</VirtualHost>\n",
		dir, port, p.file("server.pem"), p.file("server-key.pem"), p.file("client-ca.pem"), directives)
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

func (p *pki) python(t testing.TB, mode, ca string) string {
	return listening(t, "python3", filepath.Join("testdata", "server.py"), mode, p.file("server.pem"), p.file("server-key.pem"), ca)
}

func (p *pki) node(t testing.TB, mode string, more ...string) string {
	return listening(t, "node", append([]string{filepath.Join("testdata", "server.js"), mode, p.file("server.pem"), p.file("server-key.pem"), p.file("client-ca.pem")}, more...)...)
}

func (p *pki) java(t testing.TB, mode string) string {
	t.Helper()
	const password = "changeit"
	dir := t.TempDir()
	own, err := certgen.PKCS12(p.dir, "server", password)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := certgen.TrustStore(p.dir, "client-ca", password)
	if err != nil {
		t.Fatal(err)
	}
	return listening(t, "java", "-Xmx64m", filepath.Join("testdata", "Server.java"), mode, write(t, filepath.Join(dir, "own.p12"), string(own)), write(t, filepath.Join(dir, "trust.p12"), string(trust)), password)
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
	for _, name := range []string{"server.pem", "server-key.pem", "client-ca.pem", "client-ca-crl.pem"} {
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

// target is a server in one of its configurations.
type target struct {
	program, name string // "right" is right
	start         func(t testing.TB, p *pki) (port string)
	wrong, warned string // what the probe finds, in the order of the names
	protocol      string // "": HTTP
}

const crlWarned = "client-of-intermediate client-other-subject" // a CRL of each CA is wanted

// The faults that are let in where any chain will do, or one that leads to no
// known CA.
var (
	anyChain = without(allFaults, "client-key-mismatch")
	noCA     = "client-missing-intermediate client-of-server-ca look-alike-ca no-client-cert revoked-client self-signed-client untrusted-client-forced"
)

// nearTargets are those of every run.
var nearTargets = []target{
	goTarget("right", func(p *pki, c *tls.Config) { c.VerifyPeerCertificate = p.notRevoked }, "", goLets),
	goTarget("right, TLS 1.2", func(p *pki, c *tls.Config) { c.VerifyPeerCertificate, c.MaxVersion = p.notRevoked, tls.VersionTLS12 }, "", goLets),
	goTarget("right, HTTP/2 alone", func(p *pki, c *tls.Config) { c.VerifyPeerCertificate, c.NextProtos = p.notRevoked, []string{"h2"} }, "", goLets),
	goTarget("no CRL", func(*pki, *tls.Config) {}, "revoked-client", goLets),
	goTarget("VerifyClientCertIfGiven", func(_ *pki, c *tls.Config) { c.ClientAuth = tls.VerifyClientCertIfGiven }, "no-client-cert revoked-client", goLets),
	goTarget("RequireAnyClientCert", func(_ *pki, c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }, anyChain, goLets),
	goTarget("no ClientAuth", func(_ *pki, c *tls.Config) { c.ClientAuth = tls.NoClientCert }, "no-client-cert server-does-not-ask", ""),
	goTarget("the CA for servers, too", func(p *pki, c *tls.Config) { c.ClientCAs = p.pool("client-ca", "server-ca") }, "client-of-server-ca revoked-client", goLets),
	goTarget("any extended key usage", func(p *pki, c *tls.Config) {
		c.ClientAuth, c.VerifyPeerCertificate = tls.RequireAnyClientCert, p.anyUsage
	}, "client-wrong-eku revoked-client", goLets),
	goTarget("the wrong CA, and the right one", func(p *pki, c *tls.Config) { c.ClientCAs = p.pool("client-ca", "other-ca") }, "revoked-client", goLets),

	nginxTarget("right", "ssl_verify_client on; ssl_client_certificate CA; ssl_crl CRL;", "", crlWarned),
	nginxTarget("no ssl_crl", "ssl_verify_client on; ssl_client_certificate CA;", "revoked-client", opensslLets),
	nginxTarget("depth 0", "ssl_verify_client on; ssl_verify_depth 0; ssl_client_certificate CA;", "revoked-client", crlWarned),
	nginxTarget("optional", "ssl_verify_client optional; ssl_client_certificate CA; ssl_crl CRL;", "no-client-cert", crlWarned),
	nginxTarget("optional_no_ca", "ssl_verify_client optional_no_ca; ssl_client_certificate CA;", noCA, opensslLets),
	nginxTarget("off", "", "no-client-cert server-does-not-ask", ""),
	nginxTarget("the CA for servers, too", "ssl_verify_client on; ssl_client_certificate BOTH;", "client-of-server-ca revoked-client", opensslLets),

	opensslTarget("right", "-Verify 9 -verify_return_error -CAfile CA+CRL -crl_check", "", crlWarned),
	opensslTarget("no -crl_check", "-Verify 9 -verify_return_error -CAfile CA", "revoked-client", opensslLets),
	opensslTarget("-verify", "-verify 9 -verify_return_error -CAfile CA+CRL -crl_check", "no-client-cert", crlWarned),
	opensslTarget("no -verify_return_error", "-Verify 9 -CAfile CA", anyChain, goLets),
	opensslTarget("-purpose any", "-Verify 9 -verify_return_error -CAfile CA -purpose any", "client-wrong-eku revoked-client", with(opensslLets, "ca-as-client")),
	opensslTarget("-no_check_time", "-Verify 9 -verify_return_error -CAfile CA -no_check_time", "expired-client not-yet-valid-client revoked-client", opensslLets),
}

func goTarget(name string, change func(*pki, *tls.Config), wrong, warned string) target {
	return target{"Go", name, func(t testing.TB, p *pki) string {
		c := &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}
		change(p, c)
		return p.goServer(t, c, nil)
	}, wrong, warned, ""}
}

func nginxTarget(name, directives, wrong, warned string) target {
	return target{"nginx", name, func(t testing.TB, p *pki) string {
		return p.nginx(t, strings.NewReplacer("BOTH", p.join("client-ca.pem", "server-ca.pem"), "CRL", p.file("client-ca-crl.pem"), "CA", p.file("client-ca.pem")).Replace(directives))
	}, wrong, warned, ""}
}

func opensslTarget(name, flags, wrong, warned string) target {
	return target{"OpenSSL", name, func(t testing.TB, p *pki) string {
		return p.openssl(t, strings.Fields(strings.NewReplacer("CAfile CA+CRL", "CAfile "+p.join("client-ca.pem", "client-ca-crl.pem"), "CAfile CA", "CAfile "+p.file("client-ca.pem")).Replace(flags))...)
	}, wrong, warned, ""}
}

// notRevoked refuses the certificate that is revoked.
func (p *pki) notRevoked(_ [][]byte, chains [][]*x509.Certificate) error {
	if revoked := p.pair("revoked"); len(chains) > 0 && chains[0][0].Equal(revoked.Leaf) {
		return errors.New("revoked")
	}
	return nil
}

// anyUsage verifies a chain for any extended key usage.
func (p *pki) anyUsage(ders [][]byte, _ [][]*x509.Certificate) error {
	between := x509.NewCertPool()
	var chain []*x509.Certificate
	for _, der := range ders {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		between.AddCert(c)
		chain = append(chain, c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: p.pool("client-ca"), Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err
}

// farTargets are those that only the full run has.
var farTargets = []target{
	{"Apache", "right", func(t testing.TB, p *pki) string {
		return p.apache(t, "SSLVerifyClient require\nSSLVerifyDepth 2\nSSLCARevocationFile "+p.file("client-ca-crl.pem")+"\nSSLCARevocationCheck chain")
	}, "", crlWarned, ""},
	{"Apache", "no CRL", func(t testing.TB, p *pki) string { return p.apache(t, "SSLVerifyClient require\nSSLVerifyDepth 2") }, "revoked-client", opensslLets, ""},
	{"Apache", "depth 1", func(t testing.TB, p *pki) string { return p.apache(t, "SSLVerifyClient require\nSSLVerifyDepth 1") }, "revoked-client", crlWarned, ""},
	{"Apache", "optional", func(t testing.TB, p *pki) string { return p.apache(t, "SSLVerifyClient optional\nSSLVerifyDepth 2") }, "no-client-cert revoked-client", opensslLets, ""},
	{"Apache", "optional_no_ca", func(t testing.TB, p *pki) string {
		return p.apache(t, "SSLVerifyClient optional_no_ca\nSSLVerifyDepth 2")
	}, noCA, opensslLets, ""},
	{"Apache", "none", func(t testing.TB, p *pki) string { return p.apache(t, "SSLVerifyClient none") }, "no-client-cert server-does-not-ask", "", ""},
	{"HAProxy", "right", func(t testing.TB, p *pki) string {
		return p.haproxy(t, "verify required ca-file "+p.file("client-ca.pem")+" crl-file "+p.file("client-ca-crl.pem"))
	}, "", crlWarned, ""},
	{"HAProxy", "no CRL", func(t testing.TB, p *pki) string {
		return p.haproxy(t, "verify required ca-file "+p.file("client-ca.pem"))
	}, "revoked-client", opensslLets, ""},
	{"HAProxy", "optional", func(t testing.TB, p *pki) string {
		return p.haproxy(t, "verify optional ca-file "+p.file("client-ca.pem"))
	}, "no-client-cert revoked-client", opensslLets, ""},
	{"HAProxy", "crt-ignore-err all", func(t testing.TB, p *pki) string {
		return p.haproxy(t, "verify required crt-ignore-err all ca-ignore-err all ca-file "+p.file("client-ca.pem"))
	}, without(anyChain, "client-unknown-critical"), goLets, ""},
	{"HAProxy", "no verify", func(t testing.TB, p *pki) string { return p.haproxy(t, "") }, "no-client-cert server-does-not-ask", "", ""},
	{"stunnel", "right", func(t testing.TB, p *pki) string {
		return p.stunnel(t, "verifyChain = yes\nrequireCert = yes\nCAfile = "+p.file("client-ca.pem")+"\nCRLfile = "+p.file("client-ca-crl.pem"))
	}, "", crlWarned, ""},
	{"stunnel", "requireCert alone", func(t testing.TB, p *pki) string {
		return p.stunnel(t, "requireCert = yes\nCAfile = "+p.file("client-ca.pem"))
	}, anyChain, goLets, ""},
	{"stunnel", "verify = 1", func(t testing.TB, p *pki) string {
		return p.stunnel(t, "verify = 1\nCAfile = "+p.file("client-ca.pem"))
	}, "no-client-cert revoked-client", opensslLets, ""},
	{"Python", "right", func(t testing.TB, p *pki) string {
		return p.python(t, "crl", p.join("client-ca.pem", "client-ca-crl.pem"))
	}, "", crlWarned, ""},
	{"Python", "CERT_REQUIRED, no CRL", func(t testing.TB, p *pki) string { return p.python(t, "required", p.file("client-ca.pem")) }, "revoked-client", opensslLets, ""},
	{"Python", "CERT_OPTIONAL", func(t testing.TB, p *pki) string { return p.python(t, "optional", p.file("client-ca.pem")) }, "no-client-cert revoked-client", opensslLets, ""},
	{"Python", "create_default_context alone", func(t testing.TB, p *pki) string { return p.python(t, "default", p.file("client-ca.pem")) }, "no-client-cert server-does-not-ask", "", ""},
	{"Node.js", "right", func(t testing.TB, p *pki) string { return p.node(t, "required", p.file("client-ca-crl.pem")) }, "", with(crlWarned, "weak-client-key"), ""},
	{"Node.js", "no CRL", func(t testing.TB, p *pki) string { return p.node(t, "required") }, "revoked-client", with(opensslLets, "weak-client-key"), ""},
	{"Node.js", "rejectUnauthorized: false", func(t testing.TB, p *pki) string { return p.node(t, "unauthorized") }, with(anyChain, "no-client-cert"), goLets, ""},
	{"Node.js", "no requestCert", func(t testing.TB, p *pki) string { return p.node(t, "silent") }, "no-client-cert server-does-not-ask", "", ""},
	{"Java", "setNeedClientAuth, no CRL", func(t testing.TB, p *pki) string { return p.java(t, "need") }, "revoked-client", goLets, ""},
	{"Java", "setWantClientAuth", func(t testing.TB, p *pki) string { return p.java(t, "want") }, "no-client-cert revoked-client", goLets, ""},
	{"Java", "all-trusting manager", func(t testing.TB, p *pki) string { return p.java(t, "all-trusting") }, anyChain, goLets, ""},
	{"Java", "neither", func(t testing.TB, p *pki) string { return p.java(t, "silent") }, "no-client-cert server-does-not-ask", "", ""},
	{"PostgreSQL", "right", func(t testing.TB, p *pki) string {
		return p.postgres(t, "hostssl all all all cert", "ssl_crl_file=client-ca-crl.pem")
	}, "", "client-of-intermediate", "postgres"},
	{"PostgreSQL", "verify-ca, no CRL", func(t testing.TB, p *pki) string {
		return p.postgres(t, "hostssl all all all trust clientcert=verify-ca")
	}, "revoked-client", opensslLets, "postgres"},
	{"PostgreSQL", "no clientcert", func(t testing.TB, p *pki) string { return p.postgres(t, "hostssl all all all trust") }, "no-client-cert revoked-client", opensslLets, "postgres"},
}

// TestTargets probes servers of several makers, right and wrong: every
// misconfiguration is found, and nothing right is blamed.
func TestTargets(t *testing.T) {
	p := newPKI(t)
	all := nearTargets
	if peertest.Full() {
		all = append(all, farTargets...)
	}
	for _, target := range all {
		t.Run(target.program+" "+target.name, func(t *testing.T) {
			o := p.options(target.start(t, p))
			if target.protocol != "" {
				o.Target.StartTLS(starttls.Find(target.protocol), starttls.Session{Host: "localhost", User: "client"})
			}
			r := probed(t, o)
			want(t, r, target.wrong, target.warned)
			if says := strings.Join(r.Diagnosis, "; "); !strings.Contains(says, target.diagnosis()) {
				t.Errorf("diagnosis: %s\nshould be: %s", says, target.diagnosis())
			}
			if strings.HasPrefix(target.name, "right") && (target.wrong != "" || r.Exit() != ExitRight) {
				t.Errorf("exit status %d", r.Exit())
			}
		})
	}
}

// A server that trusts another CA cannot be judged, and the verdict says why.
func TestWrongCA(t *testing.T) {
	p := newPKI(t)
	for name, port := range map[string]string{
		"Go":    p.goServer(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("other-ca")}, nil),
		"nginx": p.nginx(t, "ssl_verify_client on; ssl_client_certificate "+p.file("other-ca.pem")+";"),
	} {
		t.Run(name, func(t *testing.T) {
			r := probed(t, p.options(port))
			if r.Exit() != ExitUnknown || len(r.Findings) != 0 || !strings.HasPrefix(r.Error, "the good certificate is not let in: ") ||
				!strings.Contains(r.Error, "CN=other-ca") || !strings.Contains(r.Hint, "use a certificate of a CA that the server trusts") {
				t.Errorf("exit status %d, %d findings: %s (%s)", r.Exit(), len(r.Findings), r.Error, r.Hint)
			}
		})
	}
}

// diagnosis returns what the probe must say of a target.
func (t target) diagnosis() string {
	has := func(name string) bool { return strings.Contains(t.wrong+" "+t.warned, name) }
	switch {
	case has("server-does-not-ask"):
		return "it never asks for a certificate"
	case has("no-client-cert"):
		return "a certificate is optional"
	case t.wrong == anyChain, t.wrong == without(anyChain, "client-unknown-critical"):
		return "any certificate is enough"
	case has("expired-client"):
		return "dates are not checked"
	case has("client-wrong-eku"):
		return "the extended key usage is not checked"
	case has("client-of-server-ca"):
		return "it trusts the CA for servers"
	case has("revoked-client"):
		return "no CRL is looked at"
	case has("client-of-intermediate"):
		return "longer chains are refused"
	}
	return ""
}
