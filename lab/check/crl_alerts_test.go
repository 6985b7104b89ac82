package check

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/peertest"
)

// alertOf returns the alert with which a server on a port refuses a client of
// the folder in TLS 1.2, 0 if it lets it in.
func (b *bench) alertOf(port, client string) tls.AlertError {
	b.t.Helper()
	cert, err := tls.LoadX509KeyPair(b.in(client+".pem"), b.in(client+"-key.pem"))
	if err != nil {
		b.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(b.read("root.pem"))
	conn, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{ServerName: "localhost", RootCAs: roots, MaxVersion: tls.VersionTLS12,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }})
	if err == nil {
		_ = conn.Close()
		return 0
	}
	for code := range 256 { // crypto/tls has no type for an alert that it received
		if alert := tls.AlertError(code); strings.HasSuffix(err.Error(), strings.TrimPrefix(alert.Error(), "tls: ")) {
			return alert
		}
	}
	b.t.Fatal(err)
	return 0
}

// Those who are said to refuse a CRL that is out of date do, each with its
// alert.
func TestWhoRefusesStaleCRLs(t *testing.T) {
	b := newBench(t, pki)
	now := time.Now()
	b.newCRL("stale.crl", "root", now.AddDate(0, -2, 0), now.AddDate(0, -1, 0))
	f := ruled(t, b.look(nil, "root.pem", "stale.crl"), string(chain.CRLStale))
	for name, server := range map[string]struct {
		said  string
		alert tls.AlertError
		start func(port string) *exec.Cmd
	}{
		"openssl": {"OpenSSL with the alert certificate_expired (45)", 45, func(port string) *exec.Cmd {
			return exec.Command("openssl", "s_server", "-accept", port, "-cert", b.in("server.pem"), "-cert_chain", b.in("mid.pem"), "-key", b.in("server-key.pem"), "-CAfile", b.in("root.pem"),
				"-Verify", "2", "-verify_return_error", "-crl_check", "-CRL", b.in("stale.crl"), "-quiet")
		}},
		"apache2": {"Apache with certificate_unknown (46)", 46, func(port string) *exec.Cmd {
			config := ""
			for _, module := range []string{"mpm_event", "authz_core", "ssl"} {
				config += fmt.Sprintf("LoadModule %s_module /usr/lib/apache2/modules/mod_%[1]s.so\n", module)
			}
			config += fmt.Sprintf("ServerRoot %s\nPidFile pid\nErrorLog /dev/stderr\nServerName localhost\nUser nobody\nGroup nogroup\nMutex posixsem\nListen 127.0.0.1:%s\nSSLEngine on\n", b.dir, port) +
				"SSLCertificateFile server.pem\nSSLCertificateKeyFile server-key.pem\nSSLCACertificateFile root.pem\nSSLVerifyClient require\nSSLCARevocationFile stale.crl\nSSLCARevocationCheck leaf\n"
			return exec.Command("apache2", "-X", "-f", b.in(b.write("httpd.conf", []byte(config))))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				t.Skip(err) // CI installs Apache for the tests of all stacks alone
			}
			if !strings.Contains(f.Text, server.said) {
				t.Error(f.Text)
			}
			b := &bench{t, b.dir}
			port := peertest.FreePort(t)
			peertest.Start(t, server.start(port))
			if err := peertest.AwaitListener(port); err != nil {
				t.Fatal(err)
			}
			if got := b.alertOf(port, "client"); got != server.alert {
				t.Errorf("alert %d, want %d", uint8(got), uint8(server.alert))
			}
		})
	}
}
