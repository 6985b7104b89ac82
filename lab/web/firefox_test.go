package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"mtlslab.example/lab/lab/peertest"
)

// firefox is a tab of a headless Firefox, driven by WebDriver BiDi. It fails
// the test if the page complains or asks another machine for anything.
type firefox struct {
	testing.TB
	conn *websocket.Conn
	tab  string
	id   int
}

// openFirefox opens an address in a Firefox of its own.
func openFirefox(t testing.TB, address string) *firefox {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, "firefox", "--headless", "--no-remote", "--profile", t.TempDir(), "--remote-debugging-port", "0", "--remote-allow-origins", "http://127.0.0.1", "about:blank")
	cmd.WaitDelay = 10 * time.Second
	output, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	var at string
	for lines := bufio.NewScanner(output); at == "" && lines.Scan(); {
		if found := regexp.MustCompile(`WebDriver BiDi listening on (ws://\S+)`).FindStringSubmatch(lines.Text()); found != nil {
			at = found[1]
		}
	}
	if at == "" {
		t.Fatal("Firefox does not say where it listens")
	}
	go func() { _, _ = io.Copy(io.Discard, output) }()
	conn, err := websocket.Dial(at+"/session", "", "http://127.0.0.1")
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	f := &firefox{TB: t, conn: conn}
	f.call("session.new", map[string]any{"capabilities": map[string]any{}}, nil)
	f.call("session.subscribe", map[string]any{"events": []string{"log.entryAdded", "network.beforeRequestSent"}}, nil)
	var tree struct {
		Contexts []struct {
			Context string `json:"context"`
		} `json:"contexts"`
	}
	f.call("browsingContext.getTree", map[string]any{}, &tree)
	f.tab = tree.Contexts[0].Context
	f.call("browsingContext.navigate", map[string]any{"context": f.tab, "url": address, "wait": "complete"}, nil)
	return f
}

// call calls a method, and reads what Firefox says until it has its result.
func (f *firefox) call(method string, params, result any) {
	f.Helper()
	f.id++
	_ = f.conn.SetDeadline(time.Now().Add(30 * time.Second))
	must(f.TB, websocket.JSON.Send(f.conn, map[string]any{"id": f.id, "method": method, "params": params}))
	for {
		var answer struct {
			ID      int             `json:"id"`
			Error   string          `json:"error"`
			Message string          `json:"message"`
			Result  json.RawMessage `json:"result"`
			Method  string          `json:"method"`
			Params  struct {
				Level   string `json:"level"`
				Text    string `json:"text"`
				Request struct {
					URL string `json:"url"`
				} `json:"request"`
			} `json:"params"`
		}
		must(f.TB, websocket.JSON.Receive(f.conn, &answer))
		switch at := answer.Params.Request.URL; {
		case answer.Method == "log.entryAdded" && answer.Params.Level == "error":
			f.Errorf("the page: %s", answer.Params.Text)
		case answer.Method == "network.beforeRequestSent" && !isHere(at):
			f.Errorf("the page asks for %s", at)
		case answer.Method != "" || answer.ID != f.id:
		case answer.Error != "":
			f.Fatalf("%s: %s: %s", method, answer.Error, answer.Message)
		default:
			if result != nil {
				must(f.TB, json.Unmarshal(answer.Result, result))
			}
			return
		}
	}
}

// text is what an expression is on the page, as text.
func (f *firefox) text(expression string) string {
	f.Helper()
	var got struct {
		Result struct {
			Value string `json:"value"`
		} `json:"result"`
		Exception *struct {
			Text string `json:"text"`
		} `json:"exceptionDetails"`
	}
	f.call("script.evaluate", map[string]any{"expression": "(async () => String(await (" + expression + ")))()", "target": map[string]any{"context": f.tab}, "awaitPromise": true}, &got)
	if got.Exception != nil {
		return got.Exception.Text
	}
	return got.Result.Value
}

// until waits until an expression is true on the page.
func (f *firefox) until(expression string) {
	f.Helper()
	said := f.text(fmt.Sprintf(`(async () => {
		for (let n = 0; n < 1000; n++) {
			if (%s) return 'yes';
			await new Promise(done => setTimeout(done, 20));
		}
		return 'never';
	})()`, expression))
	if said != "yes" {
		f.Fatalf("%s: %s", expression, said)
	}
}

// key presses a key.
func (f *firefox) key(key string) {
	f.Helper()
	f.call("input.performActions", map[string]any{"context": f.tab, "actions": []any{map[string]any{"type": "key", "id": "keyboard", "actions": []any{
		map[string]any{"type": "keyDown", "value": key}, map[string]any{"type": "keyUp", "value": key},
	}}}}, nil)
}

// Firefox shows the same: an exchange as it happens, its steps by keys, a field
// and its bytes, both themes, presenter mode and a narrow window.
func TestFirefox(t *testing.T) {
	peertest.Need(t, "firefox")
	l := startLab(t, "--web", "127.0.0.1:0")
	f := openFirefox(t, l.page)
	f.until(`document.querySelector('#state').textContent === 'Live'`)
	f.until(`document.querySelectorAll('.ladder .rung').length > 10`)
	const right, home = "\ue014", "\ue011"
	f.key(home)
	f.until(`document.querySelector('.where').textContent.startsWith('step 1 of')`)
	f.key(right)
	f.until(`document.querySelector('.step h3').textContent === 'ServerHello'`)
	f.until(`document.querySelector('.ladder .now text.name').textContent === 'ServerHello'`)
	f.text(`[...document.querySelectorAll('.field')].find(f => f.textContent.startsWith('legacy_version')).dispatchEvent(new MouseEvent('mouseover', {bubbles: true}))`)
	f.until(`[...document.querySelectorAll('.byte.lit')].map(c => c.textContent).join('') === '0303'`)
	f.text(`document.querySelector('[data-byte="0"]').dispatchEvent(new MouseEvent('mouseover', {bubbles: true}))`)
	f.until(`document.querySelector('.field.lit').textContent.startsWith('msg_type')`)
	f.key("p")
	f.until(`document.body.classList.contains('presenting') && getComputedStyle(document.querySelector('#list')).display === 'none'`)
	f.key("p")
	f.key("t")
	light := f.text(`getComputedStyle(document.body).backgroundColor`)
	f.key("t")
	if dark := f.text(`getComputedStyle(document.body).backgroundColor`); light != "rgb(255, 255, 255)" || dark == light {
		t.Errorf("the light page is %s and the dark one %s", light, dark)
	}
	f.call("browsingContext.setViewport", map[string]any{"context": f.tab, "viewport": map[string]any{"width": 390, "height": 844}}, nil)
	f.until(`document.querySelector('.ladder').clientWidth < 390`)
	if wide := f.text(`document.documentElement.scrollWidth > innerWidth`); wide != "false" {
		t.Error("at 390 pixels the page is wider")
	}
	if out, err := l.lab("client", "--addr", strings.TrimPrefix(l.address, "https://"), "--cert", "none").CombinedOutput(); err == nil {
		t.Fatalf("a client without a certificate is accepted:\n%s", out)
	}
	f.until(`document.querySelectorAll('#rows li').length > 1 && document.querySelector('#rows li').textContent.includes('rejected by the server')`)
}
