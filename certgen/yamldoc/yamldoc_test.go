package yamldoc

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

// lesson is what the tests read.
type lesson struct {
	name    string
	count   bool
	after   time.Duration
	list    []string
	nested  map[string]*yaml.Node
	entries []string
}

// read reads a document with a field of each type.
func (l *lesson) read(d Document, n *yaml.Node) (map[string]*yaml.Node, error) {
	fields := map[string]func(n *yaml.Node) error{
		"name":  func(n *yaml.Node) (err error) { l.name, err = d.Text(n); return err },
		"count": func(n *yaml.Node) (err error) { l.count, err = d.Bool(n); return err },
		"after": func(n *yaml.Node) (err error) { l.after, err = d.Duration(n); return err },
		"list": func(n *yaml.Node) error {
			return d.Items(n, func(item *yaml.Node) error {
				text, err := d.Text(item)
				l.list = append(l.list, text)
				return err
			})
		},
		"TLS 1.3": func(n *yaml.Node) (err error) { l.nested, err = l.read(d, n); return err },
		"says": func(n *yaml.Node) error {
			return d.Entries(n, func(key, value *yaml.Node) error {
				text, err := d.Text(value)
				l.entries = append(l.entries, key.Value+"="+text)
				return err
			})
		},
	}
	return Fields(d, n, fields, func(set func(*yaml.Node) error, value *yaml.Node) error { return set(value) })
}

func readLesson(text string) (*lesson, error) {
	documents, err := Read("a.yaml", []byte(text))
	if err != nil {
		return nil, err
	}
	l := new(lesson)
	_, err = l.read(documents[0], documents[0].Root())
	return l, err
}

// Every fault has its place, its line, and a hint.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ text, want, hint string }{
		{"name: a\ncuont: true\n", `a.yaml:2:1: unknown field "cuont"`, "did you mean count?"},
		{"zzzzzz: a\n", `a.yaml:1:1: unknown field "zzzzzz"`, "the fields are TLS 1.3, after, count, list, name, says"},
		{"tls 1.3: {}\n", `a.yaml:1:1: unknown field "tls 1.3"`, "did you mean TLS 1.3?"},
		{"? [name]\n: a\n", `a.yaml:1:3: unknown field ""`, "the fields are"},
		{"name: a\nNAME: b\n", "a.yaml:2:1: field name is given twice, first on line 1", "keep one of them"},
		{"name: a\n---\nx", "", ""},
		{"TLS 1.3:\n  name: a\n  name: b\n", "a.yaml:3:3: field name is given twice, first on line 2", "keep one of them"},
		{"TLS 1.3:\n", "a.yaml:1:9: expected fields, not nothing", "write fields: TLS 1.3, after,"},
		{"TLS 1.3: [a]\n", "a.yaml:1:10: expected fields, not a list", "write fields"},
		{"- a\n", "a.yaml:1:1: expected fields, not a list", "write fields"},
		{"name: [a]\n", "a.yaml:1:7: expected a text, not a list", "one value"},
		{"list: a\n", `a.yaml:1:7: expected a list, not the text "a"`, "a list"},
		{"list: [a, {b: c}]\n", "a.yaml:1:11: expected a text, not a mapping", "one value"},
		{"list:\n- a\n-\n", "a.yaml:3:2: an item of the list is empty", "remove the item"},
		{"count: perhaps\n", `a.yaml:1:8: "perhaps" is neither true nor false`, "true or false"},
		{"after: 30d\n", `a.yaml:1:8: "30d" is not a duration`, "write it in hours: 720h"},
		{"after: soon\n", `a.yaml:1:8: "soon" is not a duration`, "300ms"},
		{"says: a\n", `a.yaml:1:7: expected names with values, not the text "a"`, "name: value"},
		{"says:\n  x: a\n  x: b\n", `a.yaml:3:3: "x" is given twice, first on line 2`, "keep one of them"},
		{"says: {[x]: a}\n", "a.yaml:1:8: expected a name, not a list", "name: value"},
		{"<<: a\n", `a.yaml:1:5: expected a mapping to merge, not the text "a"`, "write the fields out"},
		{"name: a\n<<: {name: b}\n", "a.yaml:2:6: field name is given twice, first on line 1", "keep one"},
		{"<<: &a {<<: *a}\n", "a.yaml:1:9: a mapping that is merged cannot merge another", "write the fields out"},
		{"list: &a [*a]\n", "a.yaml:1:11: expected a text, not a list", "one value"},
	} {
		_, err := readLesson(c.text)
		if c.want == "" {
			if err != nil {
				t.Errorf("%q: %v", c.text, err)
			}
			continue
		}
		var fault *Error
		if !errors.As(err, &fault) || !strings.HasPrefix(err.Error(), c.want) || !strings.Contains(fault.Hint, c.hint) {
			t.Errorf("%q: %v\nnot %s (hint %q)", c.text, err, c.want, c.hint)
			continue
		}
		if lines := strings.Split(c.text, "\n"); fault.Source != lines[fault.Line-1] {
			t.Errorf("%q: the line is %q", c.text, fault.Source)
		}
	}
}

