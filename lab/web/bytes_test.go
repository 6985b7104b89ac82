package web

import (
	"crypto/tls"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"mtlslab.example/lab/lab/peertest"
)

// The bytes of a message are whole, beside its fields or above them, however
// wide the window is, also with scroll bars that take room; and so is the page.
func TestBytesFit(t *testing.T) {
	peertest.Need(t, "chromium")
	p := NewPage(Options{Title: "lab up", Live: true})
	p.Add(run(t, "mtls", tls.VersionTLS13))
	s := serve(t, p)
	for _, test := range []struct {
		bars   bool
		widths []int
	}{{false, []int{390}}, {true, []int{768, 1024, 1190, 1210, 1280, 1440, 1700, 1760, 1920, 2560}}} {
		b := open(t, s.URL(), 1280, 900, chromedp.Flag("hide-scrollbars", !test.bars))
		b.until(`document.querySelector('.ladder .rung')`)
		b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('.stops button').click()`))
		for _, width := range test.widths {
			b.do(chromedp.EmulateViewport(int64(width), 900))
			b.until(fmt.Sprintf(`innerWidth === %d`, width))
			b.settle()
			b.picture(fmt.Sprint("bytes-", width))
			type extent struct{ Wanted, Shown int }
			for what, selector := range map[string]string{"bytes": ".inside .hex", "page": ":root"} {
				got := value[extent](b, fmt.Sprintf(`(e => ({Wanted: e.scrollWidth, Shown: e.clientWidth}))(document.querySelector(%q))`, selector))
				if got.Wanted > got.Shown {
					t.Errorf("in a window of %d px, %d of %d px of the %s are in sight", width, got.Shown, got.Wanted, what)
				}
			}
		}
	}
}
