package probe

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/starttls"
)

// slapd starts OpenLDAP's server, without a database.
func (p *pki) slapd(t testing.TB, verify string) string {
	t.Helper()
	peertest.Need(t, "slapd")
	port, dir := peertest.FreePort(t), t.TempDir()
	config := fmt.Sprintf("pidfile %s/pid\nTLSCACertificateFile %s\nTLSCertificateFile %s\nTLSCertificateKeyFile %s\nTLSVerifyClient %s\n",
		dir, p.file("client-ca.pem"), p.file("server.pem"), p.file("server-key.pem"), verify)
	return started(t, port, exec.Command("slapd", "-d", "0", "-h", "ldap://127.0.0.1:"+port+"/", "-f", write(t, filepath.Join(dir, "slapd.conf"), config)))
}

// dovecot starts a server of IMAP or POP3.
func (p *pki) dovecot(t testing.TB, protocol, options string) string {
	t.Helper()
	peertest.Need(t, "dovecot", "doveconf")
	port, dir := peertest.FreePort(t), t.TempDir()
	config := fmt.Sprintf(`base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = /dev/stderr
protocols = %[2]s
listen = 127.0.0.1
ssl = required
ssl_cert = <%[4]s
ssl_key = <%[5]s
ssl_ca = <%[6]s
%[7]s
service %[2]s-login {
  inet_listener %[2]s {
    port = %[3]s
  }
  inet_listener %[2]ss {
    port = 0
  }
  chroot =
}
service anvil {
  chroot =
}
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}
`, dir, protocol, port, p.file("server.pem"), p.file("server-key.pem"), p.file("client-ca.pem"), options)
	return started(t, port, exec.Command("dovecot", "-F", "-c", write(t, filepath.Join(dir, "dovecot.conf"), config)))
}

// mariadb starts MariaDB with a user called client.
func (p *pki) mariadb(t testing.TB, require string, options ...string) string {
	t.Helper()
	peertest.Need(t, "mariadbd", "mariadb-install-db")
	port, dir := peertest.FreePort(t), t.TempDir()
	data := filepath.Join(dir, "data")
	if out, err := exec.Command("mariadb-install-db", "--no-defaults", "--user=root", "--datadir="+data, "--skip-test-db", "--auth-root-authentication-method=normal").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sql := write(t, filepath.Join(dir, "init.sql"), "CREATE USER 'client'@'%' "+require+";\nDELETE FROM mysql.global_priv WHERE User='';\nFLUSH PRIVILEGES;\n")
	args := append([]string{"--no-defaults", "--user=root", "--datadir=" + data, "--bind-address=127.0.0.1", "--port=" + port, "--socket=" + filepath.Join(dir, "s"),
		"--init-file=" + sql, "--ssl-ca=" + p.file("client-ca.pem"), "--ssl-cert=" + p.file("server.pem"), "--ssl-key=" + p.file("server-key.pem")}, options...)
	return started(t, port, exec.Command("mariadbd", args...))
}

// prosody starts a server of XMPP.
func (p *pki) prosody(t testing.TB, verify string) string {
	t.Helper()
	peertest.Need(t, "prosody")
	port, dir := peertest.FreePort(t), t.TempDir()
	config := fmt.Sprintf(`run_as_root = true
data_path = %[1]q
pidfile = %[2]q
log = { { levels = { min = "info" }, to = "console" } }
interfaces = { "127.0.0.1" }
c2s_ports = { %[3]s }
modules_enabled = { "tls", "saslauth" }
modules_disabled = { "s2s", "admin_shell", "posix" }
authentication = "internal_plain"
VirtualHost "localhost"
  ssl = { certificate = %[4]q, key = %[5]q, cafile = %[6]q, verify = { %[7]s } }
`, dir, filepath.Join(dir, "pid"), port, p.file("server.pem"), p.file("server-key.pem"), p.file("client-ca.pem"), verify)
	return started(t, port, exec.Command("prosody", "--config", write(t, filepath.Join(dir, "prosody.cfg.lua"), config), "-F"))
}

// Real servers of the protocols that begin in plain text. Those that look at
// the certificate in the login alone have answered before, which is a remark:
// so do Dovecot and Prosody. OpenLDAP's GnuTLS asks for no purpose of a
// certificate.
func TestLogins(t *testing.T) {
	if !peertest.Full() {
		t.Skip("LAB_FULL=1 starts four more servers")
	}
	p := newPKI(t)
	every := with(without(anyChain+" ca-as-client client-other-subject weak-client-key"), noneCase)
	for _, target := range []target{
		{"OpenLDAP", "demand", func(t testing.TB, p *pki) string { return p.slapd(t, "demand") }, "", "client-other-subject client-wrong-eku revoked-client weak-client-key", "ldap"},
		{"OpenLDAP", "allow", func(t testing.TB, p *pki) string { return p.slapd(t, "allow") }, "", without(every, "ca-as-client"), "ldap"},
		{"OpenLDAP", "never", func(t testing.TB, p *pki) string { return p.slapd(t, "never") }, "server-does-not-ask", noneCase, "ldap"},
		{"Dovecot", "imap required", func(t testing.TB, p *pki) string {
			return p.dovecot(t, "imap", "ssl_verify_client_cert = yes\nssl_require_crl = no\nauth_ssl_require_client_cert = yes")
		}, "", every, "imap"},
		{"Dovecot", "pop3 not asked", func(t testing.TB, p *pki) string { return p.dovecot(t, "pop3", "") }, "server-does-not-ask", noneCase, "pop3"},
		{"MariaDB", "REQUIRE X509", func(t testing.TB, p *pki) string {
			return p.mariadb(t, "REQUIRE X509", "--ssl-crl="+p.file("client-ca-crl.pem"))
		}, "", crlWarned, "mysql"},
		{"MariaDB", "REQUIRE SSL", func(t testing.TB, p *pki) string { return p.mariadb(t, "REQUIRE SSL") }, "no-client-cert revoked-client", opensslLets, "mysql"},
		{"Prosody", "verify and fail", func(t testing.TB, p *pki) string { return p.prosody(t, `"peer", "fail_if_no_peer_cert"`) }, "", without(every, noneCase), "xmpp"},
		{"Prosody", "verify", func(t testing.TB, p *pki) string { return p.prosody(t, `"peer"`) }, "", every, "xmpp"},
	} {
		t.Run(target.program+" "+target.name, func(t *testing.T) {
			o := p.options(target.start(t, p))
			o.Target.StartTLS(starttls.Find(target.protocol), starttls.Session{Host: "localhost", User: "client"})
			want(t, probed(t, o), target.wrong, target.warned)
		})
	}
}
