package web

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"mtlslab.example/lab/lab/peertest"
)

// The page that leads to lessons has each under its side, finds it by its
// words, and runs its own script alone.
func TestGallery(t *testing.T) {
	var b bytes.Buffer
	must(t, WriteGallery(&b, []GallerySide{
		{Name: "works", Lessons: []GalleryLesson{{Name: "mtls", Title: "All is well", Ends: []string{"TLS 1.3: accepted"}}}},
		{Name: "server rejects client", Lessons: []GalleryLesson{{Name: "expired-client", Title: "It has expired", Words: `Says "EXPIRED" <b>`}}},
	}))
	page := b.String()
	for _, want := range []string{`<a href="mtls.html"><b>All is well</b>`, `class="lesson good"`, "<h2>server rejects client</h2>", `data-words="says &#34;expired&#34; &lt;b&gt;"`, "2 lessons", "TLS 1.3: accepted"} {
		if !strings.Contains(page, want) {
			t.Errorf("the gallery has no %s", want)
		}
	}
	checkPolicy(t, page, "<script>", "<style>")
}

// Somebody opens the gallery that lab writes, from disk: finds a lesson by what
// a program says, reads what it teaches, and puts its versions beside each
// other.
func TestGalleryPages(t *testing.T) {
	peertest.Need(t, "chromium")
	program, err := build()
	must(t, err)
	dir := filepath.Join(t.TempDir(), "site")
	cmd := exec.Command(program, "scenario", "export", "expired-client", "ca-rotation-with-overlap", "resumption-psk", "not-pem", "--html", dir)
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b := open(t, "file://"+filepath.Join(dir, "index.html"), 1400, 900)
	b.until(`document.querySelectorAll('.lesson').length === 4`)
	b.picture("gallery")
	b.accessible("gallery")
	b.do(chromedp.SendKeys(chromedp.CSS(`#search`), "certificate has expired"))
	b.until(`document.querySelectorAll('.lesson:not([hidden])').length === 1`)
	b.do(chromedp.Click(chromedp.CSS(`.lesson:not([hidden]) a`)))
	b.until(`document.querySelectorAll('.ladder .rung').length > 10`)
	b.picture("gallery-lesson")
	b.accessible("gallery-lesson")
	b.do(chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll('.about-lesson a')].find(a => a.textContent.startsWith('Both')).click()`))
	b.until(`document.querySelectorAll('tr.differs').length > 3`)
	b.picture("gallery-both")
	b.accessible("gallery-both")
	b.do(chromedp.Navigate("file://" + filepath.Join(dir, "not-pem.html")))
	b.until(`document.querySelector('#exchange .empty')?.textContent.includes('never reaches the wire')`)
	b.picture("gallery-no-wire")
	b.accessible("gallery-no-wire")
	b.do(chromedp.Navigate("file://" + filepath.Join(dir, "resumption-psk.html")))
	b.until(`document.querySelectorAll('#rows li').length === 2`)
	b.picture("gallery-calls")
	b.do(chromedp.EmulateViewport(390, 844))
	b.picture("gallery-narrow")
	b.accessible("gallery-narrow")
}
