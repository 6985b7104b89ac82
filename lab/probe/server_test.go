package probe

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/peertest"
)

// testManifest is the PKI of the targets. root is above both kinds of clients.
const testManifest = `subject: CN=server-ca
---
subject: CN=server
issuer: CN=server-ca
sans: [DNS:localhost, IP:127.0.0.1]
key_usages: [DigitalSignature]
ext_key_usages: [ServerAuth]
---
subject: CN=client-ca
---
subject: CN=client
issuer: CN=client-ca
key_usages: [DigitalSignature]
ext_key_usages: [ClientAuth]
---
subject: CN=revoked
issuer: CN=client-ca
revoked: true
ext_key_usages: [ClientAuth]
---
subject: CN=client-sub-ca
issuer: CN=client-ca
ca: true
---
subject: CN=sub-client
issuer: CN=client-sub-ca
ext_key_usages: [ClientAuth]
---
subject: CN=other-ca
---
subject: CN=public
issuer: CN=server-ca
sans: [DNS:other.test]
ext_key_usages: [ServerAuth]
`

// pki is a folder of certificates for a target and the probe.
type pki struct {
	t   testing.TB
	dir string
}

func newPKI(t testing.TB) *pki {
	t.Helper()
	m, err := certgen.Parse("certs.yaml", []byte(testManifest))
	if err != nil {
		t.Fatal(err)
	}
	p := &pki{t, t.TempDir()}
	if _, err := certgen.Generate(t.Context(), m, p.dir, certgen.Options{}); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pki) file(name string) string { return filepath.Join(p.dir, name) }

// join writes files one after the other into a new one, and returns its name.
func (p *pki) join(files ...string) string {
	name := p.file(strings.Join(files, "+"))
	var all []byte
	for _, file := range files {
		data, err := os.ReadFile(p.file(file))
		if err != nil {
			p.t.Fatal(err)
		}
		all = append(all, data...)
	}
	if err := os.WriteFile(name, all, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return name
}

func (p *pki) pair(name string) tls.Certificate {
	p.t.Helper()
	c, err := certgen.Load(p.dir, name)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// options are those of a probe with the whole PKI.
func (p *pki) options(port string) ServerOptions {
	target, _ := url.Parse("https://localhost:" + port + "/")
	clientCA, serverCA, revoked := p.pair("client-ca"), p.pair("server-ca"), p.pair("revoked")
	return ServerOptions{Target: Target{URL: target, Addr: "127.0.0.1:" + port}, Good: p.pair("client"), ServerCAs: []*x509.Certificate{serverCA.Leaf},
		ClientCA: &clientCA, ServerCA: &serverCA, Revoked: &revoked, Timeout: 10 * time.Second}
}

// probed probes a target and returns what came of it.
func probed(t testing.TB, o ServerOptions) *Report {
	t.Helper()
	if o.Skip == nil { // they take long, and have tests of their own
		o.Skip = []string{"resumed-after-expiry", offersCase}
	}
	announced := 0
	o.Begin = func(n int) { announced = n }
	r, err := Server(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Connections > announced {
		t.Errorf("%d connections were made, and %d announced", r.Connections, announced)
	}
	return r
}

// wrongs returns the cases with a judgement, in the order of their names.
func (r *Report) having(j Judgement) (names []string) {
	for _, f := range r.Findings {
		if f.Judgement == j && !slices.Contains(names, f.Case) {
			names = append(names, f.Case)
		}
	}
	slices.Sort(names)
	return names
}

// want compares what a probe blames and remarks with what it should.
func want(t testing.TB, r *Report, wrong, warned string) {
	t.Helper()
	if got := strings.Join(r.having(Wrong), " "); got != wrong {
		t.Errorf("blamed: %s\nshould be: %s", got, wrong)
	}
	if got := strings.Join(r.having(Warning), " "); got != warned {
		t.Errorf("remarked: %s\nshould be: %s", got, warned)
	}
	if r.Error != "" {
		t.Errorf("stopped: %s (%s)", r.Error, r.Hint)
	}
	for _, f := range r.Findings {
		if f.Judgement == Unknown {
			t.Errorf("%s cannot be told: %s", f.Case, f.Reason)
		}
		if testing.Verbose() {
			t.Logf("%s in %s: %s %s: %s", f.Case, f.TLS, f.Judgement, f.Words(), f.Reason)
		}
	}
}

// goServer starts a server of Go's and returns its port.
func (p *pki) goServer(t testing.TB, config *tls.Config, handler http.Handler) string {
	t.Helper()
	config.Certificates = append([]tls.Certificate{p.pair("server")}, config.Certificates...)
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	if handler == nil {
		handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })
	}
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	return port
}

func (p *pki) pool(names ...string) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, name := range names {
		c := p.pair(name)
		pool.AddCert(c.Leaf)
	}
	return pool
}

// What a server of Go's and one of OpenSSL's let in by their defaults, and is
// no fault of who set them up.
const (
	goLets      = "ca-as-client client-other-subject weak-client-key"
	opensslLets = "client-other-subject"
	withCRLs    = "client-of-intermediate client-other-subject" // that has CRLs, and none of a CA below the root
)

// allFaults are the cases that a server lets in that checks nothing.
const allFaults = "client-key-mismatch client-missing-intermediate client-name-constraint client-of-a-client client-of-server-ca client-path-length client-unknown-critical client-wrong-eku expired-client look-alike-ca not-yet-valid-client revoked-client self-signed-client untrusted-client-forced"

func without(list string, names ...string) string {
	return strings.Join(slices.DeleteFunc(strings.Fields(list), func(s string) bool { return slices.Contains(names, s) }), " ")
}

func with(list string, names ...string) string {
	all := append(strings.Fields(list), names...)
	slices.Sort(all)
	return strings.Join(all, " ")
}

// nginx starts nginx with a server and returns its port.
func (p *pki) nginx(t testing.TB, directives string) string {
	t.Helper()
	peertest.Need(t, "nginx")
	dir, port := t.TempDir(), peertest.FreePort(t)
	server := fmt.Sprintf("server { listen 127.0.0.1:%s ssl; ssl_protocols TLSv1.2 TLSv1.3; server_name localhost; ssl_certificate %s; ssl_certificate_key %s; %s location / { return 200 'hello'; } }", port, p.file("server.pem"), p.file("server-key.pem"), directives)
	return startNginx(t, dir, port, server)
}

func startNginx(t testing.TB, dir, port, servers string) string {
	t.Helper()
	text := fmt.Sprintf("daemon off; master_process off; pid %[1]s/pid; error_log stderr info;\nevents {}\nhttp { access_log off; client_body_temp_path %[1]s/1; proxy_temp_path %[1]s/2; fastcgi_temp_path %[1]s/3; uwsgi_temp_path %[1]s/4; scgi_temp_path %[1]s/5;\n%[2]s\n}\n", dir, servers)
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	program := peertest.Start(t, exec.Command("nginx", "-p", dir, "-e", "stderr", "-c", config))
	program.Await(t, `using the "\w+" event method`) // behind listen
	return port
}

// openssl starts openssl s_server and returns its port.
func (p *pki) openssl(t testing.TB, flags ...string) string {
	t.Helper()
	peertest.Need(t, "openssl")
	args := append([]string{"s_server", "-accept", "127.0.0.1:0", "-www", "-cert", p.file("server.pem"), "-key", p.file("server-key.pem")}, flags...)
	program := peertest.Start(t, exec.Command("openssl", args...))
	rest := program.Await(t, "^ACCEPT ")
	_, port, _ := strings.Cut(strings.Fields(rest)[0], ":")
	return port
}
