package main

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// command runs a side of a connection; role is server or client.
func (p *peer) command(role string) *exec.Cmd {
	var cmd *exec.Cmd
	switch program, _ := cutDigits(p.Stack); program {
	case "go":
		self, err := os.Executable()
		check(err)
		cmd = exec.Command(self, "-peer", role, p.json())
	case "openssl":
		cmd = p.opensslCommand(role)
	case "gnutls":
		cmd = p.gnutlsCommand(role)
	case "nss":
		cmd = p.nssCommand(role)
	case "java":
		cmd = p.javaCommand(role)
	case "node":
		cmd = exec.Command("node", "--tls-keylog=keys", "peer.js", role)
	case "python":
		cmd = exec.Command("python3", "peer.py", role)
	case "erlang":
		cmd = exec.Command("escript", "peer.escript", role)
	case "botan", "mbedtls":
		cmd = exec.Command("/usr/local/bin/"+program+"-peer", role)
	case "curl":
		cmd = p.curlCommand()
	case "nginx":
		cmd = p.nginxCommand()
	default:
		panic(p.Stack)
	}
	cmd.Env = p.settings()
	if is(*p, "mbedtls") && p.Suite != "" {
		cmd.Env = append(cmd.Env, "SUITE="+strings.NewReplacer("TLS_", "TLS1-3-", "_", "-").Replace(p.Suite))
	}
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // to end its children as well
	if p.Root != "" {
		cmd.SysProcAttr.Chroot = p.Root
		cmd.Dir = "/work"
		cmd.Env = append(cmd.Env, "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/root")
		if !strings.HasPrefix(cmd.Path, "/usr/local") {
			cmd.Path = "/usr/bin/" + cmd.Args[0]
		}
		cmd.Err = nil
	}
	return cmd
}

// cutDigits cuts a version off a program's name.
func cutDigits(stack string) (program, version string) {
	i := strings.IndexAny(stack, "0123456789")
	if i < 0 {
		return stack, ""
	}
	return stack[:i], stack[i:]
}

func (p *peer) hasIssuer() bool { return p.party().hasIssuer() }

func (p *peer) opensslCommand(role string) *exec.Cmd {
	args := []string{"s_server", "-accept", "127.0.0.1:" + p.port(), "-WWW"}
	if role == "client" {
		args = []string{"s_client", "-connect", "127.0.0.1:" + p.port(), "-servername", p.Name, "-verify_hostname", p.Name}
		if p.Requests > 0 {
			args = append(args, "-quiet")
		}
		if p.Calls > 1 {
			file := p.port() + ".session"
			check(os.WriteFile(p.port()+".request", []byte(p.cliRequests()), 0o644))
			call := "{ cat " + p.port() + ".request; sleep 1; } | timeout 3 openssl " + strings.Join(p.opensslOptions(args), " ")
			return exec.Command("sh", "-c", call+" -sess_out "+file+"; "+call+" -sess_in "+file)
		}
	} else {
		if p.Manner == "echo" {
			args[len(args)-1] = "-rev"
		}
		switch p.Ask {
		case "on":
			args = append(args, "-Verify", "3", "-verify_return_error")
		case "optional":
			args = append(args, "-verify", "3", "-verify_return_error")
		}
		if p.NoTickets {
			args = append(args, "-num_tickets", "0")
		}
	}
	return exec.Command("openssl", p.opensslOptions(args)...)
}

func (p *peer) opensslOptions(args []string) []string {
	args = append(args, "-CAfile", "root.pem", "-keylogfile", "keys", "-tls1_3")
	if args[0] == "s_client" {
		args = append(args, "-verify_return_error")
	}
	if p.Pair != "" {
		args = append(args, "-cert", p.Pair+".pem", "-key", p.keyFile())
		if p.hasIssuer() {
			args = append(args, "-cert_chain", p.Pair+"-issuer.pem")
		}
	}
	if p.CRL {
		args = append(args, "-crl_check", "-CRL", "client-ca.crl.pem")
	}
	if p.Suite != "" {
		args = append(args, "-ciphersuites", p.Suite)
		if strings.Contains(p.Suite, "CCM_8") {
			args = append(args, "-cipher", "DEFAULT@SECLEVEL=0")
		}
	}
	if p.Group != "" {
		args = append(args, "-groups", p.Group)
	}
	if p.Padding {
		args = append(args, "-record_padding", "128")
	}
	if p.NoCompat {
		args = append(args, "-no_middlebox")
	}
	return args
}

