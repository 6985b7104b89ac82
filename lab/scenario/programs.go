package scenario

import (
	"bufio"
	"context"
	"io"
	"net"
	"os/exec"
	"strings"
	"time"
)

// programTimeout bounds how long a program may take to load files.
const programTimeout = 20 * time.Second

// program is one that loads files, and prints what is wrong with them.
type program struct {
	command func(l Load, addr string) []string // nil: it cannot load such files
	loads   func(output string, err error) bool
}

const (
	pythonLoads = "import ssl,sys; ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(sys.argv[1],sys.argv[2])"
	nodeLoads   = "const f=require('fs').readFileSync,a=process.argv;const o=a[3]===undefined?{pfx:f(a[1]),passphrase:a[2]}:{cert:f(a[1]),key:f(a[2])};" +
		"try{require('tls').createSecureContext(o)}catch(e){console.log(String(e));process.exit(1)}"
)

// programs are those that Load.Prints can have besides Go.
var programs = map[string]program{
	"OpenSSL": {func(l Load, addr string) []string {
		if l.isPKCS12() {
			return []string{"openssl", "pkcs12", "-in", l.Certificate, "-passin", "pass:" + l.Password, "-nokeys"}
		}
		return []string{"openssl", "s_client", "-connect", addr, "-cert", l.Certificate, "-key", l.Key}
	}, func(output string, err error) bool { return err == nil || strings.Contains(output, "CONNECTED(") }},
	"curl": {func(l Load, addr string) []string {
		args := []string{"curl", "-sS", "--noproxy", "*", "--cert", l.Certificate, "--key", l.Key}
		if l.isPKCS12() {
			args = []string{"curl", "-sS", "--noproxy", "*", "--cert-type", "P12", "--cert", l.Certificate + ":" + l.Password}
		}
		return append(args, "https://"+addr+"/")
	}, func(output string, _ error) bool { return !strings.Contains(output, "curl: (58)") }},
	"Python": {func(l Load, _ string) []string {
		if l.isPKCS12() {
			return nil
		}
		return []string{"python3", "-c", pythonLoads, l.Certificate, l.Key}
	}, succeeds},
	"Node": {func(l Load, _ string) []string {
		if l.isPKCS12() {
			return []string{"node", "-e", nodeLoads, l.Certificate, l.Password}
		}
		return []string{"node", "-e", nodeLoads, l.Certificate, l.Key, "pem"}
	}, succeeds},
	"Java": {func(l Load, _ string) []string {
		if !l.isPKCS12() {
			return nil
		}
		return []string{"keytool", "-list", "-keystore", l.Certificate, "-storepass", l.Password}
	}, succeeds},
	"PostgreSQL": {func(l Load, addr string) []string {
		host, port, _ := net.SplitHostPort(addr)
		return []string{"psql", "host=" + host + " port=" + port + " dbname=lab user=lab sslmode=require sslcert=" + l.Certificate + " sslkey=" + l.Key}
	}, func(output string, _ error) bool {
		return !strings.Contains(output, "private key file") && !strings.Contains(output, "certificate file")
	}},
}

func succeeds(_ string, err error) bool { return err == nil }

func (l Load) isPKCS12() bool {
	return l.Certificate == l.Key && strings.HasSuffix(l.Certificate, ".p12")
}

// runPrograms runs the programs of a load that are installed, in dir, and adds
// to says the line of each that is expected, or else its last one.
func runPrograms(ctx context.Context, dir string, l Load, says map[string]string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	go hangUpOnAll(listener)
	for name, want := range l.Prints {
		p, ok := programs[name]
		if !ok || p.command(l, listener.Addr().String()) == nil {
			continue
		}
		args := p.command(l, listener.Addr().String())
		path, err := exec.LookPath(args[0])
		if err != nil {
			continue // not installed
		}
		running, cancel := context.WithTimeout(ctx, programTimeout)
		cmd := exec.CommandContext(running, path, args[1:]...)
		cmd.Dir = dir
		withoutTerminal(cmd)
		output, err := cmd.CombinedOutput()
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		says[name] = Loads
		if !p.loads(string(output), err) {
			says[name] = lineWith(string(output), want)
		}
	}
	return nil
}

// lineWith returns the line of an output that has a text in it, or the last.
func lineWith(output, text string) (last string) {
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); strings.Contains(line, text) {
			return line
		} else if line != "" {
			last = line
		}
	}
	return last
}

// hangUpOnAll closes what connects to l: many programs load their files only
// once they are connected. To libpq it says first that it speaks TLS.
func hangUpOnAll(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(programTimeout))
			r := bufio.NewReader(conn)
			if start, err := r.Peek(8); err == nil && string(start) == "\x00\x00\x00\x08\x04\xd2\x16\x2f" { // SSLRequest
				_, _ = r.Discard(8)
				_, _ = io.WriteString(conn, "S")
				_, _ = r.Peek(1)
			}
		}()
	}
}
