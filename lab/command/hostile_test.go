package command_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"mtlslab.example/lab/lab/command"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/text"
)

// evil is what somebody else may call something: escape sequences (in C0 and
// C1), lines like the lab's own, characters that turn a line round, have no
// width or are tags, a heap of marks, and bytes that are not UTF-8.
var evil = "x\x1b]0;owned\x07\x1b[2J\x7f\u009b31m\u0085\nlab: error: FORGED\r\n   9  accepted  CN=FORGED\n" +
	"\u202e\u2066\u200f\u200b\U000e0041\u2028z" + strings.Repeat("\u0301", 300) + "\xff"

// evilText is as evil as a text in UTF-8 can be.
var evilText = strings.ToValidUTF8(evil, "")

// harmless looks for what must not reach a terminal.
func harmless(t *testing.T, what, out string) {
	t.Helper()
	marks := 0
	for i, r := range out {
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		if text.Hidden(r) && r != '\n' || marks > 4 || r == utf8.RuneError && out[i] == 0xff {
			t.Errorf("%s prints %U:\n%q", what, r, out)
			return
		}
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "lab: error: FORGED") || strings.HasPrefix(line, "   9  accepted  CN=FORGED") {
			t.Errorf("%s prints a line that is not its own:\n%s", what, out)
		}
		if strings.HasPrefix(line, "{") && !json.Valid([]byte(line)) {
			t.Errorf("%s prints what is no JSON: %q", what, line)
		}
	}
}

// stage runs lab among hostile things, and looks at all that it prints.
type stage struct {
	*testing.T
	manifest []byte
}

