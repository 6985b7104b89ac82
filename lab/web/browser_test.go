package web

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
)

var pictures = flag.String("pictures", "", "a folder for pictures of the page in its states")

// tab is a tab of a headless Chromium. It fails the test if the page complains
// or asks another machine for anything.
type tab struct {
	testing.TB
	ctx   context.Context
	close func() // closes the browser; so does the end of the test
	// complains says that the browser may complain on the console.
	complains bool
}

// open opens an address in a browser of its own, with a window of that size.
func open(t testing.TB, address string, width, height int, flags ...chromedp.ExecAllocatorOption) *tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	must(t, err)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(width, height), chromedp.NoSandbox)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(options, flags...)...)
	t.Cleanup(cancel)
	b := &tab{TB: t}
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithListener(func(event any) {
		if t.Context().Err() != nil {
			return // the test has ended, and with it the lab under the page
		}
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("the page: %v", e.ExceptionDetails)
		case *log.EventEntryAdded:
			if e.Entry.Level == "error" && !b.complains {
				t.Errorf("the page: %s %s", e.Entry.Text, e.Entry.URL)
			}
		case *network.EventRequestWillBeSent:
			if at := e.Request.URL; !isHere(at) {
				t.Errorf("the page asks for %s", at)
			}
		}
	}))
	t.Cleanup(cancel)
	must(t, chromedp.Do(ctx)) // without a timeout, which would be the browser's
	b.ctx, b.close = ctx, cancel
	b.do(chromedp.EmulateViewport(int64(width), int64(height)), chromedp.Navigate(address))
	return b
}

// isHere reports whether an address is on this machine.
func isHere(address string) bool {
	for _, start := range []string{"http://127.0.0.1:", "file:", "data:", "blob:", "about:"} {
		if strings.HasPrefix(address, start) {
			return true
		}
	}
	return false
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

// until waits until an expression is true on the page.
func (b *tab) until(expression string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	for {
		err := chromedp.Do(ctx, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingInterval(20*time.Millisecond)))
		switch {
		case err == nil:
			return
		case strings.Contains(err.Error(), "Cannot find context"), strings.Contains(err.Error(), "target navigated"): // another page has come meanwhile
		default:
			b.Fatalf("never true: %s: %v", expression, err)
		}
	}
}

// text is the text of the first element of that kind.
func (b *tab) text(selector string) string {
	b.Helper()
	return value[string](b, fmt.Sprintf("document.querySelector(%q).innerText", selector))
}

// value is what an expression is on the page.
func value[T any](b *tab, expression string, options ...chromedp.EvaluateOption) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, options...))
	must(b.TB, err)
	return v
}

// accessible lets axe-core look at the page as it is, where $LAB_AXE names its
// script.
func (b *tab) accessible(state string) {
	b.Helper()
	path := os.Getenv("LAB_AXE")
	if path == "" {
		return
	}
	script, err := os.ReadFile(path)
	must(b.TB, err)
	type violation struct{ ID, Help, Nodes string }
	b.do(chromedp.Evaluate[chromedp.Void](string(script) + "; 0"))
	ctx, cancel := context.WithTimeout(b.ctx, 60*time.Second)
	defer cancel()
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]violation](`axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v =>
		({ID: v.id, Help: v.help, Nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + ' ' + n.failureSummary).join('; ')})))`, chromedp.EvalAwaitPromise))
	must(b.TB, err)
	for _, v := range found {
		b.Errorf("axe-core, %s: %s: %s: %s", state, v.ID, v.Help, v.Nodes)
	}
}

// settle waits until nothing moves.
func (b *tab) settle() {
	b.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](`new Promise(settled => {
		let last = '';
		const look = () => {
			const now = [scrollY, ...[...document.querySelectorAll('*')].map(e => e.scrollTop)].join();
			if (now === last && !document.getAnimations().some(a => a.playState === 'running')) return settled();
			last = now;
			setTimeout(look, 100);
		};
		look();
	})`, chromedp.EvalAwaitPromise))
}

