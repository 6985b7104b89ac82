package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/css"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"mtlslab.example/lab/lab/peertest"
)

// These measure the live view of lab up as its user has it: the program itself,
// in Chromium. Each figure is the median of its rounds, and -benchtime 1x is
// enough.

// BenchmarkPagePaint measures the first paint, on loopback, and how much is
// fetched for it.
func BenchmarkPagePaint(b *testing.B) {
	peertest.Need(b, "chromium")
	l := startLab(b, "--web", "127.0.0.1:0")
	page := openUnobserved(b, l.page)
	var first, rows, bytes []float64
	for range 15 {
		page.settle() // or else the end of the page before would be measured
		page.do(chromedp.Navigate(l.page))
		page.until(`document.querySelector('.ladder') && performance.getEntriesByName('first-contentful-paint').length`)
		got := value[[]float64](page, `(() => {
			const nav = performance.getEntriesByType('navigation')[0];
			const size = performance.getEntriesByType('resource').filter(r => /static|page\.js/.test(r.name)).reduce((n, r) => n + r.transferSize, nav.transferSize);
			return [performance.getEntriesByName('first-contentful-paint')[0].startTime, nav.domContentLoadedEventEnd, size];
		})()`)
		first, rows, bytes = append(first, got[0]), append(rows, got[1]), append(bytes, got[2])
	}
	b.ReportMetric(median(first), "ms-first-paint")
	b.ReportMetric(median(rows), "ms-scripts-run")
	b.ReportMetric(median(bytes), "bytes-fetched")
}

// openUnobserved opens an address in a browser that tells the test nothing of
// what the page fetches and changes: with it, each event of the stream is sent
// on to the test, which would be measured as the cost of the page.
func openUnobserved(b *testing.B, address string) *tab {
	page := open(b, "about:blank", 1400, 900)
	_, err := chromedp.Run(page.ctx, func(ctx context.Context, t *chromedp.Target) (cdp.Empty, error) {
		for _, disable := range []cdp.Command[cdp.Empty, cdp.Empty]{network.Disable, css.Disable} {
			if _, err := cdp.Call(ctx, t, disable, cdp.Empty{}); err != nil {
				return cdp.Empty{}, err
			}
		}
		return cdp.Empty{}, nil
	})
	must(b, err)
	page.do(chromedp.Navigate(address))
	return page
}

// BenchmarkPageAppears measures how long after its end an exchange is on the
// screen.
func BenchmarkPageAppears(b *testing.B) {
	peertest.Need(b, "chromium")
	l := startLab(b, "--web", "127.0.0.1:0", "--interval", "300ms")
	page := openUnobserved(b, l.page)
	page.until(`document.querySelector('#rows li')`)
	page.do(chromedp.Evaluate[chromedp.Void](`window.seen = {}; window.since = Date.now(); new MutationObserver(() => requestAnimationFrame(() => {
		for (const a of document.querySelectorAll('#rows a')) window.seen[a.hash.slice(1)] ??= performance.timeOrigin + performance.now();
	})).observe(document.querySelector('#rows'), {childList: true}); 0`))
	page.until(`Object.keys(window.seen).length > 20`)
	late := value[[]float64](page, `(async () => {
		const late = [];
		for (const [id, at] of Object.entries(window.seen)) {
			const x = await (await fetch('/exchanges/' + id)).json();
			const ended = Date.parse(x.time) + x.duration_ms;
			if (ended > window.since) late.push(at - ended); // or else it was there before the page
		}
		return late;
	})()`, chromedp.EvalAwaitPromise)
	b.ReportMetric(median(late), "ms-to-the-screen")
	b.ReportMetric(slices.Max(late), "ms-to-the-screen-at-most")
}

// BenchmarkPageScroll measures the longest task while a list of 1,000 is
// scrolled from end to end, and the memory of page and server after 2,000
// exchanges and after 6,000: of the server what is resident, and what of its
// heap was in use at the last collection.
func BenchmarkPageScroll(b *testing.B) {
	peertest.Need(b, "chromium")
	b.Setenv("GODEBUG", "gctrace=1")
	l := startLab(b, "--web", "127.0.0.1:0", "--interval", "1h")
	page := openUnobserved(b, l.page)
	page.until(`document.querySelector('#rows li')`)
	c := l.caller()
	c.calls(b, 1000)
	page.until(`document.querySelector('#count').textContent.startsWith('1,000 exchanges')`)
	page.do(chromedp.Evaluate[chromedp.Void](`window.long = []; new PerformanceObserver(list => window.long.push(...list.getEntries().map(e => e.duration))).observe({type: 'longtask'}); 0`))
	long := value[[]float64](page, `(async () => {
		const scroll = document.querySelector('#scroll');
		const end = scroll.scrollHeight - scroll.clientHeight;
		for (const way of [1, -1, 1]) for (let at = 0; at <= end; at += 400) {
			scroll.scrollTop = way > 0 ? at : end - at;
			await new Promise(requestAnimationFrame);
		}
		await new Promise(done => setTimeout(done, 200));
		return [0, ...window.long];
	})()`, chromedp.EvalAwaitPromise)
	b.ReportMetric(slices.Max(long), "ms-longest-task-over-50")
	c.calls(b, 1000) // from now on each new one takes the place of an old one
	page.until(`document.querySelector('#count').textContent.includes('older ones')`)
	heap, resident, live := page.heap(), l.resident(b), l.live(b)
	c.calls(b, 4000)
	page.until(`document.querySelector('#count').textContent.includes('; 5,001 older ones')`)
	b.ReportMetric(page.heap()/heap, "heap-after-6000/after-2000")
	b.ReportMetric(l.resident(b)/resident, "resident-after-6000/after-2000")
	b.ReportMetric(l.live(b)/live, "live-after-6000/after-2000")
	b.ReportMetric(heap/(1<<20), "MiB-heap")
	b.ReportMetric(live, "MiB-live")
	b.ReportMetric(resident/(1<<20), "MiB-resident")
}

