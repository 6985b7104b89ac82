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

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/room"
)

// The room has a tab beside the exchanges: who is in, who was refused and why,
// and at which exercise they are. It can be read by screen readers, and used by
// the keyboard alone and on a narrow screen, and names of others are text.
func TestRoom(t *testing.T) {
	peertest.Need(t, "chromium")
	p := NewPage(Options{Title: "lab server", Live: true, Room: true})
	s := serve(t, p)
	b := open(t, s.URL(), 1400, 900)
	b.until(`document.querySelector('#state').textContent === 'Live'`)
	b.do(chromedp.Focus(chromedp.CSS(`#exchanges-tab`)), chromedp.KeyEvent(kb.ArrowRight))
	b.until(`document.querySelector('#room').innerText.includes('Nobody has called yet')`)
	b.accessible("an empty room")

	p.Add(run(t, "ecdsa-p384", tls.VersionTLS12))
	refused := p.Add(run(t, "expired-client", tls.VersionTLS13))
	at := time.Date(2026, 11, 29, 15, 4, 5, 0, time.Local)
	v := room.View{Summary: "2 in, 1 refused", Left: 3, Guests: []room.Guest{
		{Name: "10.0.0.7, as " + hostile, State: room.Refused, Calls: 2, LastSeen: at, Why: "the client's certificate has expired", Exchange: refused},
		{Name: "CN=client-01", State: room.In, Calls: 14, LastSeen: at, Report: &room.Report{Exercise: "lost-link", Hints: 2, Total: 3}},
		{Name: "CN=client-02", State: room.In, Calls: 5, LastSeen: at, Report: &room.Report{Exercise: "what-the-listener-reads", Solved: true, Total: 4}},
	}}
	p.ShowRoom(v)
	b.until(`document.querySelectorAll('#room tbody tr').length === 3`)
	if heads := value[string](b, `[...document.querySelectorAll('#room thead th')].map(th => th.textContent).join(', ')`); heads != "Who, State, Calls, Last seen, Exercise, Hints, Solved" {
		t.Errorf("the heads are %s", heads)
	}
	for i, want := range []string{"refused the client's certificate has expired 2 15:04:05", "CN=client-01 in 14 15:04:05 lost-link 2 3", "CN=client-02 in 5 15:04:05 what-the-listener-reads solved 0 4"} {
		if row := value[string](b, fmt.Sprintf(`document.querySelectorAll('#room tbody tr')[%d].innerText.replace(/\s+/g, ' ')`, i)); !strings.Contains(row, want) {
			t.Errorf("row %d is %q, want %q", i, row, want)
		}
	}
	if bad := value[int](b, `document.querySelectorAll('#room img, #room script, #room iframe').length`); bad != 0 {
		t.Errorf("%d elements of others are on the page", bad)
	}
	if said := value[string](b, `document.querySelector('#room [role=status]').textContent + '; ' + document.querySelector('#room .name:last-child').textContent`); !strings.HasPrefix(said, "2 in, 1 refused; ") {
		t.Errorf("of all the page says %q", said)
	}
	b.picture("room")
	b.accessible("room")
	b.do(chromedp.KeyEvent("t"), chromedp.KeyEvent("t"))
	b.until(`document.documentElement.dataset.theme === 'dark'`)
	b.picture("room-dark")
	b.accessible("room, dark")
	b.do(chromedp.EmulateViewport(390, 844))
	b.until(`innerWidth === 390`)
	if wide := value[int](b, `document.documentElement.scrollWidth`); wide > 390 {
		t.Errorf("at 390 pixels the page is %d wide", wide)
	}
	b.picture("room-narrow")
	b.accessible("room, narrow")

	// Who is at a link stays there when the room changes; it leads to the
	// exchange.
	b.do(chromedp.EmulateViewport(1400, 900), chromedp.Focus(chromedp.CSS(`#room tbody a`)))
	v.Summary = "3 in, 1 refused"
	p.ShowRoom(v)
	b.until(`document.querySelector('#room [role=status]').textContent === '3 in, 1 refused'`)
	b.until(`document.activeElement.matches('#room tbody a')`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelector('#room').hidden && document.querySelector('#exchange h2').textContent.includes('expired-client')`)
	if skip := value[string](b, `document.querySelector('.skip').hash`); skip != "#exchange" {
		t.Errorf("the first link leads to %s", skip)
	}

	// So does what is clicked, until it is released.
	b.do(chromedp.Evaluate[chromedp.Void](`location.hash = '1'; document.querySelector('#room-tab').click()`))
	link := value[struct{ X, Y float64 }](b, `(() => { const r = document.querySelector('#room tbody a').getBoundingClientRect(); return {X: r.left + 5, Y: r.top + 5}; })()`)
	mouse := func(kind input.DispatchMouseEventType) {
		b.do(chromedp.MouseEvent(kind, link.X, link.Y, chromedp.ButtonLeft, chromedp.ClickCount(1)))
	}
	mouse(input.DispatchMouseEventTypeMousePressed)
	v.Summary, v.Guests = "4 in, 1 refused", append([]room.Guest{{Name: "10.0.0.8", State: room.Refused, LastSeen: at}}, v.Guests...)
	p.ShowRoom(v)
	b.until(`document.querySelector('#room [role=status]').textContent === '4 in, 1 refused'`)
	mouse(input.DispatchMouseEventTypeMouseReleased)
	b.until(fmt.Sprintf(`document.querySelector('#room').hidden && location.hash === '#%d'`, refused))
	b.do(chromedp.Click(chromedp.CSS(`#room-tab`)))
	b.until(`document.querySelectorAll('#room tbody tr').length === 4`)
}

// A room that changes all the time keeps no exchange from the page.
func TestRoomTakesTurns(t *testing.T) {
	p := NewPage(Options{Title: "lab server", Live: true, Room: true})
	s := serve(t, p)
	v := room.View{Guests: make([]room.Guest, 100)}
	p.ShowRoom(v)
	rooms, added := 0, false
	events(t, s, "0", func(name, _ string) bool {
		if name == "room" {
			rooms++
			p.ShowRoom(v) // it has changed again before the next look
			if !added {
				p.Add(&Exchange{Exchange: &lab.Exchange{Number: 1}})
				added = true
			}
		}
		return name != "exchanges"
	})
	if rooms > 3 {
		t.Errorf("the exchange came after %d rooms", rooms)
	}
}
