package web

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/scenario"
)

// pageMessage is a handshake message as the page shows it.
type pageMessage struct {
	Name   string      `json:"name"`
	Fields []pageField `json:"fields"`
	Bytes  string      `json:"bytes"` // in hexadecimal
}

// pageField is a field on the page, with the bytes that light up when somebody
// points at it.
type pageField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Lit   []int  `json:"lit"`
}

// readPage goes through the steps of the exchange that is shown, opens the
// message of each, and points at each of its fields.
const readPage = `(() => {
	const messages = [];
	let steps = 0;
	for (const rung of document.querySelectorAll('.ladder .rung')) {
		rung.dispatchEvent(new MouseEvent('click'));
		if (document.querySelector('.step h3').textContent) steps++;
		const opened = document.querySelector('.step .opened');
		if (!opened) continue;
		for (const more of opened.querySelectorAll('.hex > button')) more.click();
		const fields = [...opened.querySelectorAll('.field')].map(field => {
			field.dispatchEvent(new MouseEvent('mouseover', {bubbles: true}));
			const lit = [...opened.querySelectorAll('.byte.lit')].map(cell => Number(cell.dataset.byte));
			return {name: field.querySelector('b').textContent, value: [...field.childNodes].slice(1).map(n => n.textContent).join('').trim(), lit};
		});
		const bytes = [...opened.querySelectorAll('.byte')].map(cell => cell.textContent).join('');
		messages.push({name: document.querySelector('.step h3').textContent, fields, bytes});
	}
	return {steps, messages};
})()`

// explained is a connection of lab explain --json, as far as its handshake
// goes.
type explained struct {
	ClientRandom string `json:"client_random"`
	Messages     []struct {
		Handshake *struct {
			Name   string           `json:"name"`
			Fields []explainedField `json:"fields"`
		} `json:"handshake"`
		Alert *struct {
			Level string `json:"level"`
			Code  int    `json:"code"`
			Name  string `json:"name"`
		} `json:"alert"`
	} `json:"messages"`
}

type explainedField struct {
	Name   string           `json:"name"`
	Offset int              `json:"offset"`
	Length int              `json:"length"`
	Value  string           `json:"value"`
	Fields []explainedField `json:"fields"`
}

// flat are fields as the page shows them, those within others behind them.
func flat(fields []explainedField) (all []pageField) {
	for _, f := range fields {
		lit := make([]int, f.Length)
		for i := range lit {
			lit[i] = f.Offset + i
		}
		all = append(append(all, pageField{f.Name, strings.TrimSpace(strings.Join(strings.Fields(f.Value), " ")), lit}), flat(f.Fields)...)
	}
	return all
}

// In one browser session, with every lesson and both versions: all steps are on
// the page, and each message has the fields and values that lab explain --json
// has of the capture, each on the bytes that it names. Where tshark has a field
// too, it has it on the same bytes.
func TestEveryLesson(t *testing.T) {
	peertest.Need(t, "chromium", "tshark")
	if testing.Short() {
		t.Skip("all scenarios take long")
	}
	p := NewPage(Options{})
	s := serve(t, p)
	all, err := scenario.All()
	must(t, err)
	files := make(map[int]string)
	for _, lesson := range all {
		for _, version := range lesson.Versions() {
			x, file := recorded(t, lesson.Name, version)
			files[p.Add(x)] = file
		}
	}
	p.End()
	b := open(t, s.URL(), 1400, 900)
	b.until(`document.querySelector('#rows li')`)
	shown := make(map[string][]pageMessage) // by client random
	for id, file := range files {
		x := p.exchanges.find(id)
		b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`location.hash = %d`, id)))
		b.until(fmt.Sprintf(`document.querySelector('#exchange h2')?.firstChild.textContent === %q`, x.Ladder.Title))
		got := value[struct {
			Steps    int           `json:"steps"`
			Messages []pageMessage `json:"messages"`
		}](b, readPage)
		if want := len(ladder.Of(x.Wire, &x.Verdict, x.Ladder).Rungs); got.Steps != want {
			t.Errorf("%s: %d steps on the page, want %d", x.Ladder.Title, got.Steps, want)
		}
		compareMessages(t, x, file, got.Messages)
		shown[hex.EncodeToString(x.Wire.ClientRandom)] = got.Messages
	}
	compareTshark(t, files, shown)
}

// compareMessages compares what the page shows with what lab explain --json
// has of the capture of the same exchange.
func compareMessages(t *testing.T, x *Exchange, file string, got []pageMessage) {
	t.Helper()
	var want []pageMessage
	for _, c := range explain(t, file) {
		if c.ClientRandom != hex.EncodeToString(x.Wire.ClientRandom) {
			continue
		}
		for _, m := range c.Messages {
			if m.Handshake != nil {
				want = append(want, pageMessage{Name: m.Handshake.Name, Fields: flat(m.Handshake.Fields)})
			}
			if m.Alert != nil {
				want = append(want, pageMessage{Name: "Alert", Fields: []pageField{
					{"level", m.Alert.Level, []int{0}},
					{"description", fmt.Sprintf("%s (%d)", m.Alert.Name, m.Alert.Code), []int{1}},
				}})
			}
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d messages on the page, and %d in lab explain --json", x.Ladder.Title, len(got), len(want))
		return
	}
	for i, m := range got {
		for n, f := range m.Fields {
			f.Value = strings.Join(strings.Fields(f.Value), " ")
			if n >= len(want[i].Fields) || !reflect.DeepEqual(f, want[i].Fields[n]) {
				t.Errorf("%s: field %d of the %s is %v on the page, and of %d in lab explain --json others", x.Ladder.Title, n, m.Name, f, len(want[i].Fields))
				break
			}
		}
		if len(m.Fields) != len(want[i].Fields) {
			t.Errorf("%s: the %s has %d fields on the page, and %d in lab explain --json", x.Ladder.Title, m.Name, len(m.Fields), len(want[i].Fields))
		}
	}
}

// explain is what lab explain --json prints of a capture.
func explain(t *testing.T, file string) (all []explained) {
	t.Helper()
	program, err := build()
	must(t, err)
	cmd := exec.Command(program, "explain", file, "--json")
	cmd.Dir = filepath.Dir(file)
	out, err := cmd.Output()
	must(t, err)
	for line := range strings.Lines(string(out)) {
		var c explained
		must(t, json.Unmarshal([]byte(line), &c))
		all = append(all, c)
	}
	return all
}
