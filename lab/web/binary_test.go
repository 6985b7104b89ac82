package web

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"mtlslab.example/lab/lab/peertest"
)

// built is the folder of the program that build has built; "": it has not.
var built string

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

// build builds lab, and returns the path of the program.
var build = sync.OnceValues(func() (program string, err error) {
	if built, err = os.MkdirTemp("", "lab-web-"); err != nil {
		return "", err
	}
	program = filepath.Join(built, "lab")
	out, err := exec.Command("go", "build", "-o", program, "mtlslab.example/lab").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
})

// labUp is lab up in a folder of its own.
type labUp struct {
	testing.TB
	program, dir string
	command      *exec.Cmd
	said         *said
	address      string // of the server
	page         string // address of the live view; "": there is none
}

// said is what a program has written so far.
type said struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(p)
}

func (s *said) find(pattern *regexp.Regexp) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return pattern.FindStringSubmatch(s.all.String())
}

// startLab starts lab up, and waits for the addresses that it prints.
func startLab(t testing.TB, args ...string) *labUp {
	t.Helper()
	program, err := build()
	must(t, err)
	l := &labUp{TB: t, program: program, dir: t.TempDir(), said: &said{}}
	l.command = l.lab(append([]string{"up", "--addr", "127.0.0.1:" + peertest.FreePort(t)}, args...)...)
	l.command.Stdout, l.command.Stderr = l.said, l.said
	must(t, l.command.Start())
	t.Cleanup(func() { _ = l.command.Process.Kill() })
	l.address = l.await(`(https://127\.0\.0\.1:\d+)`)
	if found := l.said.find(regexp.MustCompile(`(http://127\.0\.0\.1:\d+/\?token=\w+)`)); found != nil {
		l.page = found[1]
	}
	return l
}

// lab is a command of lab in the folder.
func (l *labUp) lab(args ...string) *exec.Cmd {
	c := exec.CommandContext(l.Context(), l.program, args...)
	c.Dir = l.dir
	c.Env = append(os.Environ(), "SSLKEYLOGFILE=")
	return c
}

// await waits for words of lab's, and returns the part in parentheses.
func (l *labUp) await(pattern string) string {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.Context(), 30*time.Second)
	defer cancel()
	for re := regexp.MustCompile(pattern); ; {
		if found := l.said.find(re); found != nil {
			return found[1]
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			l.Fatalf("lab never says %s", pattern)
		}
	}
}

// The program itself: somebody opens the address that lab up prints, and sees
// its exchange; a refused one comes without a click; a certificate that is made
// anew changes in its place; a lesson is found by what a program says, and run;
// at Ctrl-C the page says that the lab has ended, and
// what it has stays.
func TestBinary(t *testing.T) {
	peertest.Need(t, "chromium")
	if runtime.GOOS == "windows" {
		t.Skip("Ctrl-C is sent otherwise there")
	}
	l := startLab(t, "--web", "127.0.0.1:0", "--interval", "1h")
	b := open(t, l.page, 1400, 900)
	b.until(`document.querySelector('#state').textContent === 'Live'`)
	b.until(`document.querySelector('#rows li .outcome')?.textContent === '1 accepted'`)
	b.until(`document.querySelectorAll('.ladder .rung').length > 10`)
	b.picture("up-accepted")
	b.accessible("up-accepted")

	if out, err := l.lab("client", "--addr", strings.TrimPrefix(l.address, "https://"), "--cert", "none", "--count", "1").CombinedOutput(); err == nil {
		t.Fatalf("a client without a certificate is accepted:\n%s", out)
	}
	b.until(`document.querySelectorAll('#rows li').length === 2`)
	if row := b.text(`#rows li`); !strings.Contains(row, "rejected by the server") || !strings.Contains(row, "no certificate") {
		t.Errorf("the client without a certificate is shown as %q", row)
	}
	b.do(chromedp.Click(chromedp.CSS(`#rows li a`)))
	b.until(`document.querySelector('#exchange h2').textContent.includes('rejected by the server')`)
	for _, want := range []string{"What it says is in its own log", "showed\nno certificate", "at the end\nlearns only now: certificate_required"} { // another process
		if said := b.text(`.says.client`); !strings.Contains(said, want) {
			t.Errorf("of a client that is another process the page does not say %q:\n%s", want, said)
		}
	}
	buttons := value[[]string](b, `[...document.querySelectorAll('.lesson-of button')].map(b => b.textContent)`)
	if want := []string{"Run no-client-cert", "Run untrusted-client-withheld", "Run client-withheld-for-eku"}; !slices.Equal(buttons, want) {
		t.Errorf("the lessons are run by %q, want %q", buttons, want)
	}
	took := regexp.MustCompile(` after ([\d.]+ m?s)`).FindStringSubmatch(b.text(`.step`))
	if took == nil || !strings.Contains(b.text(`.facts`), took[1]) {
		t.Errorf("the connection took %q, and above it is %q", took, b.text(`.facts`))
	}
	b.picture("up-refused")
	b.accessible("up-refused")

	b.do(chromedp.Click(chromedp.CSS(`#pki-tab`)))
	b.until(`document.querySelectorAll('.pki .card').length === 4 && !document.querySelector('.pki .badge')`)
	b.picture("up-pki")
	if out, err := l.lab("certs", "regenerate", "client").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b.until(`[...document.querySelectorAll('.pki .badge')].map(x => x.closest('.card').querySelector('b').textContent + ' ' + x.textContent).join() === 'client made anew'`)
	b.picture("up-pki-anew")
	b.accessible("up-pki-anew")
	b.do(chromedp.Click(chromedp.CSS(`#exchanges-tab`)))

	b.do(chromedp.Click(chromedp.CSS(`#lessons-tab`)))
	b.until(`document.querySelectorAll('.lesson').length > 50`)
	b.picture("up-lessons")
	b.accessible("up-lessons")
	b.do(chromedp.SendKeys(chromedp.CSS(`#lessons input`), "sslv3 alert certificate expired"))
	b.until(`document.querySelector('.lesson .name')?.textContent === 'expired-client'`)
	b.do(chromedp.Click(chromedp.CSS(`.lesson button:nth-child(2)`)))
	b.until(`document.querySelector('#exchange h2').textContent.startsWith('expired-client, TLS 1.3')`)
	b.do(chromedp.Click(chromedp.CSS(`#exchanges-tab`)))
	b.until(`document.querySelectorAll('#rows li').length === 3`)
	b.do(chromedp.EmulateViewport(1280, 960))
	b.picture("up-lesson")
	b.accessible("up-lesson")
	b.do(chromedp.EmulateViewport(1400, 900))

	must(t, l.command.Process.Signal(os.Interrupt))
	b.until(`document.querySelector('#state').textContent.startsWith('The lab has ended')`)
	if err := l.command.Wait(); err != nil {
		t.Errorf("lab up after Ctrl-C: %v", err)
	}
	b.do(chromedp.Click(chromedp.CSS(`#rows li:nth-child(2) a`))) // it was never opened
	b.until(`document.querySelector('#exchange h2').textContent.includes('rejected by the server')`)
	b.until(`document.querySelectorAll('.ladder .rung').length > 5`)
	b.picture("up-ended")
	b.accessible("up-ended")
}
