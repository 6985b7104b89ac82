package exercise

import (
	"crypto/tls"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/verdict"
)

// Parse reads an exercise: its first YAML document is the exercise, all others
// are certificates in the manifest's syntax. Errors are *yamldoc.Error.
func Parse(file string, text []byte) (*Exercise, error) {
	documents, err := scenario.Documents(file, text)
	if err != nil {
		return nil, err
	}
	if len(documents) == 0 {
		return nil, &yamldoc.Error{File: file, Line: 1, Column: 1, Problem: "the file is empty",
			Hint: "lab exercise show lost-link prints an exercise to begin with"}
	}
	e := &Exercise{File: file, Text: text, Minutes: 10, lesson: scenario.Scenario{File: file, Text: text}}
	d := reader{documents[0], e}
	if err := d.Object(d.Root(), d.fields()); err != nil {
		return nil, err
	}
	e.lesson.Name, e.lesson.Age = e.Name, e.World.Age
	return e, d.check()
}

// reader reads a document into an exercise.
type reader struct {
	yamldoc.Document
	*Exercise
}

type setters = map[string]yamldoc.Setter

// within reads a mapping with these fields.
func (r reader) within(fields func() setters) yamldoc.Setter {
	return func(n *yaml.Node) error { return r.Document.Object(n, fields()) }
}

func (r reader) fields() setters {
	e, d := r.Exercise, r.Document
	return setters{
		"name": r.name, "title": d.Words(&e.Title), "topic": d.Words(&e.Topic), "minutes": d.Between(&e.Minutes, 1, 60),
		"instead": d.Words(&e.Instead), "story": d.Words(&e.Story), "reach": d.ListOfWords(&e.Reach), "hints": d.ListOfWords(&e.Hints), "notes": d.Words(&e.Notes), "see": d.ListOfWords(&e.See),
		"world":     r.within(r.world),
		"marker":    r.within(r.marker),
		"solved":    r.steps(&e.Solved),
		"questions": yamldoc.List(d, &e.Ask, r.question),
		"solution":  r.repair(&e.Solution),
		"also":      yamldoc.List(d, &e.Also, r.repair),
		"wrong":     yamldoc.List(d, &e.Wrong, r.repair),
		"explanation": r.within(func() setters {
			x := &e.Explanation
			return setters{"wrong": d.Words(&x.Wrong), "shows": d.Words(&x.Shows), "work": d.Words(&x.Work), "draw": d.Words(&x.Draw)}
		}),
	}
}

var goodName = text.Pattern(`^[a-z0-9][a-z0-9-]*$`)

// name reads the name of the exercise, which is that of its folder.
func (r reader) name(n *yaml.Node) error {
	if err := r.Words(&r.Name)(n); err != nil {
		return err
	}
	if !goodName().MatchString(r.Name) {
		return r.ErrorAt(n, "write small letters, digits and hyphens", "the name %s is not one for a folder", yamldoc.Quoted(r.Name))
	}
	return nil
}

func (r reader) world() setters {
	w := &r.World
	return setters{
		"age": r.Span(&w.Age), "extensions": r.lesson.ReadExtensions(r.Document),
		"server":   r.side(&w.Server, endpoint.Server),
		"client":   r.side(&w.Client, endpoint.Client),
		"programs": yamldoc.List(r.Document, &w.Programs, r.program),
		"files":    r.files(&w.Files, false),
	}
}

func (r reader) marker() setters {
	m := &r.Marker
	return setters{
		"certificates": r.lesson.Certificates(r.Document, &m.Certificates),
		"server":       r.within(func() setters { return r.sideFields(&m.Server, endpoint.Server) }),
		"client":       r.within(func() setters { return r.sideFields(&m.Client, endpoint.Client) }),
	}
}

// side reads the settings of a side.
func (r reader) side(to **Side, side endpoint.Side) yamldoc.Setter {
	return func(n *yaml.Node) error {
		*to = &Side{source: n}
		return r.Object(n, r.sideFields(*to, side))
	}
}

// sideFields are those of a scenario's side, and those that only exercises
// have.
func (r reader) sideFields(to *Side, side endpoint.Side) setters {
	d := r.Document
	var fields setters
	if side == endpoint.Server {
		fields = r.lesson.ServerFields(d, &to.Half)
	} else {
		fields = r.lesson.ClientFields(d, &to.Half)
	}
	byName := fields["certificate"]
	fields["certificate"] = func(n *yaml.Node) error {
		if certfile.IsFile(n.Value) {
			return d.Words(&to.Certificate)(n)
		}
		return byName(n)
	}
	allByName := fields["trust"]
	fields["trust"] = func(n *yaml.Node) error {
		if slices.ContainsFunc(n.Content, func(n *yaml.Node) bool { return certfile.IsFile(n.Value) }) {
			return d.ListOfWords(&to.Trust)(n)
		}
		return allByName(n)
	}
	fields["tls"] = yamldoc.Choice(d, &to.TLS, versions)
	fields["key_file"], fields["password"] = d.Words(&to.KeyFile), d.Words(&to.Password)
	fields["verify"] = func(n *yaml.Node) error {
		verify := true
		err := d.Boolean(&verify)(n)
		to.Unsure = !verify
		return err
	}
	return fields
}

