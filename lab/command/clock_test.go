package command_test

import (
	"bytes"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/command"
)

// A server whose clock is more than a minute away from this machine's is named.
func TestClocks(t *testing.T) {
	for name, c := range map[string]struct {
		ahead time.Duration
		want  string
	}{
		"behind":   {-3 * time.Minute, "lab: warning: the server's clock is 3 minutes behind this machine's"},
		"ahead":    {26 * time.Hour, "lab: warning: the server's clock is 26 hours ahead of this machine's"},
		"the same": {0, ""},
		"nearly":   {45 * time.Second, ""},
	} {
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(c.ahead).UTC().Format(http.TimeFormat))
		}))
		dir := t.TempDir()
		ca := filepath.Join(dir, "ca.pem")
		check(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o644))
		var out, talk bytes.Buffer
		p := command.Program{Stdout: &out, Stderr: &talk}
		if status := p.Run(t.Context(), []string{"lab", "client", "--dir", dir, "--url", server.URL, "--cert", "none", "--ca", ca, "--capture", "off", "--count", "2", "--interval", "1ms"}); status != 0 {
			t.Errorf("%s: exit status %d\n%s%s", name, status, &out, &talk)
		}
		server.Close()
		talked := strings.ReplaceAll(talk.String(), "\n     ", " ")
		if strings.Contains(talked, "clock") != (c.want != "") || strings.Count(talked, c.want) != 1 && c.want != "" {
			t.Errorf("%s: %s", name, talked)
		}
	}
}
