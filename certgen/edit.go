package certgen

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab/text"
)

// EditError reports a change of a manifest that has to be made by hand.
type EditError struct {
	File, Name string
	Problem    string // why, as a sentence without its end
	Write      string // what to write in the document of Name; may be empty
}

func (e *EditError) Error() string { return fmt.Sprintf("%s: %s: %s", e.File, e.Name, e.Problem) }

// AddSANs returns a manifest in which the certificate called name has further
// subject alternative names, each with its prefix (see [SAN]); those that it has
// already are left out, and added are the others. All else in the text stays as
// it is, comments too. Errors are *yamldoc.Error, *UnknownNameError,
// *NameError and *EditError.
func AddSANs(file string, data []byte, name string, sans []string) (text []byte, added []string, err error) {
	d, m, err := documentOf(file, data, name)
	if err != nil {
		return nil, nil, err
	}
	names := slices.Clone(d.certificate.SANs)
	for _, san := range sans {
		probe := &document{Document: d.Document, certificate: new(Certificate)}
		if err := probe.addSAN(d.Root(), san); err != nil {
			var fault *yamldoc.Error // of a line that nobody has written
			if errors.As(err, &fault) {
				err = &NameError{Name: san, Problem: "cannot be added: " + fault.Problem, Hint: fault.Hint}
			}
			return nil, nil, err
		}
		if of := probe.certificate.SANs[0]; !slices.ContainsFunc(names, func(n string) bool { return sameSAN(n, of) }) {
			names, added = append(names, of), append(added, of)
		}
	}
	if len(added) == 0 {
		return data, nil, nil
	}
	for _, edited := range d.withSANs(string(data), added) {
		changed, err := Parse(file, []byte(edited))
		if err == nil && changed.differsIn(m, name, names) {
			return []byte(edited), added, nil
		}
	}
	return nil, nil, &EditError{File: file, Name: name, Problem: "its sans are written in a way that is not changed here", Write: "sans: [" + strings.Join(names, ", ") + "]"}
}

func sameSAN(a, b string) bool {
	kind, value, _ := strings.Cut(a, ":")
	otherKind, other, _ := strings.Cut(b, ":")
	if kind == "IP" && otherKind == "IP" {
		return net.ParseIP(value).Equal(net.ParseIP(other))
	}
	return strings.EqualFold(a, b)
}

// documentOf returns the document of the certificate called name.
func documentOf(file string, data []byte, name string) (*document, *Manifest, error) {
	read, err := yamldoc.Read(file, data)
	if err != nil {
		return nil, nil, err
	}
	documents, err := decodeAll(read)
	if err != nil {
		return nil, nil, err
	}
	m, err := assemble(file, documents)
	if err != nil {
		return nil, nil, err
	}
	c, err := m.Lookup(name)
	if err != nil {
		return nil, nil, err
	}
	return documents[c.index], m, nil
}

// differsIn reports whether m is as before but for the names of one
// certificate.
func (m *Manifest) differsIn(before *Manifest, name string, sans []string) bool {
	return slices.EqualFunc(m.Certificates, before.Certificates, func(now, was *Certificate) bool {
		has, want := now.SANs, was.SANs
		if was.Name == name { // in any order
			has, want = slices.Sorted(slices.Values(has)), slices.Sorted(slices.Values(sans))
		}
		return now.Name == was.Name && now.Subject == was.Subject && slices.Equal(has, want)
	})
}

// withSANs returns the text with names added to those of the document, in the
// ways in which that may be done, the best first. Not all of them need be
// right.
func (d *document) withSANs(text string, added []string) (edited []string) {
	e := newEditor(text)
	root, n := d.Root(), d.fields["sans"]
	indent := strings.Repeat(" ", max(root.Column-1, 0))
	items := func(indent string) (lines []string) {
		for _, name := range added {
			lines = append(lines, indent+"- "+name)
		}
		return lines
	}
	key := d.keyOf("sans")
	switch {
	case root.Style&yaml.FlowStyle != 0:
		if n == nil {
			edited = append(edited, e.insert(d.Line(root), root.Column+1, "sans: ["+strings.Join(added, ", ")+"], "))
		}
	case n == nil:
		lines := append([]string{indent + "sans:"}, items(indent)...)
		if subject := d.fields["subject"]; subject != nil {
			edited = append(edited, e.insertLines(d.Line(subject)+1, lines))
		}
		edited = append(edited, e.insertLines(d.Line(root), lines))
	case yamldoc.IsNull(n) && key != nil:
		edited = append(edited, e.insertLines(d.Line(key)+1, items(indent)))
	}
	if n == nil || n.Kind != yaml.SequenceNode {
		return edited
	}
	if len(n.Content) == 0 {
		return append(edited, e.insert(d.Line(n), n.Column+1, strings.Join(added, ", ")))
	}
	last := n.Content[len(n.Content)-1]
	if n.Style&yaml.FlowStyle == 0 {
		return append(edited, e.insertLines(d.Line(last)+1, items(strings.Repeat(" ", n.Column-1))))
	}
	width := utf8.RuneCountInString(last.Value)
	if last.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		width += 2
	}
	return append(edited,
		e.insert(d.Line(last), last.Column+width, ", "+strings.Join(added, ", ")),
		e.insert(d.Line(n), n.Column+1, strings.Join(added, ", ")+", "))
}