func (p *peer) gnutlsCommand(role string) *exec.Cmd {
	priority := "NORMAL:-VERS-ALL:+VERS-TLS1.3"
	for name, add := range map[string]string{"AES_128_GCM": "AES-128-GCM", "AES_256_GCM": "AES-256-GCM", "CHACHA20": "CHACHA20-POLY1305", "CCM_8": "AES-128-CCM-8", "CCM_SHA": "AES-128-CCM"} {
		if strings.Contains(p.Suite, name) {
			priority += ":-CIPHER-ALL:+" + add
		}
	}
	if p.Group != "" {
		priority += ":-GROUP-ALL:+GROUP-SECP384R1"
	}
	if p.NoTickets {
		priority += ":%NO_TICKETS"
	}
	if p.NoCompat {
		priority += ":%DISABLE_TLS13_COMPAT_MODE"
	}
	args := []string{"-p", p.port(), "--x509cafile", "root.pem", "--priority", priority}
	if p.Pair != "" {
		args = append(args, "--x509certfile", p.chain(), "--x509keyfile", p.keyFile())
	}
	if role == "client" {
		args = append(args, "--sni-hostname", p.Name, "--verify-hostname", p.Name)
		if p.Calls > 1 {
			args = append(args, "--resume")
		}
		return exec.Command("gnutls-cli", append(args, "127.0.0.1")...)
	}
	switch p.Ask {
	case "on":
		args = append(args, "--require-client-cert", "--verify-client-cert")
	case "off":
		args = append(args, "--disable-client-cert")
	}
	if p.CRL {
		args = append(args, "--x509crlfile", "client-ca.crl.pem")
	}
	if p.Manner == "echo" {
		args = append(args, "--echo")
	} else {
		args = append(args, "--http", "--httpdata", "index.html")
	}
	return exec.Command("gnutls-serv", args...)
}

func (p *peer) nssCommand(role string) *exec.Cmd {
	args := []string{"-d", "sql:nss-" + cmp.Or(p.Pair, "none"), "-p", p.port(), "-V", "tls1.3:tls1.3"}
	if p.Suite != "" {
		args = append(args, "-c", map[string]string{"TLS_AES_128_GCM_SHA256": ":1301", "TLS_AES_256_GCM_SHA384": ":1302", "TLS_CHACHA20_POLY1305_SHA256": ":1303"}[p.Suite])
	}
	if p.Group != "" {
		args = append(args, "-I", "P384")
	}
	if role == "server" {
		args = append(args, map[bool]string{true: "-n", false: "-e"}[strings.Contains(p.Pair, "rsa")], p.Pair)
		if p.Ask == "on" {
			args = append(args, "-r", "-r")
		} else if p.Ask == "optional" {
			args = append(args, "-r")
		}
		if !p.NoTickets {
			args = append(args, "-u")
		}
		return exec.Command("selfserv", args...)
	}
	args = append(args, "-h", "127.0.0.1", "-a", p.Name, "-u", "-f")
	if p.Pair != "" {
		args = append(args, "-n", p.Pair)
	}
	if p.Calls > 1 {
		args = append(args, "-L", "2")
	}
	if p.Requests > 0 { // else it leaves at the end of stdin
		check(os.WriteFile(p.port()+".request", []byte(p.cliRequests()), 0o644))
		args = append(args, "-A", p.port()+".request")
	}
	return exec.Command("tstclnt", args...)
}

func (p *peer) javaCommand(role string) *exec.Cmd {
	java := "java"
	if p.Stack == "java25" {
		java = "/usr/lib/jvm/temurin-25-jdk-amd64/bin/java"
	}
	args := []string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"}
	if p.Group != "" {
		args = append(args, "-Djdk.tls.namedGroups="+p.Group)
	}
	if p.NoTickets {
		args = append(args, "-Djdk.tls.server.newSessionTicketCount=0", "-Djdk.tls.server.enableSessionTicketExtension=false")
	}
	if p.NoCompat {
		args = append(args, "-Djdk.tls.client.useCompatibilityMode=false")
	}
	return exec.Command(java, append(args, "-cp", ".", "Peer", role)...)
}

