package web

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"mtlslab.example/lab/lab/peertest"
)

// With the keyboard alone, everything can be reached, it is seen where one is,
// and each control does what it is for.
func TestKeyboard(t *testing.T) {
	peertest.Need(t, "chromium")
	p := NewPage(Options{Title: "lab up", Live: true, Lessons: oneLesson{t}})
	s := serve(t, p)
	p.Add(run(t, "ecdsa-p384", tls.VersionTLS12))
	p.Add(run(t, "expired-client", tls.VersionTLS13))
	b := open(t, s.URL(), 1400, 900)
	b.until(`document.querySelectorAll('.ladder .rung').length > 5`)
	const focused = `(() => {
		const e = document.activeElement;
		const ring = getComputedStyle(e).outlineStyle !== 'none' || document.querySelector('.ladder .focused') !== null;
		return [e.id || e.className || e.tagName, (e.getAttribute('aria-label') || e.textContent || '').trim().slice(0, 40), String(ring)].join('|');
	})()`
	var reached []string
	for range 60 {
		b.do(chromedp.KeyEvent(kb.Tab))
		at := value[string](b, focused)
		if strings.HasSuffix(at, "false") && !strings.HasPrefix(at, "BODY") {
			t.Errorf("it is not seen that %s has the focus", at)
		}
		if reached = append(reached, at); strings.HasPrefix(at, "BODY") {
			break
		}
	}
	all := strings.Join(reached, "\n")
	for _, want := range []string{"Skip to the exchange", "list-button", "present|", "theme|", "exchanges-tab", "search|", "by-outcome", "by-code", "by-version", "failed|✗ 1 failed", "row bad", "row good",
		"Compare with another", "Save", "From the start", "Play", "To the end", "Speed", "agree on how to talk", "from the client, ClientHello", "Show the arithmetic"} {
		if !strings.Contains(all, want) {
			t.Errorf("Tab never reaches %q:\n%s", want, all)
		}
	}
	if slices.ContainsFunc(reached, func(at string) bool { return strings.HasPrefix(at, "lessons-tab") }) {
		t.Error("Tab stops at each of the tabs, which are one stop")
	}

	b.do(chromedp.Focus(chromedp.CSS(`#exchanges-tab`)), chromedp.KeyEvent(kb.ArrowRight))
	b.until(`!document.querySelector('#lessons').hidden && document.querySelector('.lesson')`)
	b.do(chromedp.KeyEvent(kb.ArrowLeft))
	b.until(`!document.querySelector('#exchanges').hidden`)
	b.do(chromedp.Focus(chromedp.CSS(`.menu summary`)), chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelector('.menu').open`)
	b.picture("menu")
	b.accessible("menu")
	b.do(chromedp.KeyEvent(kb.Tab))
	b.until(`document.activeElement.textContent.startsWith('Page')`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until(`!document.querySelector('.menu').open && document.activeElement.matches('.menu summary')`)
	b.do(chromedp.KeyEvent("/"))
	b.until(`document.activeElement.id === 'search'`)
	b.do(chromedp.Evaluate[chromedp.Void](`document.activeElement.value = ''`), chromedp.SendKeys(chromedp.CSS(`#search`), "ecdsa")) // chromedp types the / too
	b.until(`document.querySelectorAll('#rows li').length === 1`)
	for range 5 { // past the filters, to the row
		b.do(chromedp.KeyEvent(kb.Tab))
	}
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelector('#exchange h2').textContent.includes('ecdsa-p384')`)
	b.do(chromedp.KeyEvent(kb.Home), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.End))
	b.until(`/^step (\d+) of \1$/.test(document.querySelector('.where').textContent)`)
	b.do(chromedp.KeyEvent(kb.Home), chromedp.KeyEvent(" "))
	b.until(`[...document.querySelectorAll('.controls button')].some(button => button.textContent === 'Pause')`)
	b.until(`document.querySelector('.where').textContent.startsWith('step 2 of')`) // it plays
	b.do(chromedp.KeyEvent(" "))
	b.until(`[...document.querySelectorAll('.controls button')].every(button => button.textContent !== 'Pause')`)

	b.do(chromedp.Click(chromedp.CSS(`#present`)), chromedp.KeyEvent(" "))
	b.until(`document.body.classList.contains('presenting') && [...document.querySelectorAll('.controls button')].some(button => button.textContent === 'Pause')`)
}