var versions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

func (r reader) program(to **Program) yamldoc.Setter {
	return func(n *yaml.Node) error {
		p := &Program{Port: defaultPort}
		*to = p
		port := defaultPort
		err := r.Object(n, setters{
			"name": r.Words(&p.Name), "role": yamldoc.Choice(r.Document, &p.Role, bySide),
			"run": yamldoc.Choice(r.Document, &p.Run, yamldoc.Named(Runs()...)), "file": r.fileName(&p.File),
			"port": r.Between(&port, 1, 0xffff), "files": yamldoc.List(r.Document, &p.Files, r.fileName),
		})
		p.Port = uint16(port)
		switch {
		case err != nil:
			return err
		case p.Name == "" || p.Role == endpoint.Unknown || p.Run == "" || p.File == "":
			return r.ErrorAt(n, "write for example {name: front, role: server, run: nginx, file: nginx.conf}", "a program needs a name, a role, what is run, and its file")
		case !p.canBe(p.Role):
			return r.ErrorAt(n, "write role: "+p.Role.Other().String()+", or run another", "%s is no %s here", p.Run, p.Role)
		}
		return nil
	}
}

// defaultPort is the port that the files of programs have.
const defaultPort = 8443

var bySide = map[string]endpoint.Side{"server": endpoint.Server, "client": endpoint.Client}

