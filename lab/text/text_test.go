package text

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
)

func TestFold(t *testing.T) {
	for _, test := range []struct {
		text string
		n    int
		want []string
	}{
		{"", 10, nil},
		{"one two three", 10, []string{"one two", "three"}},
		{"a " + strings.Repeat("x", 25) + " b", 10, []string{"a", "xxxxxxxxxx", "xxxxxxxxxx", "xxxxx b"}},
		{"DNS:server.127-0-0-1.nip.io", 18, []string{"DNS:server.127-0-", "0-1.nip.io"}},
		{"漢字漢字漢字", 8, []string{"漢字漢字", "漢字"}},
		{"which suite (RFC 9846 section 4.2.2). Then", 28, []string{"which suite", "(RFC 9846 section 4.2.2).", "Then"}},
		{"which suite (RFC 9846 section 4.2.2). Then", 20, []string{"which suite", "(RFC 9846 section", "4.2.2). Then"}},
	} {
		if got := Fold(test.text, test.n); !slices.Equal(got, test.want) {
			t.Errorf("Fold(%q, %d) = %q, want %q", test.text, test.n, got, test.want)
		}
	}
	if got := Balanced("one two three four five six", 16); !slices.Equal(got, []string{"one two three", "four five six"}) {
		t.Errorf("Balanced: %q", got)
	}
	if got := FoldWhole("see /a/very/long/path there", 8); !slices.Equal(got, []string{"see", "/a/very/long/path", "there"}) {
		t.Errorf("FoldWhole: %q", got)
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		text    string
		n       int
		charset Charset
		want    string
	}{
		{"short", 5, Unicode, "short"},
		{"longer", 5, Unicode, "long…"},
		{"longer", 5, ASCII, "lo..."},
		{"漢字漢", 5, Unicode, "漢字…"},
	} {
		if got := test.charset.Cut(test.text, test.n); got != test.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", test.text, test.n, got, test.want)
		}
	}
}

func TestClean(t *testing.T) {
	for name, test := range map[string]struct{ text, want, ascii string }{
		"plain":             {"CN=client, O=Lab", "CN=client, O=Lab", "CN=client, O=Lab"},
		"other scripts":     {"CN=日本語 é", "CN=日本語 é", "CN=??? ?"},
		"combining":         {"e\u0301", "e\u0301", "e?"},
		"drawn":             {"└─ …", "└─ …", "`- ..."},
		"line feed":         {"a\nlab: b\tc", "a lab: b c", "a lab: b c"},
		"escape sequences":  {"\x1b[2J\x07\r\x7f", "\ufffd[2J\ufffd\ufffd\ufffd", "?[2J???"},
		"C1":                {"\u0085\u009b2J", "\ufffd\ufffd2J", "??2J"},
		"directions":        {"a\u202eb\u2066\u200f", "a\ufffdb\ufffd\ufffd", "a?b??"},
		"no width":          {"a\u200bb\ufeff\u00ad\u3164", "a\ufffdb\ufffd\ufffd\ufffd", "a?b???"},
		"tags":              {"a\U000e0041", "a\ufffd", "a?"},
		"separators":        {"a\u2028b\u2029c", "a\ufffdb\ufffdc", "a?b?c"},
		"odd spaces":        {"a\u00a0b\u3000c", "a b c", "a b c"},
		"private":           {"\ue000\U000f0000", "\ufffd\ufffd", "??"},
		"not UTF-8":         {"a\xffb\xc3", "a\ufffdb\ufffd", "a?b?"},
		"heap of marks":     {"z" + strings.Repeat("\u0301", 300) + "a", "z" + strings.Repeat("\u0301", 4) + "\ufffda", "z?????a"},
		"mark without base": {"\u0301a \u0301b", "\ufffda \ufffdb", "?a ?b"},
		"too long":          {strings.Repeat("a", 40_000), strings.Repeat("a", 334) + "… (39,500 characters left out) …" + strings.Repeat("a", 166), ""},
	} {
		if got := Unicode.Clean(test.text); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
		if got := ASCII.Clean(test.text); test.ascii != "" && got != test.ascii {
			t.Errorf("%s in ASCII: %q, want %q", name, got, test.ascii)
		}
	}
}

