package web

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// hostile is a name that a peer may choose.
const hostile = `</script><script>alert(1)</script><img src=x onerror=alert(2)>` + "\u202e"

// The file asks nobody for anything, runs its own script alone, and has what
// peers have sent as text.
func TestHTML(t *testing.T) {
	x := run(t, "ecdsa-p384", tls.VersionTLS13)
	x.Client.Certificate, x.Reason = hostile, hostile
	p := NewPage(Options{Title: hostile})
	p.Add(x)
	var b bytes.Buffer
	n, err := p.WriteHTML(&b)
	must(t, err)
	page := b.String()
	if n != 1 || strings.Count(page, "<script") != 2 || strings.Count(page, "</script") != 2 || strings.Contains(page, "<img") || strings.Contains(page, "\u202e") {
		t.Errorf("%d exchanges; the page has %d <script, %d </script, <img %v, a hidden character %v", n, strings.Count(page, "<script"), strings.Count(page, "</script"),
			strings.Contains(page, "<img"), strings.Contains(page, "\u202e"))
	}
	checkPolicy(t, page, `<script type="module">`, "<style>")
	secrets := 0
	var look func([]tlsdecrypt.Term)
	look = func(terms []tlsdecrypt.Term) {
		for _, term := range terms {
			if term.Secret && term.Value != "" {
				secrets++
				if strings.Contains(page, term.Value) {
					t.Errorf("the page has the value of %s", term.Name)
				}
			}
			look(term.Terms)
		}
	}
	look(x.Wire.Arithmetic())
	if secrets < 8 {
		t.Errorf("the exchange has %d secrets", secrets)
	}
	if found := regexp.MustCompile(`(src|href)="[^d#$][^"]*"|url\(|@import|PRIVATE KEY|TRAFFIC_SECRET|CLIENT_RANDOM`).FindString(page); found != "" {
		t.Errorf("the page has %s", found)
	}
}

// checkPolicy compares a page's policy with its own script and style.
func checkPolicy(t *testing.T, page, script, style string) {
	t.Helper()
	for kind, open := range map[string]string{"script": script, "style": style} {
		_, rest, _ := strings.Cut(page, open)
		text, _, _ := strings.Cut(rest, "</"+kind+">")
		sum := sha256.Sum256([]byte(text))
		want := fmt.Sprintf("%s-src &#39;sha256-%s&#39;", kind, base64.StdEncoding.EncodeToString(sum[:]))
		if !strings.Contains(strings.ReplaceAll(page, "&#43;", "+"), want) {
			t.Errorf("the page's policy does not allow its own %s: %s", kind, want)
		}
	}
}

// No module makes HTML of text, and what they are joined to is one script.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("static/*.js")
	must(t, err)
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|createContextualFragment|DOMParser|srcdoc|javascript:|https?://[^w]`)
	for _, name := range scripts {
		text, err := os.ReadFile(name)
		must(t, err)
		if found := forbidden.Find(text); found != nil {
			t.Errorf("%s has %s", name, found)
		}
	}
	if strings.Contains(joinedScript(), "</script") || regexp.MustCompile(`(?m)^(import|export) `).MatchString(joinedScript()) {
		t.Error("the modules cannot be joined into one script in a page")
	}
	peertest.Need(t, "node")
	nodeCheck := exec.Command("node", "--input-type=module", "--check")
	nodeCheck.Stdin = strings.NewReader(joinedScript())
	if out, err := nodeCheck.CombinedOutput(); err != nil {
		t.Errorf("the joined script: %v\n%s", err, out)
	}
}

// The page with all its files is small enough for the first paint.
func TestSize(t *testing.T) {
	size := 0
	for _, pattern := range []string{"static/*", "page.html"} {
		names, err := filepath.Glob(pattern)
		must(t, err)
		for _, name := range names {
			info, err := os.Stat(name)
			must(t, err)
			size += int(info.Size())
		}
	}
	if size > 150_000 {
		t.Errorf("the page has %d bytes in all, want at most 150,000", size)
	}
}
