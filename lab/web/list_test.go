package web

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/verdict"
)

// addAlike adds exchanges from one number to another, of which every hundredth
// has another certificate.
func addAlike(p *Page, from, to int) {
	for n := from; n <= to; n++ {
		x := plainExchange(n)
		x.Outcome, x.Client.Certificate = "accepted", "CN=client"
		if n%100 == 0 {
			x.Client.Certificate = "CN=hundredth"
		}
		p.Add(x)
	}
}

// topRow is an expression: the row that the list has at its upper edge.
const topRow = `[...document.querySelectorAll('#rows li')].find(li => li.getBoundingClientRect().bottom > document.querySelector('#scroll').getBoundingClientRect().top + 2)`

// While exchanges come by the hundred, the newest are on the screen, a search
// finds those that are much like others, who has scrolled down stays where they
// are, and the focus stays on its exchange.
func TestListMoves(t *testing.T) {
	peertest.Need(t, "chromium")
	p := NewPage(Options{Title: "lab up", Live: true})
	s := serve(t, p)
	b := open(t, s.URL(), 1400, 900)
	addAlike(p, 1, 1000)
	b.until(topRow + `?.textContent.includes('1000 accepted')`)
	addAlike(p, 1001, 1500)
	b.until(topRow + `.textContent.includes('1500 accepted')`)
	names := value[string](b, `[...document.querySelectorAll('#rows li')].map(li => li.textContent).join()`)
	if !strings.Contains(names, "1500 acceptedCN=hundredth,") || !strings.Contains(names, "1499 acceptedCN=client,") {
		t.Errorf("the rows are %s", names)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('#search').value = 'hundredth'; document.querySelector('#search').dispatchEvent(new Event('input'))`))
	b.until(`document.querySelector('#count').textContent.startsWith('10 of 1,000 exchanges')`)
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('#search').value = ''; document.querySelector('#search').dispatchEvent(new Event('input'))`))
	b.until(`document.querySelector('#count').textContent.startsWith('1,000 exchanges')`)

	b.do(chromedp.Focus(chromedp.CSS(`#rows li:nth-child(3) a`)))
	addAlike(p, 1501, 1502)
	b.until(topRow + `.textContent.includes('1502 accepted')`)
	if at := value[string](b, `document.activeElement.textContent`); !strings.Contains(at, "1498 accepted") {
		t.Errorf("the focus was on 1498, and is on %q", at)
	}
	addAlike(p, 1503, 1602)
	b.until(topRow + `.textContent.includes('1602 accepted')`)
	if at := value[string](b, `document.activeElement.textContent`); !strings.Contains(at, "1498 accepted") {
		t.Errorf("the focus was on 1498, which is out of sight, and is on %q", at)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('#search').value = 'hundredth'; document.querySelector('#search').dispatchEvent(new Event('input'))`))
	b.until(`document.activeElement.tagName === 'BODY'`) // 1498 is not in the list
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('#search').value = ''; document.querySelector('#search').dispatchEvent(new Event('input'))`))
	b.until(topRow + `.textContent.includes('1602 accepted')`)

	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('#scroll').scrollTop = 200 * document.querySelector('#rows li').getBoundingClientRect().height`))
	b.until(topRow + `?.textContent.includes('1402 accepted')`)
	addAlike(p, 1603, 1652)
	b.until(`document.querySelector('#count').textContent.includes('652 older ones')`)
	b.until(topRow + `.textContent.includes('1402 accepted')`)
	order := value[[]int](b, `[...document.querySelectorAll('#rows li')].map(li => parseInt(li.textContent.match(/\d+/)[0]))`)
	for i, n := range order {
		if n != order[0]-i {
			t.Fatalf("the rows are not in order: %v", order)
		}
	}
	b.do(chromedp.Focus(chromedp.CSS(fmt.Sprintf(`#rows a[href="#%d"]`, 1400))), chromedp.KeyEvent(kb.ArrowDown))
	b.until(`document.activeElement.getAttribute('href') === '#1399'`)
}