// keyOf returns the node of a field's name, or nil.
func (d *document) keyOf(field string) *yaml.Node {
	for i := 0; i+1 < len(d.Root().Content); i += 2 {
		if key := d.Root().Content[i]; strings.EqualFold(key.Value, field) {
			return key
		}
	}
	return nil
}

// editor inserts into a text.
type editor struct {
	text  string
	lines []int  // offsets of their first bytes
	end   string // of lines
}

func newEditor(text string) *editor {
	e := &editor{text: text, lines: []int{0}, end: "\n"}
	if strings.Contains(text, "\r\n") {
		e.end = "\r\n"
	}
	for i, r := range text {
		if r == '\n' || r == '\r' && !strings.HasPrefix(text[i:], "\r\n") || r == '\u0085' || r == '\u2028' || r == '\u2029' {
			e.lines = append(e.lines, i+utf8.RuneLen(r))
		}
	}
	return e
}

// insert puts words before a column of a line, both from 1.
func (e *editor) insert(line, column int, words string) string {
	if line > len(e.lines) {
		return e.text
	}
	at := e.lines[line-1]
	if line == 1 {
		at += len(e.text) - len(strings.TrimPrefix(e.text, "\ufeff"))
	}
	for range column - 1 {
		_, size := utf8.DecodeRuneInString(e.text[at:])
		at += size
	}
	return e.text[:at] + words + e.text[at:]
}

// insertLines puts lines before the line of that number, from 1.
func (e *editor) insertLines(number int, lines []string) string {
	inserted := strings.Join(lines, e.end) + e.end
	if number > len(e.lines) || e.lines[number-1] == len(e.text) {
		if !strings.HasSuffix(e.text, "\n") {
			inserted = e.end + inserted
		}
		return e.text + inserted
	}
	return e.insert(number, 1, inserted)
}

// copied are the fields of a certificate that its copies have too. A serial
// number and a file name are of one certificate alone.
var copied = []string{"issuer", "sans", "key_type", "key_size", "expires", "not_before", "not_after", "key_usages", "ext_key_usages", "crl_distribution_points", "ocsp"}

// commonName finds CN= and its value in a distinguished name (RFC 4514).
var commonName = text.Pattern(`(?i)(^|[,+]\s*)(CN\s*=\s*)((?:\\.|[^,+\\])*)`)

// AddCopies returns a manifest with a copy of the certificate called name for
// each of names that it does not have: the common name is another, and so is a
// name in sans that has the old one in it. added are those. What was there
// stays as it is. Errors are those of AddSANs.
func AddCopies(file string, data []byte, name string, names []string) (text []byte, added []string, err error) {
	d, m, err := documentOf(file, data, name)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case d.certificate.CA:
		return nil, nil, &EditError{File: file, Name: name, Problem: "a CA is not copied"}
	case !commonName().MatchString(d.certificate.Subject):
		return nil, nil, &EditError{File: file, Name: name, Problem: "its subject has no common name (CN) to number"}
	}
	e := newEditor(string(data))
	var b strings.Builder
	b.Write(data)
	if len(data) > 0 && !strings.HasSuffix(string(data), "\n") {
		b.WriteString(e.end)
	}
	for _, copy := range names {
		if m.Find(copy) != nil {
			continue
		}
		document, err := d.copyAs(copy)
		if err != nil {
			return nil, nil, err
		}
		added = append(added, copy)
		b.WriteString("---" + e.end + strings.ReplaceAll(document, "\n", e.end))
	}
	if len(added) == 0 {
		return data, nil, nil
	}
	changed, err := Parse(file, []byte(b.String()))
	if err != nil {
		return nil, nil, err
	}
	for _, copy := range added {
		if changed.Find(copy) == nil {
			return nil, nil, &EditError{File: file, Name: name, Problem: "a copy would not be called " + copy}
		}
	}
	return []byte(b.String()), added, nil
}

// copyAs returns the document of a copy.
func (d *document) copyAs(name string) (string, error) {
	c := d.certificate
	word := regexp.MustCompile(`\b` + regexp.QuoteMeta(c.Name) + `\b`)
	scalar := func(text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: text} }
	subject := commonName().ReplaceAllStringFunc(c.Subject, func(s string) string {
		parts := commonName().FindStringSubmatch(s)
		return parts[1] + parts[2] + name
	})
	root := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{scalar("subject"), scalar(subject)}}
	for _, field := range copied {
		n := d.fields[field]
		if n == nil || yamldoc.IsNull(n) {
			continue
		}
		value := &yaml.Node{Kind: yaml.SequenceNode}
		err := d.texts(n, func(_ *yaml.Node, text string) error {
			if field == "sans" {
				text = word.ReplaceAllString(text, name)
			}
			value.Content = append(value.Content, scalar(text))
			return nil
		})
		if err != nil { // it is no list
			text, err := d.Text(n)
			if err != nil {
				return "", err
			}
			value = scalar(text)
		}
		if value.Style = yaml.FlowStyle; value.Kind == yaml.ScalarNode {
			value.Style = 0
		}
		root.Content = append(root.Content, scalar(field), value)
	}
	text, err := yaml.Marshal(root)
	return string(text), err
}