func newStage(t *testing.T) stage {
	t.Helper()
	t.Setenv("LAB_ADDR", "127.0.0.1:"+peertest.FreePort(t))
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	manifest, err := os.ReadFile(defaultManifest(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	return stage{t, manifest}
}

func (s stage) lab(ctx context.Context, args ...string) string {
	s.Helper()
	var all string
	for _, columns := range []int{0, 60} {
		var out, talk bytes.Buffer
		program := command.Program{Manifest: s.manifest, Stdout: &out, Stderr: &talk, Columns: columns}
		program.Run(ctx, append([]string{"lab"}, args...))
		harmless(s.T, fmt.Sprintf("lab %q", args), out.String())
		harmless(s.T, fmt.Sprintf("lab %q", args), talk.String())
		all = out.String() + talk.String()
		if ctx.Err() != nil || slices.Contains(args, "server") || slices.Contains(args, "client") {
			break
		}
	}
	return all
}

// What is typed, or stands in the environment.
func TestHostileArguments(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	s.lab(ctx, "certs", "generate")
	s.lab(ctx, evil)
	s.lab(ctx, "certs", evil)
	s.lab(ctx, "--"+evil)
	for _, args := range [][]string{
		{"up", "--count", "1"}, {"server", "--count", "1"}, {"client"}, {"browser"}, {"exec"}, {"explain"}, {"certs", "generate"}, {"certs", "regenerate"}, {"certs", "list"},
		{"certs", "show"}, {"certs", "verify"}, {"certs", "export"}, {"scenario", "list"}, {"scenario", "show"}, {"scenario", "run"}, {"completion"},
	} {
		ended, end := context.WithCancel(ctx)
		if args[0] == "server" {
			end()
		}
		s.lab(ended, append(args, evil)...)
		s.lab(ended, append(args, "--"+evil)...)
		s.lab(ended, append(args, evil, "--json", "--ascii")...)
		end()
	}
	for _, flag := range []string{"dir", "tls", "http", "count", "scenario", "crl", "keylog", "capture", "capture-limit", "snaplen", "interval", "addr", "url", "server-name", "ca", "cert"} {
		s.lab(ctx, "client", "--"+flag, evil)
	}
	for _, flag := range []string{"client-ca", "cert", "addr"} {
		ended, end := context.WithCancel(ctx)
		end()
		s.lab(ended, "server", "--"+flag, evil)
	}
	for _, flag := range []string{"format", "out", "password-file", "ca", "dir"} {
		s.lab(ctx, "certs", "export", "client", "--format", "p12", "--"+flag, evil)
	}
	for _, flag := range []string{"tap", "keylog", "capture", "dir"} {
		s.lab(ctx, "exec", "--"+flag, evil, "--", evil)
	}
	for _, flag := range []string{"keylog", "rsa-key", "stream", "dir"} {
		s.lab(ctx, "explain", "certs.yaml", "--"+flag, evil)
	}
	for _, flag := range []string{"cert", "key", "ca"} { // files, too
		s.lab(ctx, "client", "--"+flag, "./"+evil+".pem")
		s.lab(ctx, "client", "--cert", "certs/client.pem", "--"+flag, "./"+evil+".pem", "--brief")
	}
	s.lab(ctx, "help", evil)
	s.lab(ctx, "client", "--url", "https://localhost/"+evil)
	s.lab(ctx, "client", "--url", "https://"+evil+"/")
	t.Setenv("SSLKEYLOGFILE", evilText)
	t.Setenv("LAB_DIR", evilText)
	s.lab(ctx, "up", "--count", "1")
}

// Files and folders may have any name that a file system takes.
func TestHostileFileNames(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("the file system takes no such names")
	}
	s := newStage(t)
	ctx := t.Context()
	dir := strings.ReplaceAll(evil[:120], "/", "")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"up", "--count", "1"}, {"certs", "generate"}, {"certs", "list"}, {"certs", "show", "client"}, {"certs", "verify"}, {"certs", "export", "client", "--format", "env"},
		{"certs", "export", "client", "--format", "p12"}, {"scenario", "run", "no-client-cert"}, {"up", "--count", "1", "--scenario", "no-client-cert"}, {"client"},
		{"explain", filepath.Join(dir, "lab.pcapng")}, {"explain", filepath.Join(dir, "no.pcapng")}, {"explain", filepath.Join(dir, "certs.yaml")},
		{"exec", "--capture", filepath.Join(dir, "exec.pcapng"), "--", filepath.Join(dir, "no program")},
	} {
		s.lab(ctx, append(args, "--dir", dir)...)
	}
	env := s.lab(ctx, "certs", "export", "client", "--format", "env", "--dir", dir)
	got, err := exec.Command("sh", "-c", env+`[ -f "$LAB_CERT" ] && [ -f "$LAB_KEY" ] && [ -f "$LAB_CA" ] && echo found`).Output()
	if err != nil || string(got) != "found\n" {
		t.Errorf("%q, %v\n%s", got, err, env)
	}
}

// A manifest may come from somebody else.
func TestHostileManifests(t *testing.T) {
	s := newStage(t)
	quoted := yamlQuoted(evilText)
	for _, manifest := range []string{
		"subject: CN=a\n%s: x\n", "subject: %s\n", "subject: %s\nfilename: a\n", "subject: CN=a\nissuer: %s\n", "subject: CN=a\nfilename: %s\n",
		"subject: CN=a\nsans: [%s]\n", "subject: CN=a\nkey_type: %s\n", "subject: CN=a\nkey_size: %s\n", "subject: CN=a\nexpires: %s\n", "subject: CN=a\nnot_before: %s\n",
		"subject: CN=a\nkey_usages: [%s]\n", "subject: CN=a\next_key_usages: [%s]\n", "subject: CN=a\nca: %s\n", "subject: CN=a\nserial: %s\n", "subject: CN=a\nocsp: [%s]\n",
		"subject: CN=a\ncrl_distribution_points: [%s]\n", "%s\n", "[%s]\n", "subject: {%s: a}\n", "subject: &a [*%s]\n",
	} {
		s.withManifest(fmt.Sprintf(manifest, quoted))
		s.withManifest(fmt.Sprintf(manifest, evilText))
	}
	for _, kind := range []string{"DNS:", "URI:https://x/", "email:a@", "IP:", "other:"} {
		s.withManifest("subject: CN=a\nsans: [" + yamlQuoted(kind+evilText) + "]\n")
	}
	s.withManifest("subject: " + yamlQuoted("CN=a"+evilText) + "\nfilename: a\n---\nsubject: " + yamlQuoted("CN=b"+evilText) + "\nfilename: b\nissuer: " + yamlQuoted("CN=a"+evilText) + "\n")
	s.withManifest("subject: CN=" + strings.Repeat("a", 40_000) + "\nfilename: a\n")
}

