package scenario

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

var stackHAProxy = &stack{
	name: "HAProxy", needs: []string{"haproxy"},
	version: func(t *testing.T) string { return firstWords(t, 3, "haproxy", "-v") },
	client:  "server ADDRESS ssl verify required ca-file CA verifyhost HOST sni str(HOST) crt CERT; option httplog",
	server:  "bind ADDRESS ssl crt CERT ca-file CA verify required; option httplog",
	lines:   `.*(lab/lab .* 50\d |in/1: ).*`,
	proxy:   true,
	crl:     true,
	racy:    true,                               // 503 and SC--, or 502 and SH--
	without: []string{"weak-client-key/client"}, // it does not load the key
	call: func(t *testing.T, e *end) (int, string) {
		port, dir := peertest.FreePort(t), t.TempDir()
		own := e.haproxyCRL()
		if e.cert != "" {
			own += " crt " + joined(t, filepath.Join(dir, "client.pem"), e.cert, e.key)
		}
		p := startHAProxy(t, dir, port, fmt.Sprintf("retries 0\nfrontend in\n  bind 127.0.0.1:%s\n  default_backend lab\nbackend lab\n  server lab 127.0.0.1:%s ssl verify required verifyhost %s sni str(%[3]s) ca-file %s ssl-min-ver TLSv%s ssl-max-ver TLSv%[5]s%s\n", port, e.port, e.host, e.trust, e.version, own))
		return askProxy(t, p, port, regexp.MustCompile(` lab/lab `))
	},
	serve: func(t *testing.T, e *end) (string, func(*regexp.Regexp) string) {
		port, dir := peertest.FreePort(t), t.TempDir()
		p := startHAProxy(t, dir, port, fmt.Sprintf("frontend in\n  bind 127.0.0.1:%s ssl crt %s ca-file %s verify required ssl-min-ver TLSv%s ssl-max-ver TLSv%[4]s%[5]s\n  http-request return status 200\n", port, joined(t, filepath.Join(dir, "server.pem"), e.cert, e.key), e.trust, e.version, e.haproxyCRL()))
		return "127.0.0.1:" + port, untilLine(p)
	},
}

// haproxyCRL returns the option for CRLs, if it is to look at them.
func (e *end) haproxyCRL() string {
	if !e.crl {
		return ""
	}
	return " crl-file " + e.trust
}

// startHAProxy starts it with the end of its configuration, and returns when it
// listens.
func startHAProxy(t *testing.T, dir, port, sections string) *peertest.Program {
	t.Helper()
	config := filepath.Join(dir, "haproxy.cfg")
	text := "global\n  log stdout format raw local0\ndefaults\n  mode http\n  log global\n  option httplog\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n  " + sections
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return listening(t, exec.Command("haproxy", "-db", "-f", config), port)
}

// listening starts a program, and returns when it listens on a port.
func listening(t *testing.T, cmd *exec.Cmd, port string) *peertest.Program {
	t.Helper()
	p := peertest.Start(t, cmd)
	if err := peertest.AwaitListener(port); err != nil {
		t.Fatalf("%v\n%s", err, &p.Output)
	}
	return p
}

// joined writes files into one, and returns its path.
func joined(t *testing.T, path string, files ...string) string {
	t.Helper()
	var all []byte
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	if err := os.WriteFile(path, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// askProxy lets a reverse proxy pass a request on, and returns the status that
// it answers and, unless that is 200, what it has printed up to a line.
func askProxy(t *testing.T, p *peertest.Program, port string, line *regexp.Regexp) (int, string) {
	t.Helper()
	response, err := http.Get("http://127.0.0.1:" + port + "/")
	if err != nil {
		t.Fatal(err, p.Output.String())
	}
	response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return response.StatusCode, ""
	}
	return response.StatusCode, untilLine(p)(line)
}
