package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// serverCommand runs the server. It listens on 127.0.0.1:443.
func (c *connection) serverCommand(peers string) *exec.Cmd {
	s := &c.server
	switch s.program {
	case "nginx":
		s.configureNginx()
		dir, err := os.Getwd()
		check(err)
		return exec.Command("nginx", "-p", dir, "-c", "nginx.conf")
	case "openssl":
		args := []string{"s_server", "-accept", "127.0.0.1:443", "-cert", s.pair + ".pem", "-key", s.keyFile(), "-CAfile", "root.pem",
			"-Verify", "3", "-verify_return_error", "-keylogfile", "keys", "-WWW", "-naccept", "1"}
		if s.hasIssuer() {
			args = append(args, "-cert_chain", s.pair+"-issuer.pem")
		}
		if s.crl {
			args = append(args, "-crl_check", "-CRL", "client-ca.crl.pem")
		}
		if s.padding {
			args = append(args, "-record_padding", "128")
		}
		return exec.Command("openssl", append(args, opensslLimits(s)...)...)
	case "gnutls":
		args := []string{"--http", "--httpdata", "index.html", "-p", "443", "--x509cafile", "root.pem", "--x509certfile", s.chainFile(), "--x509keyfile", s.keyFile(),
			"--require-client-cert", "--verify-client-cert", "--priority", gnutlsPriority(s)}
		if s.crl {
			args = append(args, "--x509crlfile", "client-ca.crl.pem")
		}
		return exec.Command("gnutls-serv", args...)
	case "java":
		return s.withEnv(exec.Command("java", "-cp", ".", "Server"))
	case "node":
		return s.withEnv(exec.Command("node", filepath.Join(peers, "server.js")))
	}
	panic(s.program)
}

// clientCommand runs the client, which writes its keys to the file keys.
func (c *connection) clientCommand(peers string) *exec.Cmd {
	p := &c.client
	switch p.program {
	case "curl":
		return p.curl()
	case "openssl":
		args := []string{"s_client", "-connect", "127.0.0.1:443", "-servername", p.name, "-verify_hostname", p.name, "-CAfile", "root.pem",
			"-verify_return_error", "-keylogfile", "keys", "-quiet"}
		if p.pair != "" {
			args = append(args, "-cert", p.pair+".pem", "-key", p.keyFile())
		}
		if p.hasIssuer() {
			args = append(args, "-cert_chain", p.pair+"-issuer.pem")
		}
		return exec.Command("openssl", append(args, opensslLimits(p)...)...)
	case "gnutls":
		args := []string{"-p", "443", "--x509cafile", "root.pem", "--sni-hostname", p.name, "--verify-hostname", p.name, "--priority", gnutlsPriority(p)}
		if p.pair != "" {
			args = append(args, "--x509certfile", p.chainFile(), "--x509keyfile", p.keyFile())
		}
		return p.withEnv(exec.Command("gnutls-cli", append(args, "127.0.0.1")...))
	case "java":
		return p.withEnv(exec.Command("java", "-cp", ".", "Client"))
	case "python":
		return p.withEnv(exec.Command("python3", filepath.Join(peers, "client.py")))
	}
	panic(p.program)
}

func (p *party) curl() *exec.Cmd {
	if p.plain {
		return exec.Command("curl", "-sS", "-m", "3", "http://127.0.0.1:443/")
	}
	args := []string{"-sS", "-m", "3", "--cacert", "root.pem", "--resolve", p.name + ":443:127.0.0.1", "--tlsv" + p.versions, "--tls-max", p.versions}
	if !p.http2 {
		args = append(args, "--http1.1")
	}
	if p.pair != "" {
		args = append(args, "--cert", p.chainFile(), "--key", p.keyFile())
	}
	if p.suite != "" {
		args = append(args, map[string]string{"1.2": "--ciphers", "1.3": "--tls13-ciphers"}[p.versions], opensslSuite(p.suite))
	}
	return p.withEnv(exec.Command("curl", append(args, "https://"+p.name+"/")...))
}

