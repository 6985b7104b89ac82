package web

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// The colours of the light page.
var (
	clientColour      = color.RGBA{0x0b, 0x64, 0x78, 0xff}
	serverColour      = color.RGBA{0x8a, 0x4a, 0x00, 0xff}
	goodColour        = color.RGBA{0x1b, 0x6e, 0x34, 0xff}
	badColour         = color.RGBA{0xb3, 0x16, 0x1b, 0xff}
	oddColour         = color.RGBA{0x6a, 0x4a, 0x00, 0xff}
	paperColour       = color.RGBA{0xff, 0xff, 0xff, 0xff}
	handshakeColour   = color.RGBA{0xdf, 0xea, 0xff, 0xff}
	applicationColour = color.RGBA{0xdc, 0xf3, 0xe2, 0xff}
)

// spots are the points of a rung at which the picture is looked at: within the
// tip of its arrow, at the rim of its mark, and beside its foot; null: it has
// no such thing.
const spots = `[...document.querySelectorAll('.ladder .rung')].map(rung => {
	const tip = rung.querySelector('.tip')?.getBoundingClientRect();
	const mark = rung.querySelector('circle')?.getBoundingClientRect();
	const touch = rung.querySelector('.touch').getBoundingClientRect();
	const line = document.querySelector('.lifeline.client').getBoundingClientRect();
	return {
		tip: tip ? [tip.x + tip.width / 2, tip.y + tip.height / 2] : null,
		mark: mark ? [mark.x + mark.width / 2, mark.y + mark.height * 0.16] : null,
		foot: [line.x + 9, touch.bottom - 3],
	};
})`

// rungSpots are spots, in pixels.
type rungSpots struct {
	Tip  *[2]float64 `json:"tip"`
	Mark *[2]float64 `json:"mark"`
	Foot [2]float64  `json:"foot"`
}

// What is on the screen, pixel by pixel, of ten lessons: each arrow points away
// from who sent the message, in that side's colour, and red if it is bad news;
// what was checked has its mark; and the ground has the colour of the keys that
// protect the message.
func TestPixels(t *testing.T) {
	peertest.Need(t, "chromium")
	p := NewPage(Options{})
	s := serve(t, p)
	var shown []*Exchange
	for _, name := range []string{"mtls", "expired-client", "no-client-cert", "ca-rotation-with-overlap", "ecdsa-p384"} {
		lesson, err := scenario.Find(name)
		must(t, err)
		for _, version := range lesson.Versions() {
			x := run(t, name, version)
			p.Add(x)
			shown = append(shown, x)
		}
	}
	p.End()
	b := open(t, s.URL(), 1400, 2600)
	b.until(`document.querySelector('.ladder')`)
	b.do(chromedp.KeyEvent("t")) // light
	for _, x := range shown {
		b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`location.hash = %d`, x.id)))
		b.until(fmt.Sprintf(`document.querySelector('#exchange h2')?.firstChild.textContent === %q`, x.Ladder.Title))
		b.settle()
		shot, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		must(t, err)
		screen, err := png.Decode(bytes.NewReader(shot))
		must(t, err)
		rungs := ladder.Of(x.Wire, &x.Verdict, x.Ladder).Rungs
		at := value[[]rungSpots](b, spots)
		if len(at) != len(rungs) {
			t.Fatalf("%s: %d rungs on the page, want %d", x.Ladder.Title, len(at), len(rungs))
		}
		for i, rung := range rungs {
			what := fmt.Sprintf("%s, step %d, %s", x.Ladder.Title, i+1, rung.Name)
			if (at[i].Tip == nil) != (rung.From == endpoint.Unknown) || (at[i].Mark == nil) != (len(rung.Checks) == 0 || rung.From == endpoint.Unknown) {
				t.Errorf("%s: arrow %v, mark %v", what, at[i].Tip, at[i].Mark)
				continue
			}
			if rung.From == endpoint.Unknown {
				continue
			}
			checkPixel(t, what+": its arrow", screen, *at[i].Tip, arrowColour(rung))
			checkPixel(t, what+": its ground", screen, at[i].Foot, groundColour(rung))
			if at[i].Mark != nil {
				checkPixel(t, what+": its mark", screen, *at[i].Mark, markColour(rung))
			}
		}
	}
}

func checkPixel(t *testing.T, what string, screen image.Image, at [2]float64, want color.RGBA) {
	t.Helper()
	r, g, b, _ := screen.At(int(at[0]), int(at[1])).RGBA()
	got := color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 0xff}
	if got != want {
		t.Errorf("%s is %v at %.0f, want %v", what, got, at, want)
	}
}

func arrowColour(rung ladder.Rung) color.RGBA {
	switch {
	case rung.Alarm:
		return badColour
	case rung.From == endpoint.Client:
		return clientColour
	}
	return serverColour
}

func groundColour(rung ladder.Rung) color.RGBA {
	switch {
	case rung.Key == "":
		return paperColour
	case strings.Contains(rung.Key, "handshake"):
		return handshakeColour
	}
	return applicationColour
}

func markColour(rung ladder.Rung) color.RGBA {
	worst := goodColour
	for _, c := range rung.Checks {
		switch {
		case c.Result == tlsdecrypt.Fails:
			return badColour
		case c.Result == tlsdecrypt.Unknown:
			worst = oddColour
		}
	}
	return worst
}