// TestJSON: what is escaped has the same value.
func TestJSON(t *testing.T) {
	const value = "é \u0085\u009b\x7f\u202e\u2066\U000e0041\u200b\ue000\"\\<z\u0301\u0301\u0301\u0301\u0301\u0301\U0001f600"
	encoded, err := json.Marshal(map[string]string{"a": value})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Charset{Unicode, ASCII} {
		escaped := c.JSON(encoded)
		for _, r := range string(escaped) {
			if Hidden(r) || c == ASCII && r > unicode.MaxASCII {
				t.Errorf("%U in %s", r, escaped)
			}
		}
		var got map[string]string
		if err := json.Unmarshal(escaped, &got); err != nil || got["a"] != value {
			t.Errorf("%q, %v", got["a"], err)
		}
	}
	if got := string(Unicode.JSON([]byte(`"é😀"`))); got != `"é😀"` {
		t.Error(got)
	}
}

// printed is what a printer writes.
func printed(columns int, charset Charset, write func(Printer)) string {
	var b strings.Builder
	write(Printer{&b, columns, charset})
	return b.String()
}

// TestNothingMakesALine: what a printer is given stays within the lines that
// were asked for.
func TestNothingMakesALine(t *testing.T) {
	const evil = "mallory\nlab: error: forged\r\nlab: hint: forged lab: \u2028lab: forged"
	for name, write := range map[string]func(Printer){
		"Line":      func(p Printer) { p.Line(evil) },
		"Paragraph": func(p Printer) { p.Paragraph("", 2, evil, evil) },
		"lead":      func(p Printer) { p.Paragraph("- "+evil, 2, evil) },
		"Table":     func(p Printer) { p.Table([][]string{{"- " + evil, evil, evil}, {"a", "b", "c"}}, 0, 8, 8) },
		"Quoted":    func(p Printer) { p.Quoted(evil + "\n\n" + strings.Repeat("x", 58) + "lab: error: forged") },
	} {
		for _, columns := range []int{0, 60, 80} {
			for i, line := range strings.Split(printed(columns, Unicode, write), "\n") {
				if strings.HasPrefix(line, "lab: ") || columns > 0 && Width(line) > columns && name != "Line" && name != "lead" || i > 0 && name == "Paragraph" && line != "" && line[:2] != "  " {
					t.Errorf("%s at %d columns: %q", name, columns, line)
				}
			}
		}
	}
}

func TestTable(t *testing.T) {
	got := printed(0, Unicode, func(p Printer) {
		p.Table([][]string{{"NAME", "KEY", "STATE"}, {"└─ 日本語", "EC 256", "ok"}, {"e\u0301a", "RSA 2048", "missing"}}, 0, 0, 8)
	})
	want := "NAME       KEY       STATE\n└─ 日本語  EC 256    ok\ne\u0301a         RSA 2048  missing\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	long := printed(60, ASCII, func(p Printer) {
		p.Table([][]string{{"a", "b " + strings.Repeat("word ", 30)}, {strings.Repeat("n", 150), "c"}}, 0, 8)
	})
	for line := range strings.Lines(long) {
		if len(line) > 61 {
			t.Errorf("%q", line)
		}
	}
}

func TestLists(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	for _, test := range [][2]string{
		{Few(names, 4), "a, b, c, d"}, {Few(names, 2), "a, b and 2 more"}, {Few(nil, 2), ""},
		{JoinedFew(names, 4, "or"), "a, b, c or d"}, {JoinedFew(names, 2, "or"), "a, b or 2 more"},
		{Joined(names, "or"), "a, b, c or d"}, {Joined(names[:1], "or"), "a"}, {Joined(nil, "or"), "none"},
		{Counted(1, "name"), "1 name"}, {Counted(40_000, "name"), "40,000 names"},
	} {
		if test[0] != test[1] {
			t.Errorf("%q, want %q", test[0], test[1])
		}
	}
}

// FuzzClean: whatever a peer sends, what is left cannot harm a terminal, is
// clean, and its folded lines fit.
func FuzzClean(f *testing.F) {
	f.Add("\x1b]0;owned\x07\x1b[2J\r\n\u202e\u2066\u200f\u200bx\u0301\u0301\xff\u00a0漢字", 20)
	f.Add("eve\x1b[31m\r\n\u202eevil\u200b"+strings.Repeat("m", 300), 8)
	f.Add("👨‍👩‍👧 e\u0301 \u202e", 9)
	f.Fuzz(func(t *testing.T, s string, n int) {
		for _, c := range []Charset{Unicode, ASCII} {
			cleaned := c.Clean(s)
			if c.Clean(cleaned) != cleaned {
				t.Errorf("%q is not clean", cleaned)
			}
			for _, line := range Fold(cleaned, n) {
				if Width(line) > max(n, narrowest) || strings.HasSuffix(line, " ") {
					t.Errorf("%d columns: %q", Width(line), line)
				}
				for _, r := range line {
					if Hidden(r) || r != ' ' && unicode.Is(unicode.Zs, r) || c == ASCII && r > unicode.MaxASCII {
						t.Errorf("%U in %q", r, line)
					}
				}
			}
			if encoded, err := json.Marshal(s); err == nil && !json.Valid(c.JSON(encoded)) {
				t.Errorf("%q", c.JSON(encoded))
			}
		}
	})
}