// picture takes one, where they are wanted.
func (b *tab) picture(name string) {
	b.Helper()
	if *pictures == "" {
		return
	}
	b.settle()
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	must(b.TB, err)
	must(b.TB, os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o600))
}

// media shows the page as it is printed, or "" as it is.
func (b *tab) media(name string) {
	b.Helper()
	_, err := chromedp.Run(b.ctx, func(ctx context.Context, t *chromedp.Target) (cdp.Empty, error) {
		return cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: name})
	})
	must(b.TB, err)
}

// Somebody opens the page, sees an exchange appear, goes through it, and looks
// at its bytes.
func TestPage(t *testing.T) {
	peertest.Need(t, "chromium")
	refused, accepted := run(t, "expired-client", tls.VersionTLS13), run(t, "ecdsa-p384", tls.VersionTLS12)
	var listed atomic.Pointer[[]json.RawMessage]
	listed.Store(&[]json.RawMessage{json.RawMessage(`{"name": "ca", "subject": "CN=ca", "issuer": "ca", "ca": true, "sans": [], "key": "EC 256", "not_after": "2199-01-02T00:00:00Z", "sha256": "01", "state": "ok"}`),
		json.RawMessage(`{"name": "client", "subject": "CN=client", "issuer": "ca", "sans": [], "key": "EC 256", "sha256": "02", "state": "missing"}`)})
	p := NewPage(Options{Title: "lab up", Live: true, PKI: func() ([]json.RawMessage, error) { return *listed.Load(), nil }, Lessons: oneLesson{t}, Showing: func(*verdict.Verdict, *tlsdecrypt.Connection) (string, []string) {
		return "expired-client", []string{"another"}
	}})
	s := serve(t, p)
	b := open(t, s.URL(), 1400, 900)
	b.until(`document.querySelector('#state').textContent === 'Live'`)
	if at := value[string](b, `location.href`); strings.Contains(at, s.guard.token) {
		t.Errorf("the token is still in the address: %s", at)
	}
	p.Add(accepted)
	b.until(`document.querySelectorAll('#rows li').length === 1`)
	b.until(`document.querySelectorAll('.ladder .rung').length > 10`)
	p.Add(refused)
	b.until(`document.querySelectorAll('#rows li').length === 2`)
	if top := b.text(`#rows li`); !strings.Contains(top, "rejected by the server") || !strings.Contains(top, "expired") {
		t.Errorf("the newest exchange is not the first: %s", top)
	}
	b.picture("accepted12")
	b.accessible("accepted12")
	b.do(chromedp.Click(chromedp.CSS(`#rows li a`)))
	b.until(`document.querySelector('#exchange h2').textContent.includes('expired-client')`)
	if lessons := value[string](b, `[...document.querySelectorAll(".lesson-of code")].map(c => c.textContent).join("\n")`); lessons != "lab scenario run expired-client\nlab scenario run another" {
		t.Errorf("the lessons are %q, want the one of the fault and the one that looks the same", lessons)
	}
	b.picture("refused13")

	// Keys go from row to row in the list, and from step to step in the ladder.
	b.do(chromedp.Focus(chromedp.CSS(`#rows a`)), chromedp.KeyEvent(kb.ArrowDown))
	b.until(`document.querySelector('#exchange h2').textContent.includes('ecdsa-p384')`)
	b.do(chromedp.KeyEvent(kb.ArrowUp))
	b.until(`document.querySelector('#exchange h2').textContent.includes('expired-client')`)
	b.do(chromedp.Focus(chromedp.CSS(`.stops button`)), chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelector('.where').textContent.startsWith('step 1 of')`)
	b.do(chromedp.KeyEvent("a"))
	b.until(`!document.querySelector('.ladder .later')`)
	b.do(chromedp.KeyEvent(kb.ArrowRight))
	b.until(`document.querySelector('.where').textContent.startsWith('step 1 of')`)
	if said := b.text(`.step h3`); said != "ClientHello" {
		t.Errorf("the first step is %q, want ClientHello", said)
	}
	b.do(chromedp.MouseClickXY(1, 1)) // nothing is pointed at
	checkFields(b)
	b.picture("bytes")
	b.accessible("bytes")

	b.do(chromedp.KeyEvent(kb.End))
	b.until(`document.querySelectorAll('.ladder .later').length === 0`)
	b.until(`document.querySelector('.step h3').textContent.startsWith('Alert: ')`)
	if named := value[string](b, `[...document.querySelectorAll('.step .field b')].map(f => f.textContent).join()`); named != "level,description" {
		t.Errorf("the fields of an alert are %q, want level and description", named)
	}
	b.do(chromedp.KeyEvent(kb.Home))
	b.until(`document.querySelectorAll('.ladder .later').length > 10`)
	b.until(`document.querySelector('.ladder .now text').textContent === 'ClientHello'`)
	for range 11 { // to the moment in which the client believes that it is in
		b.do(chromedp.KeyEvent(kb.ArrowRight))
	}
	b.picture("believes")

	b.do(chromedp.KeyEvent("p"))
	b.until(`document.body.classList.contains('presenting')`)
	b.do(chromedp.KeyEvent("n"))
	b.picture("presenter")
	b.accessible("presenter")
	b.do(chromedp.KeyEvent("p"), chromedp.KeyEvent("t"), chromedp.KeyEvent("t"), chromedp.KeyEvent("a"))
	b.until(`document.documentElement.dataset.theme === 'dark'`)
	b.picture("dark")
	b.accessible("dark")
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('.papers').scrollIntoView()`))
	b.picture("certificates")
	b.accessible("certificates")
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('.arithmetic summary').click()`))
	if shown := value[int](b, `[...document.querySelectorAll('.arithmetic li')].filter(li => /^key /.test(li.textContent) && li.querySelector('code')).length`); shown != 0 {
		t.Errorf("%d keys are shown unasked", shown)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('.arithmetic button').click()`))
	b.until(`[...document.querySelectorAll('.arithmetic li')].filter(li => /^key /.test(li.textContent) && li.querySelector('code')).length === 4`)
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector(".arithmetic").scrollIntoView()`))
	b.picture("arithmetic")
	b.accessible("arithmetic")
	checkLessons(b)
	checkPKI(b, &listed)
	b.do(chromedp.Evaluate[chromedp.Void](`history.back()`))
	b.until(`document.querySelector('.ladder')`)
	b.do(chromedp.EmulateViewport(390, 844))
	b.until(`document.querySelector('.ladder').clientWidth < 390`)
	if wide := value[int](b, `document.documentElement.scrollWidth`); wide > 390 {
		t.Errorf("at 390 pixels the page is %d wide", wide)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('.drawing').scrollIntoView()`))
	b.picture("narrow")
	b.accessible("narrow")

	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('header').scrollIntoView()`))
	b.picture("narrow-top")
	for _, width := range []int64{1000, 390} { // the words of a step are at the lower edge
		b.do(chromedp.EmulateViewport(width, 844))
		b.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll('.stops button')[8].click()`))
		b.settle()
		if at := value[[]float64](b, `[document.querySelector('.ladder .now').getBoundingClientRect().bottom, document.querySelector('.step').getBoundingClientRect().top, document.querySelector('.step').getBoundingClientRect().bottom]`); at[0] > at[1] || at[2] < 840 {
			t.Errorf("at %d pixels a step ends at %.0f, and its words are from %.0f to %.0f", width, at[0], at[1], at[2])
		}
	}
	b.picture("narrow-message")
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll('.stops button')[1].click()`))
	b.do(chromedp.KeyEvent("p"))
	if wide := value[int](b, `document.querySelector('.ladder').clientWidth`); wide < 300 {
		t.Errorf("presented at 390 pixels, the ladder has %d of them", wide)
	}
	b.do(chromedp.KeyEvent("p"))
	b.picture("narrow-step")
	b.accessible("narrow-step")
	b.do(chromedp.EmulateViewport(1400, 2400))
	b.media("print")
	b.until(`getComputedStyle(document.querySelector('#list')).display === 'none'`)
	b.picture("print")
	b.media("")
	b.do(chromedp.EmulateViewport(1280, 720), chromedp.KeyEvent("t"))
	b.picture("projector")

	must(t, s.Close())
	b.until(`document.querySelector('#state').textContent.startsWith('The lab has ended')`)
}

// Of a refusal of which only the other side knows why, the likeliest causes are
// in sight, and the others at a click. A connection of a file has both its
// numbers: that of the TCP stream, and that which the lab gave it.
func TestCauses(t *testing.T) {
	peertest.Need(t, "chromium")
	x := run(t, "untrusted-server", tls.VersionTLS13)
	x.Exchange = OfConnection(x.Wire, &x.Verdict)
	for _, cause := range []string{"first", "second", "third", "fourth", "fifth"} {
		x.Causes = append(x.Causes, verdict.Cause{Text: cause, Tell: "look"})
	}
	x.Ladder = ladder.Options{Stream: true}
	x.Number, x.Wire.Number, x.Wire.Comments = 0, 0, []string{"exchange 1"}
	p := NewPage(Options{Title: "lab.pcapng"})
	p.Add(x)
	b := open(t, serve(t, p).URL(), 1400, 900)
	b.until(`document.querySelector('#exchange h2')?.textContent.startsWith('TCP stream 0 (exchange 1 of the lab)')`)
	if seen := b.text(`.causes`); !strings.Contains(seen, "the likeliest first") || !strings.Contains(seen, "third: look") || strings.Contains(seen, "fourth") || !strings.Contains(seen, "2 more causes, less likely") {
		t.Errorf("of the possible causes are in sight:\n%s", seen)
	}
	b.picture("causes")
	b.accessible("causes")
}

// A client whose turn to show a certificate has not come is not said to have
// none.
func TestShowedNothingYet(t *testing.T) {
	peertest.Need(t, "chromium")
	p := NewPage(Options{Title: "lab up", Live: true})
	s := serve(t, p)
	for scenario, want := range map[string]string{"self-signed-server": "nothing: its turn had not come", "no-common-cipher": "nothing: its turn had not come", "no-client-cert": "no certificate"} {
		p.Add(run(t, scenario, tls.VersionTLS12))
		b := open(t, s.URL(), 1400, 900)
		b.until(`document.querySelector('.says.client dd')`)
		if said := b.text(`.says.client dd`); said != want {
			t.Errorf("%s: the client showed %q, want %q", scenario, said, want)
		}
		if row := b.text(`#rows li .who`); strings.Contains(row, "no certificate") != (want == "no certificate") {
			t.Errorf("%s: the client showed %q, and the list has %q", scenario, want, row)
		}
		b.close()
	}
}

