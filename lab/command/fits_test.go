package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/command"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/text"
)

// rareStates is a PKI in which much is not as usual.
const rareStates = `subject: CN=a-certificate-authority-with-a-long-name
---
subject: CN=an-intermediate-with-a-long-name
issuer: CN=a-certificate-authority-with-a-long-name
ca: true
---
subject: CN=revoked-client-of-some-department
issuer: CN=an-intermediate-with-a-long-name
revoked: true
---
subject: CN=changed
issuer: CN=an-intermediate-with-a-long-name
sans: [DNS:localhost, DNS:quite.a.long.name.of.a.host.example.com, IP:127.0.0.1]
---
subject: CN=expired
issuer: CN=an-intermediate-with-a-long-name
not_before: 2020-01-01T00:00:00Z
not_after: 2021-01-01T00:00:00Z
---
subject: CN=not-yet
issuer: CN=an-intermediate-with-a-long-name
not_before: 2040-01-01T00:00:00Z
not_after: 2041-01-01T00:00:00Z
---
subject: CN=mixed-up
issuer: CN=an-intermediate-with-a-long-name
---
subject: CN=other-key
issuer: CN=an-intermediate-with-a-long-name
---
subject: CN=missing
issuer: CN=an-intermediate-with-a-long-name
`

// printer runs lab in a folder, and checks the width of all that it prints.
type printer struct {
	*testing.T
	manifest []byte
	columns  int // of the terminal; 0: there is none
}

// atWidths runs a test on terminals of several widths, and without one.
func atWidths(t *testing.T, test func(printer)) {
	widths := []int{0, 60}
	if peertest.Full() {
		widths = append(widths, 73, 120)
	}
	for _, columns := range widths {
		t.Run(fmt.Sprint(columns), func(t *testing.T) { test(newPrinter(t, columns)) })
	}
}

