package command

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	"golang.org/x/term"

	"mtlslab.example/lab/lab/room"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/web"
)

// redrawEvery is how often a room is drawn anew at most.
const redrawEvery = 200 * time.Millisecond

// roomView shows a room on the terminal, and on the page if there is one.
type roomView struct {
	*Program
	room.Room
	page   *web.Page  // nil: there is none
	height func() int // of the terminal; 0: there is none, and each change is a line

	drawing sync.Mutex
	lines   int // that are drawn
	drawn   time.Time
	later   *time.Timer
}

func newRoomView() *roomView {
	v := &roomView{}
	v.Changed = v.changed
	return v
}

// showOn has the room shown on the stdout of p.
func (v *roomView) showOn(p *Program) {
	v.Program, v.height = p, func() int { return 0 }
	if f, ok := p.Stdout.(interface{ Fd() uintptr }); ok && isTerminal(p.Stdout) {
		v.height = func() int {
			_, height, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 24
			}
			return max(height, 8)
		}
	}
}

// changed shows a change: what is new as a line, where there is no terminal.
func (v *roomView) changed(g room.Guest, isNew bool) {
	v.drawing.Lock()
	defer v.drawing.Unlock()
	if isNew && v.height() == 0 {
		v.stdout().Paragraph("", 9, g.LastSeen.Format(time.TimeOnly)+" "+g.Line())
	}
	wait := redrawEvery - time.Since(v.drawn)
	switch {
	case v.later != nil:
	case wait <= 0:
		v.draw()
	default:
		v.later = time.AfterFunc(wait, func() {
			v.drawing.Lock()
			defer v.drawing.Unlock()
			if v.later != nil {
				v.later = nil
				v.draw()
			}
		})
	}
}

// draw draws the table in place of the one before, on the terminal and on the
// page. drawing is held.
func (v *roomView) draw() {
	v.drawn = time.Now()
	now := v.View()
	if v.page != nil {
		v.page.ShowRoom(now)
	}
	if most := v.height(); most > 0 {
		v.redraw(v.table(now, most-3))
	}
}

// redraw writes a table in place of the one before. drawing is held.
func (v *roomView) redraw(table []byte) {
	var b bytes.Buffer
	if v.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", v.lines) // up, and clear to the end of the screen
	}
	b.Write(table)
	v.lines = bytes.Count(table, []byte("\n"))
	_, _ = v.results.Write(b.Bytes()) // an error ends the run by itself
}

// table is the room in at most that many lines; 0 is any number.
func (v *roomView) table(now room.View, most int) []byte {
	shown := len(now.Guests)
	if most > 0 {
		shown = min(shown, most) // each takes a line or more
	}
	for ; ; shown-- {
		var b bytes.Buffer
		out := text.Printer{W: &b, Columns: v.columns(v.Stdout), Charset: v.charset}
		out.Line(now.Summary)
		printGuests(out, now.Guests[:shown], now.Reports())
		if more := len(now.Guests) - shown + now.Left; more > 0 {
			out.Line(fmt.Sprintf("and %d more", more))
		}
		if most <= 0 || shown == 0 || bytes.Count(b.Bytes(), []byte("\n")) <= most {
			return b.Bytes()
		}
	}
}

// printGuests writes a row for each guest, and below it why its call ended so.
func printGuests(out text.Printer, guests []room.Guest, withExercises bool) {
	rows, below, least := [][]string{{"WHO", "STATE", "CALLS", "LAST SEEN"}}, []string{""}, []int{16, 0, 0, 0}
	if withExercises {
		rows[0], least = append(rows[0], "EXERCISE", "HINTS", "SOLVED"), append(least, 12, 0, 0)
	}
	for _, g := range guests {
		row := []string{g.Name, string(g.State), fmt.Sprint(g.Calls), g.LastSeen.Format(time.TimeOnly)}
		switch r := g.Report; {
		case !withExercises:
		case r == nil:
			row = append(row, "", "", "")
		default:
			row = append(row, spaced(r.Exercise, r.State()), fmt.Sprint(r.Hints), fmt.Sprint(r.Total))
		}
		rows, below = append(rows, row), append(below, g.Why)
	}
	out.TableWithNotes(rows, below, least...)
}

// spaced is a and b with a blank between them.
func spaced(a, b string) string {
	if b == "" {
		return a
	}
	return a + " " + b
}

// end draws the whole table for the last time.
func (v *roomView) end() {
	v.drawing.Lock()
	defer v.drawing.Unlock()
	if v.later != nil {
		v.later.Stop()
		v.later = nil
	}
	now := v.View()
	if v.page != nil {
		v.page.ShowRoom(now)
	}
	if len(now.Guests) > 0 {
		v.redraw(v.table(now, 0))
	}
}