// A click opens what was under the pointer when it was pressed, though hundreds
// of exchanges come until it is released. They are shown then.
func TestListClick(t *testing.T) {
	peertest.Need(t, "chromium")
	p := NewPage(Options{Title: "lab up", Live: true})
	s := serve(t, p)
	b := open(t, s.URL(), 1400, 900)
	addAlike(p, 1, 100)
	b.until(topRow + `?.textContent.includes('100 accepted')`)
	last := 100
	for _, scrolled := range []int{0, 20} { // rows
		b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector('#scroll').scrollTop = %d * document.querySelector('#rows li').getBoundingClientRect().height`, scrolled)))
		b.until(topRow + fmt.Sprintf(`.textContent.includes('%d accepted')`, last-scrolled))
		at := value[struct{ X, Y float64 }](b, `(() => { const r = `+topRow+`.getBoundingClientRect(); return {X: r.left + 50, Y: r.bottom - 5}; })()`)
		mouse := func(kind input.DispatchMouseEventType) {
			b.do(chromedp.MouseEvent(kind, at.X, at.Y, chromedp.ButtonLeft, chromedp.ClickCount(1)))
		}
		mouse(input.DispatchMouseEventTypeMousePressed)
		x := plainExchange(last + 301)
		x.Outcome, x.TLS.Version = "accepted", fmt.Sprint("after ", last)
		addAlike(p, last+1, last+300)
		p.Add(x)
		b.until(fmt.Sprintf(`document.querySelector('#by-version').textContent.includes('after %d')`, last)) // the page has it
		mouse(input.DispatchMouseEventTypeMouseReleased)
		b.until(fmt.Sprintf(`location.hash === '#%d'`, last-scrolled))
		last += 301
		b.until(fmt.Sprintf(`document.querySelector('#count').textContent.includes('%d exchanges')`, last))
	}
}

// One exchange a second is on the screen at once; the last of hundreds a second
// is there soon after them, and needs no other to push it.
func TestListAtOnce(t *testing.T) {
	peertest.Need(t, "chromium")
	p := NewPage(Options{Title: "lab up", Live: true})
	s := serve(t, p)
	b := open(t, s.URL(), 1400, 900)
	addAlike(p, 1, 1)
	b.until(topRow + `?.textContent.includes('1 accepted')`)
	b.do(chromedp.Evaluate[chromedp.Void](`window.drawn = {};
		new MutationObserver(() => { window.drawn[document.querySelector('#count').textContent] = performance.timeOrigin + performance.now(); }).observe(document.querySelector('#count'), {childList: true, characterData: true, subtree: true})`))
	shown := func(n int) time.Time {
		count := fmt.Sprintf("%d exchanges", n)
		if n >= 1000 {
			count = fmt.Sprintf("1,000 exchanges; %d older ones only in the capture", n-1000)
		}
		b.until(fmt.Sprintf(`window.drawn[%q]`, count))
		return time.UnixMicro(int64(1000 * value[float64](b, fmt.Sprintf(`window.drawn[%q]`, count))))
	}
	fastest := time.Hour
	for n := 2; n <= 6; n++ {
		time.Sleep(2 * shortestRest) // they come slowly
		added := time.Now()
		addAlike(p, n, n)
		fastest = min(fastest, shown(n).Sub(added))
	}
	t.Logf("one is drawn after %v", fastest)
	for n := 7; n <= 1500; n += 20 {
		addAlike(p, n, min(n+19, 1500))
		time.Sleep(20 * time.Millisecond) // a thousand a second
	}
	added := time.Now()
	t.Logf("the last of many is drawn after %v", shown(1500).Sub(added))
}

// Three refusals among two hundred are counted above the list, and stand alone
// at a click. Of a row the side that refused is whole, and so is the beginning
// of why.
func TestListFailed(t *testing.T) {
	peertest.Need(t, "chromium")
	p := NewPage(Options{Title: "lab up", Live: true})
	s := serve(t, p)
	b := open(t, s.URL(), 1400, 900)
	addAlike(p, 801, 900)
	b.until(`document.querySelector('#count').textContent.startsWith('100 exchanges')`)
	if seen := value[bool](b, `!document.querySelector('#failed').hidden`); seen {
		t.Error("without a failed exchange there is a button for them")
	}
	for _, n := range []int{901, 902, 1000} {
		x := plainExchange(n)
		x.Verdict = verdict.Verdict{Outcome: verdict.Rejected, How: verdict.Probably, RejectedBy: endpoint.Server, Code: verdict.NoClientCertificate,
			Reason: "the client sent no certificate: its Certificate has the size of an empty one, and the server answered the client's last flight with a record of an alert's size, and closed"}
		p.Add(x)
	}
	addAlike(p, 1001, 1097)
	b.until(topRow + `?.textContent.includes('1097 accepted')`)
	b.do(chromedp.Click(chromedp.CSS(`#failed`)))
	b.until(`document.querySelector('#count').textContent.startsWith('3 of 200 exchanges')`)
	b.until(`[...document.querySelectorAll('#rows .outcome')].map(o => o.textContent).join() === '1000 rejected by the server?,902 rejected by the server?,901 rejected by the server?'`)
	if text := b.text(`#failed`); text != "✗ 3 failed" {
		t.Errorf("the button says %q", text)
	}
	if cut := value[bool](b, `[...document.querySelectorAll('#rows .outcome')].some(o => o.scrollWidth > o.clientWidth)`); cut {
		t.Error("who refused is cut off")
	}
	if lines := value[float64](b, `(() => { const why = document.querySelector('#rows .why'); return why.clientHeight / parseFloat(getComputedStyle(why).lineHeight); })()`); lines < 1.9 {
		t.Errorf("why it was refused has %.1f lines, want two", lines)
	}
	b.picture("failed")
	b.accessible("failed")
	b.do(chromedp.Click(chromedp.CSS(`#failed`)))
	b.until(`document.querySelector('#count').textContent.startsWith('200 exchanges')`)
}

// Whoever has read one exchange to its end sees the next from its beginning,
// where its cause is.
func TestNextFromItsBeginning(t *testing.T) {
	peertest.Need(t, "chromium")
	p := NewPage(Options{})
	s := serve(t, p)
	for _, title := range []string{"first", "second"} {
		x := run(t, "expired-client", tls.VersionTLS13)
		x.Ladder.Title = title
		p.Add(x)
	}
	b := open(t, s.URL(), 1400, 900)
	for id, title := range map[int]string{1: "first", 2: "second"} {
		b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`location.hash = %d`, id)))
		b.until(fmt.Sprintf(`document.querySelector('#exchange h2')?.textContent.includes(%q)`, title))
		if at := value[float64](b, `document.querySelector('#exchange').scrollTop`); at != 0 {
			t.Errorf("exchange %d is shown from %v on", id, at)
		}
		b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('#exchange').scrollTop = 500`))
		b.until(`document.querySelector('#exchange').scrollTop === 500`)
	}
}
