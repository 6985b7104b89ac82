package command

import (
	"regexp"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// The examples of every command are in PowerShell what they are in a POSIX
// shell.
func TestPowerShell(t *testing.T) {
	p := &Program{}
	posix := regexp.MustCompile(`(?m)\$\(| \\$|\./|~/|\b(?:certs|testdata|etc)/|journalctl|^SSL|[^']\{\w+\}|^curl |[^:]\$[A-Z]`)
	eachCommand(p.app().Commands, func(c *cli.Command) {
		if c.Name == "completion" {
			return // names the shell of each line
		}
		lines := powerShell(c.Description)
		for line := range strings.Lines(lines) {
			if posix.MatchString(line) {
				t.Errorf("lab %s --help: %s", c.Name, line)
			}
		}
	})
	for posix, want := range map[string]string{
		"lab client \\\n  --cert certs/client.pem":                   "lab client `\n  --cert certs\\client.pem",
		"lab scenario list shows all; a file is written ./mine.yaml": `lab scenario list shows all; a file is written .\mine.yaml`,
		"such as certs/server-key.pem":                               `such as certs\server-key.pem`,
		"curl -v https://h.test/certs/a asks the same":               "curl.exe -v https://h.test/certs/a asks the same",
		"lab probe client -- curl --cacert {ca} {url}":               "lab probe client -- curl.exe --cacert '{ca}' '{url}'",
		"name another file with --keylog (or $SSLKEYLOGFILE)":        "name another file with --keylog (or $env:SSLKEYLOGFILE)",
	} {
		if got := powerShell(posix); got != want {
			t.Errorf("powerShell(%q) = %q, want %q", posix, got, want)
		}
	}
}