func newPrinter(t *testing.T, columns int) printer {
	t.Helper()
	t.Setenv("LAB_ADDR", "127.0.0.1:"+peertest.FreePort(t))
	manifest, err := os.ReadFile(defaultManifest(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	return printer{t, manifest, columns}
}

// lab runs a command to its end, or to that of ctx, and returns what it prints.
func (p printer) lab(ctx context.Context, args string) string {
	p.Helper()
	var out bytes.Buffer
	program := command.Program{Manifest: p.manifest, Stdout: &out, Stderr: &out, Columns: p.columns}
	program.Run(ctx, append([]string{"lab"}, strings.Fields(args)...))
	for line := range strings.Lines(out.String()) {
		if p.tooWide(strings.TrimRight(line, "\n")) {
			p.Errorf("lab %s prints a line of %d columns:\n%s", args, text.Width(line)-1, line)
		}
	}
	return out.String()
}

// tooWide reports whether a terminal would break a line. A command to copy
// stays whole, and so does, where there is no terminal, an error and a long
// name or path at the end of a line.
func (p printer) tooWide(line string) bool {
	if strings.HasPrefix(line, "  wireshark ") || strings.HasPrefix(line, "  lab ") || strings.HasPrefix(line, "  curl ") {
		return false
	}
	if p.columns > 0 {
		return text.Width(line) > p.columns
	}
	const long = 24
	last := line[strings.LastIndex(line, " ")+1:]
	return !strings.HasPrefix(line, "lab: error: ") && text.Width(line) > 80 && text.Width(last) <= long
}

func TestCertificatesFit(t *testing.T) { atWidths(t, certificatesFit) }

func certificatesFit(p printer) {
	t, ctx := p.T, p.Context()
	p.lab(ctx, "certs list") // of nothing but the default manifest
	if err := os.WriteFile("certs.yaml", []byte(rareStates), 0o644); err != nil {
		t.Fatal(err)
	}
	p.lab(ctx, "certs generate --dry-run")
	p.lab(ctx, "certs generate")
	p.lab(ctx, "certs list")
	p.lab(ctx, "certs verify")

	certs := func(name string) string { return filepath.Join("certs", name) }
	move := func(from, to string) error {
		data, err := os.ReadFile(certs(from))
		return errors.Join(err, os.WriteFile(certs(to), data, 0o600))
	}
	changed := []byte(strings.Replace(rareStates, "DNS:localhost", "DNS:other", 1))
	if err := errors.Join(move("expired.pem", "mixed-up.pem"), move("expired-key.pem", "other-key-key.pem"),
		os.Remove(certs("missing.pem")), os.WriteFile("certs.yaml", changed, 0o644)); err != nil {
		t.Fatal(err)
	}
	list := p.lab(ctx, "certs list")
	for _, state := range []string{"revoked", "expired", "not valid yet", "changed: sans", "key and", "missing"} {
		if p.columns == 0 && !strings.Contains(list, state) {
			t.Errorf("nothing is %s:\n%s", state, list)
		}
	}
	for _, name := range []string{"changed", "expired", "not-yet", "mixed-up", "other-key", "missing", "revoked-client-of-some-department"} {
		p.lab(ctx, "certs show "+name)
	}
	p.lab(ctx, "certs verify")
	p.lab(ctx, "certs generate --dry-run")
	p.lab(ctx, "certs regenerate an-intermediate-with-a-long-name")
	p.lab(ctx, "certs export changed --format p12 --out changed.p12")
	p.lab(ctx, "up --count 1")
}

func TestTalkFits(t *testing.T) { atWidths(t, talkFits) }

func talkFits(p printer) {
	p.Setenv("XDG_CACHE_HOME", p.TempDir())
	ctx := p.Context()
	p.lab(ctx, "client")
	p.lab(ctx, "client --url https://nobody.invalid/")
	p.lab(ctx, "client --cert nobody")
	p.lab(ctx, "client --ca client")
	p.lab(ctx, "clinet")
	p.lab(ctx, "up --count 1 --tls 1.2 --http 2")
	p.lab(ctx, "up --count 1 --verbose")
	p.lab(ctx, "up --count 1 --keylog certs/server.pem")
	p.lab(ctx, "explain lab.pcapng")
	p.lab(ctx, "explain lab.pcapng --list")
	p.lab(ctx, "explain lab.1.pcapng --verbose")
	p.lab(ctx, "explain lab.pcapng lab.pcapng")
	p.lab(ctx, "explain lab.pcapng lab.1.pcapng --list")
	p.lab(ctx, "explain lab.1.pcapng lab.pcapng --brief")
	p.lab(ctx, "explain lab.pcapng --rsa-key certs/client-key.pem")
	p.lab(ctx, "explain certs.yaml")
	p.lab(ctx, "exec -- nosuchprogram")
	p.lab(ctx, "exec -- "+os.Args[0]+" -test.run=^$")
	p.lab(ctx, "exec --capture none.pcapng -- "+os.Args[0]+" -test.run=^$")
	p.lab(ctx, "scenario list nosuchword")
	p.lab(ctx, "scenario run nosuchscenario")
	p.lab(ctx, "check")
	p.lab(ctx, "check certs")
	p.lab(ctx, "check certs/client.pem certs/server-key.pem")
	p.lab(ctx, "check --server server --client client")
	p.lab(ctx, "check --server server --client server")
	p.lab(ctx, "probe 127.0.0.1:1")
	p.lab(ctx, "probe nosuch")
	p.lab(ctx, "probe client --only expired-server,wrong-host -- "+os.Args[0]+" -test.run=^$ {url}")
	p.lab(ctx, "scenario export expired-client --pki exported")
	p.lab(ctx, "scenario export expired-client --pki exported") // which is not empty
	p.lab(ctx, "explain lab.pcapng --html page.html")
	p.lab(ctx, "explain lab.pcapng --html page.html")
	p.lab(ctx, "exec --explain=certs.yaml -- "+os.Args[0])
	ended, end := context.WithCancel(ctx)
	end()
	p.lab(ended, "server --web 127.0.0.1:0")
	p.lab(ended, "server")
	p.lab(ended, "server --count 6 --addr 0.0.0.0:"+peertest.FreePort(p))
}

// It takes half a minute for each width: the narrow one finds more.
func TestScenariosFit(t *testing.T) {
	widths := []int{60}
	if peertest.Full() {
		widths = append(widths, 0)
	}
	for _, columns := range widths {
		t.Run(fmt.Sprint(columns), func(t *testing.T) { scenariosFit(newPrinter(t, columns)) })
	}
}

func scenariosFit(p printer) {
	t, ctx := p.T, p.Context()
	list := p.lab(ctx, "scenario list")
	p.lab(ctx, "scenario list unknown_ca")
	p.lab(ctx, "explain unknown_ca")
	p.lab(ctx, "explain tls: bad certificate")
	p.lab(ctx, "explain SAN")
	p.lab(ctx, "explain dial tcp: connection refused")
	p.lab(ctx, "help failing")
	p.lab(ctx, "scenario run --all")
	p.lab(ctx, "scenario run no-client-cert static-rsa")
	captures, err := filepath.Glob(filepath.Join("captures", "*.pcapng"))
	if err != nil || len(captures) < strings.Count(list, "\n")/6 {
		t.Fatalf("%d captures, %v", len(captures), err)
	}
	for _, capture := range captures {
		p.lab(ctx, "explain --list "+capture)
		p.lab(ctx, "explain "+capture)
	}
	ended, end := context.WithCancel(ctx)
	end()
	for _, name := range []string{"no-client-cert", "expired-server", "resumed-after-revocation", "plain-http", "no-san"} {
		p.lab(ended, "server --scenario "+name)
		p.lab(ctx, "up --count 1 --scenario "+name)
		p.lab(ctx, "client --scenario "+name)
	}
}

// The tree shows the issuer of each certificate, and its columns stand below
// each other whatever the names are written in.
func TestTree(t *testing.T) {
	p := newPrinter(t, 0)
	var manifest []string
	for _, c := range [][2]string{{"root", ""}, {"a", "root"}, {"a1", "a"}, {"a1x", "a1"}, {"a2", "a"}, {"日本語", "root"}, {"é", "日本語"}, {"z", "root"}, {"other", ""}, {"last", "other"}, {"leaf", "last"}} {
		document := "subject: CN=" + c[0] + "\nca: true\nnot_after: 2040-01-01T00:00:00Z\n"
		if c[1] != "" {
			document += "issuer: CN=" + c[1] + "\n"
		}
		manifest = append(manifest, document)
	}
	if err := os.WriteFile("certs.yaml", []byte(strings.Join(manifest, "---\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	made := p.lab(t.Context(), "certs generate")
	if !strings.Contains(made, "made certificate  日本語  missing\n") || !strings.Contains(made, "made certificate  a1x     missing\n") {
		t.Error(made)
	}
	const want = `NAME          KEY     VALID UNTIL  STATE  NAMES
root          EC 256  2040-01-01   ok     CN=root (CA)
├─ a          EC 256  2040-01-01   ok     CN=a (CA)
│  ├─ a1      EC 256  2040-01-01   ok     CN=a1 (CA)
│  │  └─ a1x  EC 256  2040-01-01   ok     CN=a1x (CA)
│  └─ a2      EC 256  2040-01-01   ok     CN=a2 (CA)
├─ 日本語     EC 256  2040-01-01   ok     CN=日本語 (CA)
│  └─ é       EC 256  2040-01-01   ok     CN=é (CA)
└─ z          EC 256  2040-01-01   ok     CN=z (CA)
other         EC 256  2040-01-01   ok     CN=other (CA)
└─ last       EC 256  2040-01-01   ok     CN=last (CA)
   └─ leaf    EC 256  2040-01-01   ok     CN=leaf (CA)
`
	if got := p.lab(t.Context(), "certs list"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	ascii := strings.NewReplacer("├", "+", "│", "|", "─", "-", "└", "`", "日本語   ", "???      ", "日本語", "???", "é", "?")
	if got := p.lab(t.Context(), "certs list --ascii"); len(strings.Split(got, "\n")) != 13 || !strings.Contains(got, ascii.Replace("│  │  └─ a1x  EC")) {
		t.Errorf("got\n%s", got)
	}
}

// There is one warning about a terminal that is too narrow.
func TestNarrow(t *testing.T) {
	p := newPrinter(t, 59)
	const said = "lab: this terminal has 59 columns, and lab needs 60: lines"
	for args, want := range map[string]int{"scenario list": 1, "up --count 1": 1, "explain lab.pcapng": 1, "scenario list --json": 0, "help": 0} {
		var out bytes.Buffer
		program := command.Program{Manifest: p.manifest, Stdout: &out, Stderr: &out, Columns: p.columns}
		program.Run(t.Context(), append([]string{"lab"}, strings.Fields(args)...))
		if strings.Count(out.String(), said) != want {
			t.Errorf("lab %s:\n%s", args, out.String())
		}
	}
}
