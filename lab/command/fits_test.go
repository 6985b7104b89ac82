package command_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/command"
	"mtlslab.example/lab/lab/peertest"
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

// printer runs lab in a folder, and looks at the width of all that it prints.
type printer struct {
	*testing.T
	manifest []byte
	dir      string
}

func newPrinter(t *testing.T) printer {
	t.Helper()
	t.Setenv("LAB_ADDR", "127.0.0.1:"+peertest.FreePort(t))
	manifest, err := os.ReadFile(defaultManifest(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	return printer{t, manifest, "."}
}

// lab runs a command to its end, or to that of ctx, and returns what it prints.
func (p printer) lab(ctx context.Context, args string) string {
	p.Helper()
	var out bytes.Buffer
	program := command.Program{Manifest: p.manifest, Stdout: &out, Stderr: &out}
	program.Run(ctx, append([]string{"lab"}, strings.Fields(args)...))
	for line := range strings.Lines(out.String()) {
		if tooWide(strings.TrimRight(line, "\n")) {
			p.Errorf("lab %s prints a line of %d columns:\n%s", args, len([]rune(line))-1, line)
		}
	}
	return out.String()
}

// tooWide tells a line that a terminal would break and lab could have broken.
// A long name or path at its end, an error that goes to no terminal, and a
// command to copy stay whole.
func tooWide(line string) bool {
	if strings.HasPrefix(line, "lab: error: ") || strings.HasPrefix(line, "  wireshark ") || strings.HasPrefix(line, "  lab ") || strings.HasPrefix(line, "  curl ") {
		return false
	}
	const long = 24
	last := line[strings.LastIndex(line, " ")+1:]
	return len([]rune(line)) > 80 && len([]rune(last)) <= long
}

func TestCertificatesFit(t *testing.T) {
	p := newPrinter(t)
	ctx := t.Context()
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
		if !strings.Contains(list, state) {
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

func TestTalkFits(t *testing.T) {
	p := newPrinter(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	ctx := t.Context()
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
	p.lab(ctx, "explain lab.pcapng --rsa-key certs/client-key.pem")
	p.lab(ctx, "explain certs.yaml")
	p.lab(ctx, "exec -- nosuchprogram")
	p.lab(ctx, "exec -- "+os.Args[0]+" -test.run=^$")
	p.lab(ctx, "exec --capture none.pcapng -- "+os.Args[0]+" -test.run=^$")
	p.lab(ctx, "scenario list nosuchword")
	p.lab(ctx, "scenario run nosuchscenario")
	ended, end := context.WithCancel(ctx)
	end()
	p.lab(ended, "server")
	p.lab(ended, "server --count 6 --addr 0.0.0.0:"+peertest.FreePort(t))
}

func TestScenariosFit(t *testing.T) {
	p := newPrinter(t)
	ctx := t.Context()
	list := p.lab(ctx, "scenario list")
	p.lab(ctx, "scenario list unknown_ca")
	p.lab(ctx, "scenario run --all")
	p.lab(ctx, "scenario run no-client-cert static-rsa")
	captures, err := filepath.Glob(filepath.Join("captures", "*.pcapng"))
	if err != nil || len(captures) < strings.Count(list, "\n")/4 {
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
