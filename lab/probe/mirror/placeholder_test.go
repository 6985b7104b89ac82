package mirror_test

import (
	"testing"

	"mtlslab.example/lab/lab/probe/mirror"
)

// What is meant for a placeholder is one, and braces of other programs are not.
func TestMisspelt(t *testing.T) {
	for arg, want := range map[string]string{
		"{CA}": "{CA}", "{cacert}": "{cacert}", "--ca={ca_file}": "{ca_file}", "https://{hostname}:{port}/": "{hostname}", "sh -c 'x {URL}'": "{URL}",
		"{url}": "", "--key={key}": "", "%{http_code}": "", "${HOST}": "", "{}": "", "{a,b}": "", `{"ca":1}`: "", "{print}": "",
		`print(f"{host_name}")`: "", "for x in a; do curl {url} ${cacert}; done": "",
	} {
		if got := (&mirror.Command{Args: []string{"program", arg}}).Misspelt(); got != want {
			t.Errorf("%s: %q, not %q", arg, got, want)
		}
	}
}
