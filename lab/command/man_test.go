package command

import (
	"bytes"
	"os/exec"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// The manual page has every command that can be called, with its flags, and man
// finds nothing wrong in it.
func TestManual(t *testing.T) {
	var out, talk strings.Builder
	p := &Program{Stdout: &out, Stderr: &talk}
	if status := p.Run(t.Context(), []string{"lab", "help", "man"}); status != exitDone {
		t.Fatalf("lab help man: exit status %d: %s", status, talk.String())
	}
	peertest.Need(t, "groff")
	command := exec.Command("groff", "-man", "-Tascii", "-ww", "-P-cbou")
	command.Stdin = strings.NewReader(out.String())
	var warnings bytes.Buffer
	command.Stderr = &warnings
	page, err := command.Output()
	if err != nil || warnings.Len() > 0 {
		t.Fatalf("groff: %v: %s", err, &warnings)
	}
	for _, want := range []string{
		`(?m)^lab up$`,
		`(?m)^lab certs export NAME\b`,
		`(?m)^lab exec -- COMMAND \[ARGUMENT\.\.\.\]$`,
		`(?m)^ +--client-cert NAME\|FILE$`,
		`or \$LAB_ADDR`,
		`(?m)^ +lab exec -- curl https://example\.com/`,
	} {
		if !regexp.MustCompile(want).Match(page) {
			t.Errorf("the manual page has no %s:\n%s", want, page)
		}
	}
}

func TestVersion(t *testing.T) {
	for want, info := range map[string]*debug.BuildInfo{
		"devel go1.26.0": {GoVersion: "go1.26.0", Main: debug.Module{Version: "(devel)"}},
		"v0.9.1 (commit 0123456789ab of 2026-11-29) go1.26.0": {
			GoVersion: "go1.26.0",
			Main:      debug.Module{Version: "v0.9.1"},
			Settings: []debug.BuildSetting{
				{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"},
				{Key: "vcs.time", Value: "2026-11-29T11:27:13Z"},
			},
		},
	} {
		if got := versionOf(info); got != want {
			t.Errorf("versionOf = %q, want %q", got, want)
		}
	}
}