// withEnv passes the settings in the environment.
func (p *party) withEnv(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(os.Environ(), "SSLKEYLOGFILE=keys", "CHAIN="+p.chainFile(), "KEY="+p.keyFile(), "CA=root.pem",
		"VERSIONS="+p.versions, "SUITE="+p.suite, "NAME="+p.name, "STATUS="+p.status, "ASK="+p.ask)
	if p.crl {
		cmd.Env = append(cmd.Env, "CRL=client-ca.crl.pem")
	}
	if p.plain {
		cmd.Env = append(cmd.Env, "PLAIN=1")
	}
	if p.silent {
		cmd.Env = append(cmd.Env, "SILENT=1")
	}
	return cmd
}

// opensslSuite is OpenSSL's name of a cipher suite: in TLS 1.3 it is IANA's.
func opensslSuite(iana string) string {
	if !strings.Contains(iana, "_WITH_") {
		return iana
	}
	return strings.NewReplacer("TLS_ECDHE_", "ECDHE-", "_WITH_AES_", "-AES", "_GCM_", "-GCM-").Replace(iana)
}

// hasIssuer reports whether the party has the certificate above its own too.
func (p *party) hasIssuer() bool {
	_, err := os.Stat(p.pair + "-issuer.pem")
	return err == nil
}

func opensslLimits(p *party) []string {
	args := []string{}
	if v := p.versions; v == "1.2" || v == "1.3" {
		args = append(args, "-tls"+strings.ReplaceAll(v, ".", "_"))
	}
	if p.group != "" {
		args = append(args, "-groups", p.group)
	}
	if p.alpn != "" {
		args = append(args, "-alpn", p.alpn)
	}
	switch {
	case strings.Contains(p.suite, "_WITH_"):
		args = append(args, "-cipher", opensslSuite(p.suite))
	case p.suite != "":
		args = append(args, "-ciphersuites", p.suite)
	}
	return args
}

func gnutlsPriority(p *party) string {
	priority := "NORMAL:-VERS-ALL"
	for _, v := range strings.Fields(p.versions) {
		priority += ":+VERS-TLS" + v
	}
	switch {
	case strings.Contains(p.suite, "256_GCM"):
		priority += ":-CIPHER-ALL:+AES-256-GCM"
	case p.suite != "":
		priority += ":-CIPHER-ALL:+AES-128-GCM"
	}
	return priority
}

func (p *party) configureNginx() {
	settings := ""
	set := func(format string, args ...any) { settings += fmt.Sprintf("  "+format+";\n", args...) }
	listen := "127.0.0.1:443"
	if !p.plain {
		listen += " ssl"
		versions := ""
		for _, v := range strings.Fields(p.versions) {
			versions += " TLSv" + v
		}
		set("ssl_certificate %s", p.chainFile())
		set("ssl_certificate_key %s", p.keyFile())
		set("ssl_protocols%s", versions)
		set("ssl_client_certificate root.pem")
		set("ssl_verify_depth 3")
		switch {
		case p.password:
			set(`add_header WWW-Authenticate 'Basic realm="files"' always`)
		case p.ask == "optional" || p.ask == "off":
			settings += "  if ($ssl_client_verify != SUCCESS) { return 403; }\n"
		}
		set("ssl_verify_client %s", p.ask)
		set("client_header_timeout 1s")
	}
	if p.http2 {
		listen += " http2"
	}
	set("listen %s", listen)
	if p.crl {
		set("ssl_crl crls.pem")
	}
	switch {
	case strings.Contains(p.suite, "_WITH_"):
		set("ssl_ciphers %s", opensslSuite(p.suite))
	case p.suite != "":
		set("ssl_conf_command Ciphersuites %s", p.suite)
	}
	if p.group != "" {
		set("ssl_ecdh_curve %s", p.group)
	}
	others := ""
	if p.strict {
		set("server_name %s", serverName)
		others = "server { listen 127.0.0.1:443 ssl default_server; ssl_protocols TLSv1.2 TLSv1.3; ssl_reject_handshake on; }"
	}
	temporary := ""
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary += what + "_temp_path temp; "
	}
	check(os.WriteFile("nginx.conf", fmt.Appendf(nil, `daemon off; master_process off; user root; pid nginx.pid; error_log error.log info;
events {}
http { access_log off; %s %s
 server {
%s  location / { return %s "hello\n"; } } }
`, temporary, others, settings, p.status), 0o600))
}
