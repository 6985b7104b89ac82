package exercise

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// A marking says what was expected and not seen, where it is in the capture,
// and why a wrong repair that is known does not count.
func TestWhatMarkingSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, exercise, settings string
		step                     int
		says                     string
		known                    bool
	}{
		{"another CA is trusted", "lost-link", "client: {certificate: billing, chain: leaf}\nserver:\n  trust: [root, issuing]\n", 0, "expected also CN=issuing", true},
		{"it does not resume", "old-session", "server: {trust: [people], trust_sessions: true}\nclient: {certificate: anna}\n", 1, "expected: resumed", true},
		{"another's certificate", "first-certificate", "server: {trust: [client-ca]}\nclient: {certificate: payroll}\n", 0, "expected: CN=reports", true},
		{"verification is off, in other words", "does-not-ask", "server: {trust: [partners]}\nclient: {certificate: acme, verify: false}\n", -1, "client: verify is off", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := begin(t, Open(t.TempDir()), c.exercise)
			if err := os.WriteFile(filepath.Join(w.Folder, settingsFile), []byte(c.settings), 0o644); err != nil {
				t.Fatal(err)
			}
			r := marked(t, w)
			step := r.Steps[(c.step+len(r.Steps))%len(r.Steps)]
			if r.Solved || step.Met || !strings.Contains(strings.Join(step.Missed, "\n"), c.says) {
				t.Errorf("solved %v, %v; it does not say %q", r.Solved, step.Missed, c.says)
			}
			if c.step >= 0 && step.Stream != c.step {
				t.Errorf("it is stream %d", step.Stream)
			}
			if (r.Known != "") != c.known {
				t.Errorf("why it does not count: %q", r.Known)
			}
		})
	}
}

// A server that listens elsewhere is named at once, and a file that is gone by
// its name.
func TestWhatIsNotThere(t *testing.T) {
	t.Parallel()
	peertest.Need(t, "nginx")
	c := Open(t.TempDir())
	w := begin(t, c, "nginx-lets-anybody-in")
	if err := replaceIn(filepath.Join(w.Folder, "nginx.conf"), []Replacement{{"8443", "8444"}}); err != nil {
		t.Fatal(err)
	}
	if r := marked(t, w); r.Steps[0].Err == nil || !strings.Contains(r.Steps[0].Err.Error(), "nginx.conf does not listen on 127.0.0.1:8443") {
		t.Errorf("on another port: %v", r.Steps[0].Err)
	}

	w = begin(t, c, "lost-link")
	settings := filepath.Join(w.Folder, settingsFile)
	if err := os.WriteFile(settings, []byte("server: {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := marked(t, w); r.Steps[0].Err == nil || !strings.Contains(r.Steps[0].Err.Error(), "settings.yaml: server: names no trust") {
		t.Errorf("without trust: %v", r.Steps[0].Err)
	}
	if err := os.Remove(settings); err != nil {
		t.Fatal(err)
	}
	var missing *MissingFileError
	if _, _, err := w.Verify(t.Context()); !errors.As(err, &missing) {
		t.Errorf("without settings.yaml: %v", err)
	}
}
