package exercise

import (
	"errors"
	"os"
	"strings"
	"testing"

	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab/peertest"
)

// documentOf returns the document of a built-in exercise, with a change.
func documentOf(t *testing.T, name, replace, with string) []byte {
	t.Helper()
	e, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(e.Text), replace, with, 1)
	if text == string(e.Text) && replace != with {
		t.Fatalf("%s has no %q", name, replace)
	}
	return []byte(text)
}

// A document that comes from somebody else names no file outside of the folder
// of its exercise.
func TestFilesStayInTheFolder(t *testing.T) {
	for _, c := range []struct{ name, replace, with string }{
		{"traffic-of-another", "    feed.py: |", "    %s: |"},
		{"traffic-of-another", "file: feed.py}", "file: '%s'}"},
		{"traffic-of-another", "file: feed.py}", "file: feed.py, files: ['%s']}"},
		{"traffic-of-another", "keys: keys.log", "keys: '%s'"},
		{"key-of-another", "{join: [certs/gate.pem]}", "{join: ['%s']}"},
		{"key-of-another", "{join: [keys/3.pem]}", "{join: ['%s']}"},
	} {
		for _, file := range []string{"../../certs.yaml", "/etc/passwd", "certs/../../certs.yaml", `..\certs.yaml`, "."} {
			changed := strings.Replace(c.with, "%s", file, 1)
			var wrong *yamldoc.Error
			_, err := Parse("mine.yaml", documentOf(t, c.name, c.replace, changed))
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "is not a file in the exercise's folder") {
				t.Errorf("%s: %v", changed, err)
			}
		}
	}
}

// The secrets of a program's connections go with the run that has made them.
func TestNothingBesideTheFolder(t *testing.T) {
	t.Parallel()
	peertest.Need(t, "python3")
	c := Open(t.TempDir())
	begin(t, c, "traffic-of-another")
	entries, err := os.ReadDir(c.dir())
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if name := entry.Name(); name != progressFolder && name != "traffic-of-another" {
			t.Errorf("%s has been left beside the folder", name)
		}
	}
}
