package web

import (
	"bytes"
	"strings"
	"testing"
)

// The page that leads to lessons has each under its side, finds it by its words,
// and runs its own script alone.
func TestGallery(t *testing.T) {
	var b bytes.Buffer
	must(t, WriteGallery(&b, []GallerySide{
		{Name: "works", Lessons: []GalleryLesson{{Name: "mtls", Title: "All is well", Ends: []string{"TLS 1.3: accepted"}}}},
		{Name: "server rejects client", Lessons: []GalleryLesson{{Name: "expired-client", Title: "It has expired", Words: `Says "EXPIRED" <b>`}}},
	}))
	page := b.String()
	for _, want := range []string{`<a href="mtls.html">All is well</a>`, "<h2>server rejects client</h2>", `data-words="says &#34;expired&#34; &lt;b&gt;"`, "2 lessons", "TLS 1.3: accepted"} {
		if !strings.Contains(page, want) {
			t.Errorf("the gallery has no %s", want)
		}
	}
	checkPolicy(t, page, "<script>", "<style>")
}
