package command

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab/keyshim"
	"mtlslab.example/lab/lab/text"
)

// talked is what a run says on stderr.
func talked(t *testing.T, columns int, say func(*Program)) string {
	t.Helper()
	var out, talk bytes.Buffer
	p := &Program{Stdout: &out, Stderr: &talk, Columns: columns}
	_, done := p.open(t.Context())
	defer done()
	say(p)
	return talk.String()
}

// The host that somebody asks the proxy of lab exec for is theirs to choose.
func TestSayUnreached(t *testing.T) {
	const host = "\x1b]0;owned\x07\x1b[2Jlab: all keys verified OK\nlab: error: FORGED\n.invalid:443"
	got := talked(t, 0, func(p *Program) {
		(&labRun{Program: p}).sayRecorded(keyshim.Recorded{Unreached: &keyshim.UnreachedError{Target: host, Err: errors.New(host)}}, false, 0)
	})
	for line := range strings.Lines(got) {
		if !text.IsClean(strings.TrimSuffix(line, "\n")) || strings.HasPrefix(line, "lab: ") && !strings.HasPrefix(line, "lab: nothing was recorded: ") {
			t.Errorf("%q", line)
		}
	}
}

// An error points at the place in the manifest, whatever stands before it.
func TestSource(t *testing.T) {
	for _, test := range []struct {
		source string
		column int
		line   string
		under  string
	}{
		{"issuer: CN=nobody", 9, "issuer: CN=nobody", "        ^"},
		{"日本語: é x", 8, "日本語: é x", "          ^"},
		{"\tissuer: x", 2, " issuer: x", " ^"},
		{"a\x1b[2Jb\u202e: x", 10, "a\ufffd[2Jb\ufffd: x", "         ^"},
		{strings.Repeat("a", 300) + "HERE" + strings.Repeat("b", 300), 301, "…" + strings.Repeat("a", 40) + "HERE" + strings.Repeat("b", 25) + "…", ""},
	} {
		got := talked(t, 80, func(p *Program) {
			p.printError(&yamldoc.Error{File: "certs.yaml", Line: 7, Column: test.column, Source: test.source, Problem: "no", Hint: "do"})
		})
		lines := strings.Split(got, "\n")
		if len(lines) != 5 || test.under != "" && (lines[1] != "     7 | "+test.line || lines[2] != "       | "+test.under) {
			t.Errorf("%q:\n%s", test.source, got)
			continue
		}
		at := strings.Index(lines[2], "^")
		if test.under == "" && (text.Width(lines[1]) > 80 || !strings.Contains(lines[1], "HERE") || text.Width(lines[1][:strings.Index(lines[1], "HERE")]) != at) {
			t.Errorf("%d columns:\n%s", text.Width(lines[1]), got)
		}
	}
}
