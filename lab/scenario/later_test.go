package scenario

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// What is shown and not run was seen, and can be seen again: programs that are
// not ours say it.

// shown prepares a scenario and returns it with the folder of its certificates.
func shown(t *testing.T, name string) (s *Scenario, dir string) {
	t.Helper()
	s, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Manifest: baseManifest(t), Dir: t.TempDir()}
	if err := s.Prepare(t.Context(), o.Manifest, o.certs()); err != nil {
		t.Fatal(err)
	}
	return s, s.Certs(o.certs())
}

// in returns a command that runs in a folder.
func in(dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	return cmd
}

// saysOne reports whether an output has a message of a program in it.
func saysOne(s *Scenario, program, output string) bool {
	return slices.ContainsFunc(s.Says[program], func(message string) bool { return strings.Contains(output, message) })
}

const asksLater = `
import socket, ssl
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
c.load_cert_chain('server.pem', 'server-key.pem')
c.load_verify_locations('client-ca.pem')
c.verify_mode, c.post_handshake_auth = ssl.CERT_REQUIRED, True
s = socket.create_server(('127.0.0.1', 0))
print('port', s.getsockname()[1], flush=True)
t = c.wrap_socket(s.accept()[0], server_side=True)
t.recv(100)
try:
    t.verify_client_post_handshake()
    t.sendall(b'asked\n')
    t.recv(100)
    print('shown', t.getpeercert()['subject'], flush=True)
except Exception as e:
    print(repr(e), flush=True)
`

// A server of Python's ssl asks after the request: s_client answers with
// -enable_pha alone.
func TestPostHandshakeAuthentication(t *testing.T) {
	peertest.Need(t, "python3", "openssl")
	s, dir := shown(t, "post-handshake-auth")
	for flag, want := range map[string]string{"-ign_eof": "extension not received", "-enable_pha": "shown"} {
		server := peertest.Start(t, in(dir, "python3", "-c", asksLater))
		port := strings.TrimSpace(server.Await(t, "^port "))
		peer := peertest.Start(t, in(dir, "openssl", "s_client", flag, "-ign_eof", "-connect", "127.0.0.1:"+port, "-CAfile", "server-ca.pem", "-cert", "client.pem", "-key", "client-key.pem"))
		peer.Say("request\n")
		if want == "shown" {
			peer.Await(t, "asked")
			peer.Say("more\n")
		}
		line := server.Await(t, "(?m)^(SSLError|shown)")
		if want != "shown" && !strings.Contains(line, want) || want != "shown" && !saysOne(s, "Python", line) {
			t.Errorf("%s: the server prints %q", flag, line)
		}
	}
}

// Go's client refuses a second handshake, and OpenSSL's server says so.
func TestRenegotiationIsRefused(t *testing.T) {
	peertest.Need(t, "openssl")
	s, dir := shown(t, "renegotiation")
	server := peertest.Start(t, in(dir, "openssl", "s_server", "-accept", "127.0.0.1:0", "-tls1_2", "-cert", "server.pem", "-key", "server-key.pem"))
	addr := strings.Fields(server.Await(t, "^ACCEPT "))[0]
	trust := x509.NewCertPool()
	text, err := os.ReadFile(filepath.Join(dir, "server-ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	trust.AppendCertsFromPEM(text)
	conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: trust, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "request\n")
	server.Await(t, "^request")
	server.Say("R\n")
	_, err = conn.Read(make([]byte, 1))
	if err == nil || !saysOne(s, "Go programs", err.Error()) {
		t.Errorf("the client says %v", err)
	}
	server.Await(t, "no renegotiation")
}

// A server of GnuTLS that knows no secure renegotiation: OpenSSL 3 refuses it,
// and connects only if an option says so.
func TestUnsafeLegacyRenegotiation(t *testing.T) {
	peertest.Need(t, "openssl", "gnutls-serv")
	if version, _ := exec.Command("openssl", "version").Output(); !strings.HasPrefix(string(version), "OpenSSL 3") {
		t.Skipf("%s goes on", version)
	}
	s, dir := shown(t, "unsafe-legacy-renegotiation")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	peertest.Start(t, in(dir, "gnutls-serv", "-p", port, "--x509certfile", "server.pem", "--x509keyfile", "server-key.pem", "--http",
		"--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2:%DISABLE_SAFE_RENEGOTIATION")).Await(t, "listening on IPv4")
	call := func(flags ...string) string {
		out, _ := in(dir, "openssl", append([]string{"s_client", "-connect", "127.0.0.1:" + port, "-CAfile", "server-ca.pem"}, flags...)...).CombinedOutput()
		return string(out)
	}
	if out := call(); !saysOne(s, "OpenSSL", out) || !strings.Contains(out, "unsafe legacy renegotiation disabled") {
		t.Errorf("s_client: %s", out)
	}
	if out := call("-legacy_server_connect"); !strings.Contains(out, "Secure Renegotiation IS NOT supported") || strings.Contains(out, "disabled") {
		t.Errorf("s_client -legacy_server_connect: %s", out)
	}
}
