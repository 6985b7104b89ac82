package command_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"mtlslab.example/lab/lab/command"
)

// Whoever presses Ctrl-C reads that it ended there, and of no context.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "certs.yaml"), []byte("subject: CN=one\n"), 0o644))
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	for _, args := range [][]string{{"certs", "generate"}, {"exercise", "start", "who-refused"}} {
		var out, talk bytes.Buffer
		p := command.Program{Stdout: &out, Stderr: &talk}
		status := p.Run(ctx, append([]string{"lab", "--dir", dir}, args...))
		if said := talk.String(); status != 1 || said != "lab: error: interrupted before it was done\n" {
			t.Errorf("%q: exit status %d, %q", args, status, said)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "certs")); !os.IsNotExist(err) {
		t.Errorf("certs: %v", err)
	}
}