// checkLessons finds a lesson by what a program says, and runs it with both
// versions: they stand beside each other.
func checkLessons(b *tab) {
	b.Helper()
	b.do(chromedp.Click(chromedp.CSS(`#lessons-tab`)))
	b.until(`document.querySelectorAll('.lesson').length === 1`)
	b.do(chromedp.SendKeys(chromedp.CSS(`#lessons input`), "nothing"))
	b.until(`document.querySelectorAll('.lesson').length === 0`)
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('#lessons input').value = ''`), chromedp.SendKeys(chromedp.CSS(`#lessons input`), "expired"))
	b.until(`document.querySelectorAll('.lesson').length === 1`)
	b.do(chromedp.Click(chromedp.CSS(`.lesson button:last-child`)))
	b.until(`document.querySelectorAll('.compared tbody tr').length > 15`)
	differs := value[string](b, `[...document.querySelectorAll('tr.differs th')].map(th => th.textContent).join(', ')`)
	if !strings.Contains(differs, "version") || !strings.Contains(differs, "the client learned of it") || strings.Contains(differs, "code") {
		b.Errorf("between the versions the page marks: %s", differs)
	}
	stages := value[string](b, `[...document.querySelectorAll('.compared tr:has(ol) > th')].map(th => th.textContent).join(', ')`)
	if want := "the server confirms that nobody changed a byte, show who the client is, the client confirms that nobody changed a byte"; !strings.Contains(stages, want) {
		b.Errorf("between the versions the stages are: %s", stages)
	}
	b.picture("compared")
	b.accessible("compared")
}

