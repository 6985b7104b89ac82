package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"mtlslab.example/lab/lab/peertest"
)

// hostileClient returns a client whose certificate, of the lab's own CA, is
// full of HTML.
func hostileClient(l *labUp) *http.Client {
	certs := filepath.Join(l.dir, "certs")
	ca, err := tls.LoadX509KeyPair(filepath.Join(certs, "client-ca.pem"), filepath.Join(certs, "client-ca-key.pem"))
	must(l.TB, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(l.TB, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(666), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		Subject:     pkix.Name{CommonName: hostile, Organization: []string{`"><iframe src=javascript:alert(3)>`}},
		DNSNames:    []string{`<svg/onload=alert(4)>`},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Leaf, key.Public(), ca.PrivateKey)
	must(l.TB, err)
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}}}
}

// A peer whose certificate, path and headers are HTML and script has them shown
// as text, in the list, in each step and in a saved page, and nothing of it
// runs.
func TestHostilePeer(t *testing.T) {
	peertest.Need(t, "chromium")
	l := startLab(t, "--web", "127.0.0.1:0", "--interval", "1h")
	b := open(t, l.page, 1400, 900)
	b.until(`document.querySelector('#rows li')`)
	b.do(chromedp.Evaluate[chromedp.Void](`window.alert = () => document.body.classList.add('pwned'); 0`))
	request, err := http.NewRequestWithContext(t.Context(), "GET", l.address+"/%3Cscript%3Ealert(5)%3C/script%3E?<img/src=x/onerror=alert(6)>", nil)
	must(t, err)
	request.Header.Set("X-Hostile", `</script><script>alert(7)</script>`)
	request.Header.Set("User-Agent", `<style>*{display:none}</style>`)
	response, err := hostileClient(l).Do(request)
	must(t, err)
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	b.until(`document.querySelectorAll('#rows li').length === 2`)
	if row := b.text(`#rows li .who`); !strings.Contains(row, "alert(1)") {
		t.Errorf("the list shows the certificate as %q", row)
	}
	b.do(chromedp.Click(chromedp.CSS(`#rows li a`)))
	b.until(`document.querySelector('#exchange h2').textContent.startsWith('Exchange 2')`)
	shown := value[string](b, `(() => {
		let all = '';
		for (const rung of document.querySelectorAll('.ladder .rung')) {
			rung.dispatchEvent(new MouseEvent('click'));
			all += document.querySelector('#exchange').textContent;
		}
		return all;
	})()`)
	for _, want := range []string{"alert(1)", "alert(4)", "alert(6)", "alert(7)", "*{display:none}"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no step shows %s", want)
		}
	}
	if bad := value[int](b, `document.querySelectorAll('img, iframe, .pwned, #exchange style, #exchange script, svg[onload]').length`); bad != 0 {
		t.Errorf("%d elements on the page are the peer's", bad)
	}
	status, page := fetchInPage(b, "/exchanges/2/page.html")
	if status != 200 || strings.Contains(page, "<script>alert") || strings.Contains(page, "<style>*") || strings.Contains(page, "<svg/onload") {
		t.Errorf("the saved page (%d) has what the peer has sent as HTML", status)
	}
}

// fetchInPage fetches a path as the page does.
func fetchInPage(b *tab, path string) (status int, body string) {
	b.Helper()
	got := value[struct {
		Status int    `json:"status"`
		Body   string `json:"body"`
	}](b, fmt.Sprintf(`fetch(%q).then(async r => ({status: r.status, body: await r.text()}))`, path), chromedp.EvalAwaitPromise)
	return got.Status, got.Body
}

// A page of somebody else's, open in the same browser, which has the cookie,
// neither starts a lesson nor reads anything.
func TestForeignPage(t *testing.T) {
	peertest.Need(t, "chromium")
	l := startLab(t, "--web", "127.0.0.1:0", "--interval", "1h")
	b := open(t, l.page, 1400, 900)
	b.until(`document.querySelector('#rows li')`)
	lab := strings.Split(l.page, "/?")[0]
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><link rel="icon" href="data:,"><title>foreign</title><iframe name="there"></iframe><form method="post" target="there" action="%s/lessons/mtls?tls=TLS+1.3"></form>`, lab)
	}))
	defer foreign.Close()
	b.complains = true // the browser says on the console what it has refused
	b.do(chromedp.Navigate(foreign.URL))
	b.until(`document.title === 'foreign'`)
	tried := value[[]string](b, fmt.Sprintf(`(async () => {
		document.forms[0].submit();
		const lab = %q;
		const reached = [];
		for (const [method, path] of [['POST', '/lessons/mtls?tls=TLS+1.3'], ['GET', '/exchanges/1'], ['GET', '/exchanges/1/secrets'], ['GET', '/events']]) {
			for (const mode of ['cors', 'no-cors']) {
				try {
					const r = await fetch(lab + path, {method, mode, credentials: 'include'});
					if (r.type !== 'opaque') reached.push(method + ' ' + path + ' ' + r.status);
				} catch {}
			}
		}
		return reached;
	})()`, lab), chromedp.EvalAwaitPromise)
	if len(tried) != 0 {
		t.Errorf("another page has reached %v", tried)
	}
	b.do(chromedp.Navigate(l.page))
	b.until(`document.querySelector('#rows li')`)
	if n := value[int](b, `document.querySelectorAll('#rows li').length`); n != 1 {
		t.Errorf("there are %d exchanges: another page has run a lesson", n)
	}
}
