package glossary

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write GLOSSARY.md anew")

// GLOSSARY.md is made from the terms.
func TestDocument(t *testing.T) {
	file := filepath.Join("..", "GLOSSARY.md")
	if *update {
		if err := os.WriteFile(file, []byte(Markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ReplaceAll(string(got), "\r\n", "\n") != Markdown() {
		t.Error("lab/GLOSSARY.md is not that of the terms: go test ./lab/glossary -update")
	}
}

// Each word is there once, in the order of the alphabet, with its RFC.
func TestTerms(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range Names() {
		if seen[folded(name)] {
			t.Errorf("%s is there twice", name)
		}
		seen[folded(name)] = true
	}
	if !slices.IsSortedFunc(Terms, func(a, b Term) int { return strings.Compare(folded(a.Name), folded(b.Name)) }) {
		t.Error("the terms are not in the order of the alphabet")
	}
	for _, term := range Terms {
		if !strings.Contains(term.RFC, "RFC ") || !strings.HasSuffix(term.Means, ".") {
			t.Errorf("%s: %q, %q", term.Name, term.Means, term.RFC)
		}
	}
}

func TestFind(t *testing.T) {
	for word, want := range map[string]string{"SAN": "SAN", "subject alternative name": "SAN", "subjectAltName": "SAN", "mtls": "mutual TLS", "ClientHello": "ClientHello", "client hello": "ClientHello", "pkcs#12": "PKCS#12", "sni": "server_name", "ssl_verify_depth": "verify depth", "SSLVerifyDepth": "verify depth", "proxy_ssl_verify_depth": "verify depth",
		"401": "401 Unauthorized", "HTTP 502": "502 Bad Gateway", "QUIC": "QUIC", "http/3": "QUIC", "http3": "QUIC"} {
		if term, ok := Find(word); !ok || term.Name != want {
			t.Errorf("%s is %q, %v", word, term.Name, ok)
		}
	}
	if term, ok := Find("bananas"); ok {
		t.Errorf("bananas is %q", term.Name)
	}
}
