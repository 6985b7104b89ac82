package scenario

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// lab/ALERTS.md is made from the guides. (go test ./lab/scenario -run Sheet
// -update writes it anew.)
func TestAlertSheet(t *testing.T) {
	file := filepath.Join("..", "ALERTS.md")
	if *update {
		if err := os.WriteFile(file, []byte(AlertSheet()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ReplaceAll(string(got), "\r\n", "\n") != AlertSheet() {
		t.Error("lab/ALERTS.md is not that of the guides: go test ./lab/scenario -run Sheet -update")
	}
}

// The guides, and the list of what is common, name scenarios that there are;
// those in which a server sends an alert are about a server that refuses.
func TestGuides(t *testing.T) {
	there := names()
	for _, name := range commonest {
		if !slices.Contains(there, name) {
			t.Errorf("no scenario is called %s", name)
		}
	}
	for _, g := range Guides {
		for _, name := range slices.Concat(g.FromServer, g.FromClient) {
			s, err := Find(name)
			if err != nil {
				t.Errorf("%s: %v", g.Alert, err)
				continue
			}
			if of := g.FromServer; slices.Contains(of, name) && s.Side == "client rejects server" || !slices.Contains(of, name) && s.Side == "server rejects client" {
				t.Errorf("%s is on the wrong side of %s", name, g.Alert)
			}
		}
	}
}