// fileName reads the name of a file in the exercise's folder, which a document
// must not leave: it may come from somebody else.
func (r reader) fileName(to *string) yamldoc.Setter {
	return func(n *yaml.Node) (err error) {
		if *to, err = r.Document.Text(n); err != nil {
			return err
		}
		if !filepath.IsLocal(filepath.FromSlash(*to)) || strings.Contains(*to, `\`) || path.Clean(*to) != *to || *to == "." {
			return r.ErrorAt(n, "write a name such as nginx.conf or certs/client.p12", "%s is not a file in the exercise's folder", yamldoc.Quoted(*to))
		}
		return nil
	}
}

// files reads files by their names. Those of a repair may change others.
func (r reader) files(to *[]NamedFile, isRepair bool) yamldoc.Setter {
	return func(n *yaml.Node) error {
		return r.Entries(n, func(key, value *yaml.Node) error {
			var f NamedFile
			if err := r.fileName(&f.Name)(key); err != nil {
				return err
			}
			err := r.file(value, &f.File, isRepair)
			*to = append(*to, f)
			return err
		})
	}
}

// file reads what a file is made of.
func (r reader) file(n *yaml.Node, f *File, isRepair bool) error {
	switch {
	case n.Kind == yaml.ScalarNode:
		text := n.Value
		f.Text = &text
		return nil
	case n.Kind == yaml.SequenceNode && isRepair:
		return yamldoc.List(r.Document, &f.Replaced, func(to *Replacement) yamldoc.Setter {
			return r.within(func() setters {
				return setters{"replace": r.verbatim(&to.Replace), "with": r.verbatim(&to.With)}
			})
		})(n)
	}
	var derived scenario.Derived
	fields := r.lesson.DerivedFields(r.Document, &derived)
	fields["join"] = yamldoc.List(r.Document, &f.Join, r.fileName)
	if isRepair {
		fields["remove"] = r.Boolean(&f.Remove)
	} else {
		fields["record"] = func(n *yaml.Node) error {
			f.Record = &Record{}
			return r.Object(n, setters{"calls": r.steps(&f.Record.Steps), "shuffle": r.Boolean(&f.Record.Shuffle), "sealed": r.Boolean(&f.Record.Sealed), "keys": r.fileName(&f.Record.Keys)})
		}
	}
	if err := r.Object(n, fields); err != nil {
		return err
	}
	if derived.From != "" {
		f.Derived = &derived
	}
	if f.Derived == nil && f.Record == nil && f.Join == nil && !f.Remove {
		return r.ErrorAt(n, "write its text, or from: and form:, or join:", "the file has nothing in it")
	}
	return nil
}

// verbatim reads a text as it is.
func (r reader) verbatim(to *string) yamldoc.Setter {
	return func(n *yaml.Node) (err error) {
		*to, err = r.Document.Text(n)
		return err
	}
}

func (r reader) steps(to *[]Step) yamldoc.Setter {
	return yamldoc.List(r.Document, to, func(s *Step) yamldoc.Setter {
		return func(n *yaml.Node) error {
			s.at = place{r.Document, n}
			return r.Object(n, r.step(s))
		}
	})
}

func (r reader) step(s *Step) setters {
	d := r.Document
	return setters{
		"call": d.Words(&s.Call), "to": d.Words(&s.To), "says": d.Words(&s.Says), "at_start": d.Boolean(&s.AtStart), "times": d.Between(&s.Times, 1, 100), "label": d.Words(&s.Label), "current": d.Boolean(&s.Current),
		"with": r.side(&s.With, endpoint.Client), "serving": r.side(&s.Serving, endpoint.Server),
		"then":  r.lesson.ReadThen(d, &s.Then),
		"probe": d.ListOfWords(&s.Probe),

		"outcome": yamldoc.Choice(d, &s.Outcome, yamldoc.Named(Accepted, Rejected, Refused)), "rejected_by": yamldoc.Choice(d, &s.RejectedBy, bySide),
		"code": r.codes(&s.Codes), "alert": yamldoc.Choice(d, &s.Alert, scenario.Alerts()), "status": d.Between(&s.Status, 100, 599),
		"tls": yamldoc.Choice(d, &s.Version, versions), "cipher_suite": d.Words(&s.CipherSuite), "group": d.Words(&s.Group), "alpn": d.Words(&s.ALPN),
		"resumed": r.maybe(&s.Resumed), "forward_secret": r.maybe(&s.ForwardSecret),
		"client": d.ListOfWords(&s.Client), "server": d.ListOfWords(&s.Server), "body": d.Words(&s.Body),
	}
}

// codes reads one code, or a list of which one will do.
func (r reader) codes(to *[]verdict.Code) yamldoc.Setter {
	known := yamldoc.Named(verdict.Codes()...)
	return func(n *yaml.Node) error {
		if n.Kind == yaml.SequenceNode {
			return yamldoc.Choices(r.Document, to, known)(n)
		}
		*to = make([]verdict.Code, 1)
		return yamldoc.Choice(r.Document, &(*to)[0], known)(n)
	}
}

// maybe reads true or false, which differ from neither.
func (r reader) maybe(to **bool) yamldoc.Setter {
	return func(n *yaml.Node) error {
		*to = new(bool)
		return r.Boolean(*to)(n)
	}
}

func (r reader) question(q *Question) yamldoc.Setter {
	return func(n *yaml.Node) error {
		err := r.Object(n, setters{"name": r.Words(&q.Name), "ask": r.Words(&q.Ask), "choices": r.ListOfWords(&q.Choices), "answer": r.oneOrMore(&q.Answers)})
		switch {
		case err != nil:
			return err
		case !goodName().MatchString(q.Name) || q.Ask == "" || len(q.Answers) == 0:
			return r.ErrorAt(n, "write for example {name: who, ask: Who refused?, answer: server}", "a question needs a name in small letters, what it asks, and its answer")
		case len(q.Choices) > 0 && !slices.ContainsFunc(q.Choices, func(c string) bool { return q.isRight(c, nil) }):
			return r.ErrorAt(n, "add it to choices:", "the answer is none of the choices")
		}
		return nil
	}
}

// oneOrMore reads a text, or a list of them.
func (r reader) oneOrMore(to *[]string) yamldoc.Setter {
	return func(n *yaml.Node) error {
		if n.Kind == yaml.SequenceNode {
			return r.ListOfWords(to)(n)
		}
		*to = make([]string, 1)
		return r.Words(&(*to)[0])(n)
	}
}

func (r reader) repair(to *Repair) yamldoc.Setter {
	return func(n *yaml.Node) error {
		to.at = place{r.Document, n}
		return r.Object(n, setters{
			"server": r.changes(&to.Server, endpoint.Server), "client": r.changes(&to.Client, endpoint.Client),
			"certificates": yamldoc.ByName(r.Document, &to.Certificates, func(to **yaml.Node) yamldoc.Setter {
				return func(n *yaml.Node) error { *to = n; return nil }
			}),
			"renew": r.ListOfWords(&to.Renew), "files": r.files(&to.Files, true), "why": r.Words(&to.Why), "unverified": r.Boolean(&to.Unverified),
			"answers": func(n *yaml.Node) error {
				if n.Kind == yaml.ScalarNode && n.Value == "right" {
					to.Right = true
					return nil
				}
				return yamldoc.ByName(r.Document, &to.Answers, r.Words)(n)
			},
		})
	}
}

// changes reads changes of the settings of a side. One that is null takes a
// setting away.
func (r reader) changes(to **yaml.Node, side endpoint.Side) yamldoc.Setter {
	return func(n *yaml.Node) error {
		*to = n
		fields := reader{r.Document, &Exercise{}}.sideFields(new(Side), side) // it may name certificates that the repair adds
		for name, set := range fields {
			fields[name] = func(n *yaml.Node) error {
				if yamldoc.IsNull(n) {
					return nil
				}
				return set(n)
			}
		}
		return r.Object(n, fields)
	}
}