// What is there is read, in any case of letters, through aliases and merges.
func TestValues(t *testing.T) {
	l, err := readLesson("Name: |\n  a b\ncount: Yes\nafter: 90m\nlist: &l [1, &x two, *x]\nTLS 1.3: {<<: {list: *l}, name: ~}\nsays: {y: 2, x: 1}\n")
	if err != nil {
		t.Fatal(err)
	}
	if l.name != "" { // of the nested one, which is null and so empty
		t.Errorf("name %q", l.name)
	}
	if want := []string{"1", "two", "two", "1", "two", "two"}; !slices.Equal(l.list, want) {
		t.Errorf("list %q", l.list)
	}
	if !l.count || l.after != 90*time.Minute || !slices.Equal(l.entries, []string{"y=2", "x=1"}) || len(l.nested) != 2 {
		t.Errorf("%+v", l)
	}
}

// Empty documents are left out, and the lines of the others are the file's.
func TestDocuments(t *testing.T) {
	documents, err := Read("a.yaml", []byte("\ufeff# one\n---\n\n---\nb: 1\n---\r\n~\r\n...\r\n---\r\nc: 2\n"))
	if err != nil || len(documents) != 2 {
		t.Fatalf("%d, %v", len(documents), err)
	}
	for i, line := range []int{5, 10} {
		if got := documents[i].Line(documents[i].Root()); got != line {
			t.Errorf("document %d is on line %d, not %d", i, got, line)
		}
	}
}

// What is read in pieces is the whole.
func TestPieces(t *testing.T) {
	var b strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&b, "---\nname: %d\nlist: [a, b]\n", i)
	}
	src := &source{text: b.String()}
	for _, n := range []int{1, 2, 3, 100} {
		var joined strings.Builder
		for _, p := range src.split(n) {
			if before := strings.Count(joined.String(), "\n"); p.before != before {
				t.Errorf("a piece of %d begins behind line %d, not %d", n, p.before, before)
			}
			joined.WriteString(p.text)
		}
		if joined.String() != src.text {
			t.Errorf("%d pieces are not the whole", n)
		}
	}
	if pieces := len(src.split(3)); pieces != 3 {
		t.Errorf("%d pieces", pieces)
	}
	if documents, err := Read("a.yaml", []byte(src.text)); err != nil || len(documents) != 4000 || documents[3999].Line(documents[3999].Root()) != 3*4000-1 {
		t.Errorf("%d documents, %v", len(documents), err)
	}
}

// A file whose aliases stand for far more than it holds is refused, wherever
// they are.
func TestAliasBombs(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	nested := "a: &a0 [x, x, x, x, x, x, x, x]\n"
	for i := range 20 {
		nested += fmt.Sprintf("b%d: &a%d [*a%[3]d, *a%[3]d, *a%[3]d, *a%[3]d]\n", i, i+1, i)
	}
	for name, text := range map[string]string{
		"one long text": "a: &a " + long + "\nlist: [" + strings.Repeat("*a, ", 1000) + "]\n",
		"nested":        nested,
		"in documents":  strings.Repeat("a: &a "+long[:10_000]+"\nlist: ["+strings.Repeat("*a, ", 100)+"]\n---\n", 100),
	} {
		_, err := Read("a.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), "the aliases up to this one stand for more than 16 MiB") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Read("a.yaml", []byte("a: &a "+long+"\nlist: ["+strings.Repeat("*a, ", 100)+"]\n")); err != nil {
		t.Error(err)
	}
}

// No file panics, every fault points into it, and the documents that come out
// are read to a value or a fault.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"", "---", "name: a\n---\nlist: [b]\r\n...\r\n", "a: &a [*a]", "<<: [&a {name: x}, {list: []}]\ncount: y", "\ufeffsays: {a: 1}\u2028after: 1h", "%YAML 1.2\n---\nTLS 1.3: {name: \"\\e\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		documents, err := Read("a.yaml", data)
		for _, d := range documents {
			if _, fault := new(lesson).read(d, d.Root()); err == nil {
				err = fault
			}
		}
		if err == nil {
			return
		}
		var fault *Error
		if !errors.As(err, &fault) {
			t.Fatalf("%T: %v", err, err)
		}
		if lines := len(splitLines(string(data))); fault.Line < 1 || fault.Line > lines || fault.Column < 1 || fault.Problem == "" || fault.Hint == "" {
			t.Fatalf("%v (hint %q) of %d lines", err, fault.Hint, lines)
		}
	})
}