// withManifest runs all that looks at a manifest.
func (s stage) withManifest(manifest string) {
	s.Helper()
	if err := os.RemoveAll("certs"); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile("certs.yaml", []byte(manifest), 0o644); err != nil {
		s.Fatal(err)
	}
	for _, args := range []string{"certs generate --dry-run", "certs generate", "certs list", "certs list --json", "certs show a", "certs show a --json", "certs verify", "certs regenerate --ascii", "certs export a --format p12"} {
		out := s.lab(s.Context(), strings.Fields(args)...)
		for line := range strings.Lines(out) {
			if len(line) > 2000 && !strings.HasPrefix(line, "{") {
				s.Errorf("lab %s prints a line of %d bytes", args, len(line))
			}
		}
	}
}

func yamlQuoted(s string) string {
	encoded, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

// So may a scenario.
func TestHostileScenarios(t *testing.T) {
	s := newStage(t)
	for _, document := range []string{
		"name: mine\ntitle: %s\nreason: %[1]s\nfix: %[1]s\nteaches: %[1]s\nopenssl: %[1]s\nrfc: %[1]s\nclient: {certificate: client, server_name: localhost}\nexpect: {TLS 1.3: {status: 404}}\n",
		"name: %s\nexpect: {TLS 1.3: {status: 200}}\n", "name: mine\n%s: a\n", "name: mine\ntopic: %s\nside: %[1]s\nexpect: {TLS 1.3: {alert: %[1]s}}\n",
		"name: mine\nclient: {url: %s}\nexpect: {TLS 1.3: {status: 200}}\n", "name: mine\nclient: {server_name: %s}\nexpect: {TLS 1.3: {status: 200}}\n",
		"name: mine\nserver: {alpn: [%s]}\nclient: {alpn: [%[1]s]}\nexpect: {TLS 1.3: {status: 200}}\n", "name: mine\nserver: {certificate: %s}\nexpect: {TLS 1.3: {status: 200}}\n",
		"name: mine\nclient: {header: {x: %s}}\nexpect: {TLS 1.3: {status: 200}}\n",
	} {
		for _, value := range []string{yamlQuoted(evilText), evilText} {
			if err := os.WriteFile("mine.yaml", fmt.Appendf(nil, document, value), 0o644); err != nil {
				t.Fatal(err)
			}
			for _, args := range []string{"scenario show ./mine.yaml", "scenario run ./mine.yaml", "scenario run ./mine.yaml --json", "up --count 1 --scenario ./mine.yaml"} {
				s.lab(t.Context(), strings.Fields(args)...)
			}
		}
	}
}

// signed is a certificate with that name and those host names, of a CA of the
// folder.
func signed(t *testing.T, ca, name string, hosts []string, usage x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	issuer, err := tls.LoadX509KeyPair(filepath.Join("certs", ca+".pem"), filepath.Join("certs", ca+"-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage}}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.Leaf, &key.PublicKey, issuer.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Clients of a server tell it who they are and what they want.
func TestHostileClients(t *testing.T) {
	s := newStage(t)
	s.lab(t.Context(), "certs", "generate")
	addr := os.Getenv("LAB_ADDR")
	_, port, _ := net.SplitHostPort(addr)
	good, bad := signed(t, "client-ca", evilText, nil, x509.ExtKeyUsageClientAuth), signed(t, "server-ca", evilText, nil, x509.ExtKeyUsageClientAuth)
	long := signed(t, "client-ca", strings.Repeat("long name ", 4000), nil, x509.ExtKeyUsageClientAuth)
	for i, flags := range []string{"", "--verbose", "--json --verbose", "--ascii"} {
		var out string
		served := make(chan struct{})
		capture := strconv.Itoa(i) + ".pcapng"
		go func() {
			defer close(served)
			out = s.lab(t.Context(), append(strings.Fields(flags), "server", "--count", "7", "--capture", capture)...)
		}()
		if err := peertest.AwaitListener(port); err != nil {
			t.Fatal(err)
		}
		for _, config := range []*tls.Config{
			{Certificates: []tls.Certificate{good}}, {Certificates: []tls.Certificate{bad}}, {Certificates: []tls.Certificate{long}},
			{Certificates: []tls.Certificate{good}, ServerName: evil[:60]}, {Certificates: []tls.Certificate{good}, NextProtos: []string{evil[:100], "http/1.1"}},
			{},
		} {
			config.InsecureSkipVerify = true
			if conn, err := tls.Dial("tcp", addr, config); err == nil {
				fmt.Fprintf(conn, "GET /%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %[2]s\r\nX: %[2]s\r\n\r\n", strings.Map(oneWord, evil), strings.Map(oneLine, evil))
				_, _ = io.Copy(io.Discard, conn)
				conn.Close()
			}
		}
		if conn, err := net.Dial("tcp", addr); err == nil {
			fmt.Fprint(conn, "GET /", evil)
			conn.Close()
		}
		<-served
		if strings.Contains(flags, "json") != strings.HasPrefix(out, "{") || !strings.Contains(out, "accepted") || !strings.Contains(out, "rejected") {
			t.Errorf("%s: %s", flags, out)
		}
		for _, how := range []string{"", "--list", "--verbose", "--ascii", "--json"} {
			s.lab(t.Context(), append(strings.Fields(how), "explain", capture)...)
			s.lab(t.Context(), append(strings.Fields(how), "explain", capture, capture)...)
		}
		recorded, err := os.ReadFile(capture)
		if err != nil || bytes.Contains(recorded, []byte("CN=x\x1b]0;owned")) {
			t.Errorf("a comment of the capture is as it was sent, %v", err)
		}
	}
}

// oneWord and oneLine leave out what HTTP has between words and lines.
func oneWord(r rune) rune {
	if r == ' ' {
		return -1
	}
	return oneLine(r)
}

func oneLine(r rune) rune {
	if r == '\n' || r == '\r' {
		return -1
	}
	return r
}

// Servers tell a client who they are, and what they answer.
func TestHostileServers(t *testing.T) {
	s := newStage(t)
	s.lab(t.Context(), "certs", "generate")
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/header" {
			w.Header()["Content-Type"] = []string{"text/" + strings.Map(oneLine, evil)}
		}
		_, _ = io.WriteString(w, evil+"\nlab: error: FORGED\n   9  accepted  CN=FORGED\r\n\t"+strings.Repeat("x", 56)+"lab: error: FORGED\n")
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{signed(t, "server-ca", evilText, []string{"localhost", "\x1b[31m.example"}, x509.ExtKeyUsageServerAuth)}, NextProtos: []string{"http/1.1"}}
	server.StartTLS()
	defer server.Close()
	url := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	for i, flags := range []string{"", "--verbose", "--json --verbose", "--ascii", "--server-name other.example", "--ca client-ca", "--tls 1.2", "header"} {
		capture, path := strconv.Itoa(i)+".pcapng", "/"
		if flags == "header" {
			flags, path = "", "/header"
		}
		out := s.lab(t.Context(), append(strings.Fields(flags), "client", "--url", url+path, "--capture", capture)...)
		if i == 0 && !strings.Contains(out, "\n> lab: error: FORGED\n") {
			t.Errorf("the body is not set apart:\n%s", out)
		}
		for _, how := range []string{"", "--list", "--verbose", "--ascii", "--json"} {
			s.lab(t.Context(), append(strings.Fields(how), "explain", capture)...)
			s.lab(t.Context(), append(strings.Fields(how), "explain", capture, capture)...)
		}
	}
}