// BenchmarkPageThroughput measures handshakes a second of 16 connections at a
// time, with the page open, against those with --web off next to it: pairs, of
// which each is now the first and now the second, since the machine may be
// faster at one time than at another, and the client is faster later on. The
// browser is the same one all the time, with an empty page in place of that of
// lab: one that has just started is busy with itself for seconds.
func BenchmarkPageThroughput(b *testing.B) {
	peertest.Need(b, "chromium")
	var ratio, without, processor []float64
	browser := openUnobserved(b, "about:blank")
	rateOf(b, browser, false) // warm up
	for pair := range 20 {
		watched := pair%2 == 0
		rate, spent := rateOf(b, browser, watched)
		rateOff, spentOff := rateOf(b, browser, !watched)
		if !watched {
			rate, spent, rateOff, spentOff = rateOff, spentOff, rate, spent
		}
		ratio, without, processor = append(ratio, rate/rateOff), append(without, rateOff), append(processor, spentOff/spent)
	}
	b.ReportMetric(median(ratio), "handshakes/those-of-off")
	b.ReportMetric(median(processor), "handshakes-by-processor-time/those-of-off")
	b.ReportMetric(median(without), "handshakes-a-second-with-off")
}

// rateOf starts lab up, watched in a browser or with --web off, and returns how
// many handshakes a second there are, and the processor time of lab for one, in
// seconds.
func rateOf(b *testing.B, browser *tab, watched bool) (rate, spent float64) {
	addr := "off"
	if watched {
		addr = "127.0.0.1:0"
	}
	l := startLab(b, "--web", addr, "--interval", "1h")
	defer l.end(b)
	if watched {
		browser.do(chromedp.Navigate(l.page))
		defer browser.do(chromedp.Navigate("about:blank"))
		browser.until(`document.querySelector('.ladder')`)
	}
	c := l.caller()
	c.calls(b, 300)
	before, began := l.processor(b), time.Now()
	const many = 4000
	c.calls(b, many)
	return many / time.Since(began).Seconds(), (l.processor(b) - before) / many
}

// end ends lab with Ctrl-C.
func (l *labUp) end(b *testing.B) {
	must(b, l.command.Process.Signal(os.Interrupt))
	must(b, l.command.Wait())
}

// heap is the memory of the page's scripts, in bytes, without what is garbage.
func (b *tab) heap() float64 {
	used, err := chromedp.Run(b.ctx, func(ctx context.Context, t *chromedp.Target) (float64, error) {
		if _, err := cdp.Call(ctx, t, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
			return 0, err
		}
		usage, err := cdp.Call(ctx, t, runtime.GetHeapUsage, cdp.Empty{})
		return usage.UsedSize, err
	})
	must(b.TB, err)
	return used
}

// resident is the memory of lab, in bytes.
func (l *labUp) resident(b *testing.B) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", l.command.Process.Pid))
	must(b, err)
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kib float64
	_, err = fmt.Sscan(rest, &kib)
	must(b, err)
	return kib * 1024
}

// live is how much of lab's heap was in use at the last collection, in MiB, as
// GODEBUG=gctrace=1 has lab say.
func (l *labUp) live(b *testing.B) (mib float64) {
	l.said.mu.Lock()
	defer l.said.mu.Unlock()
	for _, gc := range regexp.MustCompile(`(?m)^gc \d+ .*->(\d+) MB, `).FindAllStringSubmatch(l.said.all.String(), -1) {
		_, err := fmt.Sscan(gc[1], &mib)
		must(b, err)
	}
	return mib
}

// processor is the processor time of lab so far, in seconds.
func (l *labUp) processor(b *testing.B) float64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", l.command.Process.Pid))
	must(b, err)
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')'):]))
	var user, system float64
	_, err = fmt.Sscan(fields[12]+" "+fields[13], &user, &system) // the name, which is the second, ends before (proc(5))
	must(b, err)
	return (user + system) / 100
}

// caller calls lab, each time on a new connection.
type caller struct {
	address string
	client  *http.Client
}

// caller returns one that shows the client's certificate.
func (l *labUp) caller() *caller {
	certs := filepath.Join(l.dir, "certs")
	pair, err := tls.LoadX509KeyPair(filepath.Join(certs, "client.pem"), filepath.Join(certs, "client-key.pem"))
	must(l.TB, err)
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(certs, "server-ca.pem"))
	must(l.TB, err)
	roots.AppendCertsFromPEM(ca)
	return &caller{l.address, &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}},
	}}}
}

// calls makes that many, 16 at a time.
func (c *caller) calls(b *testing.B, many int64) {
	var left atomic.Int64
	left.Store(many)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				response, err := c.client.Get(c.address)
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
		})
	}
	all.Wait()
}

func median(all []float64) float64 {
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}
