package ladder

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/tlsdecrypt"
)

var update = flag.Bool("update", false, "write the golden files in testdata anew")

func draw(t testing.TB, c *tlsdecrypt.Connection, o Options) string {
	t.Helper()
	var b strings.Builder
	if err := Draw(&b, c, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// golden compares a drawing with the one that was reviewed.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant (-update accepts the new one)\n%s", name, got, want)
	}
}

func TestLadders(t *testing.T) {
	for _, r := range recordings {
		golden(t, r.name, draw(t, replay(t, r.name, true), Options{}))
	}
	golden(t, "tls13-no-keys", draw(t, replay(t, "tls13-mutual", false), Options{}))
	golden(t, "tls13-mutual-ascii", draw(t, replay(t, "tls13-mutual", true), Options{ASCII: true}))
	golden(t, "tls13-mutual-color", draw(t, replay(t, "tls13-mutual", true), Options{Color: true}))
	golden(t, "tls13-mutual-wide", draw(t, replay(t, "tls13-mutual", true), Options{Width: 120}))
	golden(t, "tls13-mutual-verbose", draw(t, replay(t, "tls13-mutual", true), Options{Verbose: true}))
}
