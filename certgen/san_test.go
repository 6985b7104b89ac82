package certgen

import (
	"errors"
	"strings"
	"testing"
)

func TestSAN(t *testing.T) {
	for name, want := range map[string]string{
		"10.0.0.5": "IP:10.0.0.5", "fd00::5": "IP:fd00::5", "::1": "IP:::1",
		"laptop": "DNS:laptop", "laptop.local": "DNS:laptop.local", "*.example.org": "DNS:*.example.org", "3com.example": "DNS:3com.example",
		"bücher.example": "DNS:bücher.example", "a--b.example": "DNS:a--b.example",
		"joe@example.org": "email:joe@example.org", "DNS:x": "DNS:x", "IP:::1": "IP:::1", "email:joe@example.org": "email:joe@example.org",
		"URI:spiffe://example.org/x": "URI:spiffe://example.org/x", "URI:https://a.b/": "URI:https://a.b/",
	} {
		if got, err := SAN(name); got != want || err != nil {
			t.Errorf("%s is %s: %v", name, got, err)
		}
	}
}

// Typing errors are no names; what was meant is said where that is plain.
func TestSANRefuses(t *testing.T) {
	for name, meant := range map[string]string{
		"10.0.0.999": "", "10.0.0": "", "10.0.0.05": "", "10.0.0.5.": "10.0.0.5", "DNS:10.0.0.999": "", "IP:10.0.0.999": "", "1": "",
		"../x": "", "/etc/hosts": "", `a\b`: "", "a b": "", "": "", ".": "", "a..b": "", ".a": "", "-a.b": "", "a-.b": "", "a_b": "",
		"*": "", "*x": "", "a.*.b": "", "*.*.b": "", "*.": "", "*.10.0.0.5": "",
		"https://a.b/": "a.b", "https://10.0.0.5:8443/x?y": "10.0.0.5", "https://[::1]:8443/": "::1", "https:///": "",
		"spiffe://example.org/x": "URI:spiffe://example.org/x",
		"a.b/":                   "a.b", "a.b:8443": "a.b", "10.0.0.5:8443": "10.0.0.5", "[::1]:8443": "::1", "[::1]": "::1", "10.0.0.5/24": "10.0.0.5", "fe80::1%eth0": "fe80::1", "a.b.": "a.b",
		"dns:a.b": "DNS:a.b", "uri:spiffe://example.org/x": "URI:spiffe://example.org/x",
		"URI:": "", "URI:x": "", "DNS:": "", "IP:": "", "email:": "", "@a.b": "", "joe@": "",
		strings.Repeat("a", 64) + ".b": "", strings.Repeat("a.", 127) + "b": "",
	} {
		var refused *NameError
		if got, err := SAN(name); !errors.As(err, &refused) || refused.Meant != meant {
			t.Errorf("%q is %q: %v, %+v", name, got, err, refused)
		}
	}
}