func TestSentence(t *testing.T) {
	for s, want := range map[string]string{
		"":                          ".",
		"the clocks agree":          "The clocks agree.",
		"étrange":                   "Étrange.",
		"lab.pcapng is not":         "lab.pcapng is not.",
		"dir/file was recorded":     "dir/file was recorded.",
		"very probably, lab.pcapng": "Very probably, lab.pcapng.",
	} {
		if got := Sentence(s); got != want {
			t.Errorf("%q: %q", s, got)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-2100 * time.Microsecond: "2.1 ms", 300 * time.Millisecond: "300 ms", 90 * time.Second: "90.0 s", time.Hour: "1h0m0s", 72 * time.Hour: "3 days",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v: %q", d, got)
		}
	}
}

// A word of a shell is one word there, whatever is in it, and shows no command to
// a terminal.
func TestShellWord(t *testing.T) {
	for s, want := range map[string]string{
		"certs/client.pem": "certs/client.pem", "": "''", "my lab": "'my lab'", "it's": `'it'\''s'`, "~": "'~'", "a,b": "'a,b'", "a[1]": "'a[1]'",
		"\x1b[2J": `"$(printf '\033\133\062\112')"`,
	} {
		if got := ShellWord(s); got != want {
			t.Errorf("%q becomes %s, want %s", s, got, want)
		}
	}
}

// What is searched only where a literal is there is found as without that.
func TestReplacing(t *testing.T) {
	texts := []string{"", "alert", "no alert", "ALERT: Fatal", "Alert  40", "a.b", "2026-11-30 or 2026/11/30", "10:20:30", "bits", "BITS", "BITſ", "Kit \u212Ait kit",
		"from 127.0.0.1:1:", "xyz", "aab", "abc", "x\ny", "/usr/lib/a.c:10", "(alert)", "b", "bb"}
	for _, expr := range []string{`alert`, `(?i)alert`, `(?i)\bkit\b`, `(?i)bits$`, `(?i)k`, `a|b`, `(a|x)(b|y)?`, `a*`, `(a+b){2,}|z`, `(ab){0,3}`, `[-/]\d\d`, `\d`, `[a-c]+`,
		`^x$`, `(?m)^y`, `\bfrom "?\S+:\d+"?:?`, `(\.\.|[\w.-]+)?(/[\w.@-]+)+\.(c|cc|h)\b(:\d+)*`, `x?`, `()`, `[^a]`, `(?s)x.y`, `(?i:AL)ert`, `[aA]lert`} {
		pattern := regexp.MustCompile(expr)
		for _, s := range texts {
			if got, want := Replacing(expr, "<$0>")(s), pattern.ReplaceAllString(s, "<$0>"); got != want {
				t.Errorf("%s in %q: %q, not %q", expr, s, got, want)
			}
			if got, want := ReplacingFunc(expr, strings.ToUpper)(s), pattern.ReplaceAllStringFunc(s, strings.ToUpper); got != want {
				t.Errorf("%s in %q: %q, not %q", expr, s, got, want)
			}
		}
	}
}

// What stderr says while stdout is drawn stays in one piece.
func TestPieces(t *testing.T) {
	for name, write := range map[string]func(Printer){
		"paragraph": func(p Printer) { p.Paragraph("lab: ", 5, strings.Repeat("word ", 60)) },
		"table":     func(p Printer) { p.Table([][]string{{"a", "b"}, {"c", "d"}}, 0, 0) },
	} {
		var w writes
		write(Printer{W: &w})
		if w != 1 {
			t.Errorf("a %s is written in %d pieces", name, w)
		}
	}
}

// writes counts the calls of Write.
type writes int

func (w *writes) Write(data []byte) (int, error) {
	*w++
	return len(data), nil
}