func (p *peer) curlCommand() *exec.Cmd {
	url := "https://" + p.Name + ":" + p.port() + "/index.html"
	args := []string{"-sS", "-m", "5", "--cacert", "root.pem", "--resolve", p.Name + ":" + p.port() + ":127.0.0.1", "--tlsv1.3", url}
	if !p.HTTP2 {
		args = append(args, "--http1.1")
	}
	for i := p.Requests; i > 1; i-- {
		args = append(args, url)
	}
	if p.Body > 0 {
		args = append(args, "--data", strings.Repeat("x", p.Body))
	}
	if p.Suite != "" {
		args = append(args, "--tls13-ciphers", p.Suite)
	}
	if p.Pair != "" {
		args = append(args, "--cert", p.chain(), "--key", p.keyFile())
	}
	return exec.Command("curl", args...)
}

// nginxCommand has settings and logs for each port: nginx takes no more than
// one file of settings.
func (p *peer) nginxCommand() *exec.Cmd {
	dir := "nginx-" + p.port()
	check(os.MkdirAll(dir+"/logs", 0o755))
	http2, crl, tickets := "", "", ""
	if p.HTTP2 {
		http2 = " http2"
	}
	if p.CRL {
		crl = "ssl_crl ../crls.pem;"
	}
	if p.NoTickets {
		tickets = "ssl_session_tickets off;"
	}
	if p.Suite != "" {
		tickets += " ssl_conf_command Ciphersuites " + p.Suite + ";"
	}
	if p.Group != "" {
		tickets += " ssl_ecdh_curve " + p.Group + ";"
	}
	check(os.WriteFile(dir+"/nginx.conf", []byte(`daemon off; master_process off; user root; pid nginx.pid; error_log logs/error.log info;
events {}
http { access_log off; client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;
 server { listen 127.0.0.1:`+p.port()+` ssl`+http2+`; ssl_protocols TLSv1.3; ssl_certificate ../`+p.chain()+`; ssl_certificate_key ../`+p.keyFile()+`;
  ssl_client_certificate ../root.pem; ssl_verify_depth 3; ssl_verify_client `+p.Ask+`; `+crl+tickets+`
  location / { return 200 "`+strings.Repeat("y", min(p.Answer, 3000))+`"; } } }
`), 0o644))
	wd, err := os.Getwd()
	check(err)
	return exec.Command("nginx", "-p", wd+"/"+dir, "-c", "nginx.conf")
}

// preparePeers builds the programs of peers, and has certificates for NSS.
func preparePeers(dir, root string) {
	dir, err := filepath.Abs(filepath.Join(dir, "peers"))
	check(err)
	run("javac", "-cp", ".", "-d", ".", filepath.Join(dir, "Peer.java"))
	for _, name := range []string{"peer.py", "peer.js", "peer.escript", "mbedtls.c", "botan.cc"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		check(err)
		check(os.WriteFile(name, text, 0o644))
	}
	writeSealedPKI(".")
	run("chroot", root, "sh", "-c", "cd /work && gcc -O1 -o /usr/local/bin/mbedtls-peer mbedtls.c -lmbedtls -lmbedx509 -lmbedcrypto && g++ -std=c++20 -I/usr/include/botan-3 -o /usr/local/bin/botan-peer botan.cc -lbotan-3")
	pairs, err := filepath.Glob("*-key.pem")
	check(err)
	for _, key := range append(pairs, "none-key.pem") { // each has a folder: NSS has one name for all certificates of a subject
		name := strings.TrimSuffix(key, "-key.pem")
		if strings.HasSuffix(name, "mixed") || strings.HasSuffix(name, "look-alike") || strings.Contains(name, "large") {
			continue
		}
		check(os.MkdirAll("nss-"+name, 0o755))
		run("certutil", "-N", "-d", "sql:nss-"+name, "--empty-password")
		run("certutil", "-A", "-d", "sql:nss-"+name, "-n", "root", "-t", "CT,,", "-i", "root.pem")
		if name != "none" {
			run("openssl", "pkcs12", "-export", "-in", name+".pem", "-inkey", key, "-name", name, "-passout", "pass:", "-out", name+".p12")
			run("pk12util", "-i", name+".p12", "-d", "sql:nss-"+name, "-W", "")
		}
	}
}