// checkPKI looks at the certificates of the manifest, and again after one was
// made.
func checkPKI(b *tab, listed *atomic.Pointer[[]json.RawMessage]) {
	b.Helper()
	b.do(chromedp.Click(chromedp.CSS(`#pki-tab`)))
	b.until(`document.querySelector('.pki .pki b')?.textContent === 'client'`)
	if state := b.text(`.pki .pki p`); state != "missing" {
		b.Errorf("the client's certificate is %q, want missing", state)
	}
	listed.Store(&[]json.RawMessage{(*listed.Load())[0], json.RawMessage(`{"name": "client", "subject": "CN=client", "issuer": "ca", "sans": [], "key": "EC 256", "sha256": "03", "state": "ok"}`)})
	b.until(`document.querySelector('.pki .pki .badge')?.textContent === 'made anew'`)
	if said := b.text(`.pki .pki .differences`); said != "state missing → ok" {
		b.Errorf("of the certificate that was made the page says %q", said)
	}
	b.picture("pki")
	b.accessible("pki")
	b.do(chromedp.Click(chromedp.CSS(`#exchanges-tab`)))
}

// checkFields points at a field and at a byte: each lights the other.
func checkFields(b *tab) {
	b.Helper()
	b.do(chromedp.ScrollIntoView(chromedp.CSS(`.fields [data-field="0"]`)))
	const version = `[...document.querySelectorAll('.field')].find(f => f.textContent.startsWith('legacy_version'))`
	b.do(chromedp.Evaluate[chromedp.Void](version + `.dispatchEvent(new MouseEvent('mouseover', {bubbles: true}))`))
	b.until(`[...document.querySelectorAll('.byte.lit')].map(c => c.textContent).join('') === '0303'`)
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('[data-byte="0"]').dispatchEvent(new MouseEvent('mouseover', {bubbles: true}))`))
	b.until(`document.querySelector('.field.lit').textContent.startsWith('msg_type')`)
	if said := b.text(`.about`); !strings.Contains(said, "RFC") {
		b.Errorf("of the first byte the page says %q, without a section of an RFC", said)
	}
}

// A file that was saved opens from disk, and what a peer has sent stays text in
// it.
func TestFile(t *testing.T) {
	peertest.Need(t, "chromium")
	x := run(t, "expired-client", tls.VersionTLS13)
	x.Client.Certificate, x.Reason, x.Client.Error, x.ClientAddr, x.TLS.ServerName = hostile, hostile, hostile, hostile, hostile
	x.Ladder.Title = hostile
	for _, m := range x.Wire.Messages {
		if m.HTTP != nil {
			m.HTTP.Line, m.HTTP.Target = hostile, hostile
			m.HTTP.Headers = append(m.HTTP.Headers, httpwire.Header{Name: hostile, Value: hostile})
		}
	}
	p := NewPage(Options{Title: hostile})
	p.Add(x)
	name := filepath.Join(t.TempDir(), "saved.html")
	f, err := os.Create(name)
	must(t, err)
	_, err = p.WriteHTML(f)
	must(t, err)
	must(t, f.Close())
	b := open(t, "file://"+name, 1400, 900)
	b.until(`document.querySelectorAll('.ladder .rung').length > 10`)
	b.do(chromedp.KeyEvent(kb.End))
	for range 3 { // the request
		b.do(chromedp.KeyEvent(kb.ArrowLeft))
	}
	if elements := value[int](b, `document.querySelectorAll('img, iframe, script:not([type="module"]):not(#data)').length`); elements != 0 {
		t.Errorf("the page has %d elements that a peer has sent", elements)
	}
	if title := b.text(`#exchange h2`); !strings.Contains(title, "</script><script>alert(1)</script>") || strings.ContainsRune(title, '\u202e') {
		t.Errorf("the name of the exchange is shown as %q", title)
	}
	b.picture("file")
	b.accessible("a file from disk")
	if saved := value[bool](b, `[...document.querySelectorAll('.take a')].length === 0`); !saved {
		t.Error("a file from disk offers what only a server has")
	}
}
