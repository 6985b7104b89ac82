package exercise

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/fault"
	"mtlslab.example/lab/lab/scenario"
)

// The files of an exercise's folder.
const (
	settingsFile = "settings.yaml" // of the lab's own server and client
	answersFile  = "answers.yaml"
	manifestFile = "certs.yaml"
	certsFolder  = "certs"
	startFolder  = "at-start" // certificates as they were at the start
	readmeFile   = "README.md"
	captureFile  = "verify.pcapng" // of the last marking
)

// MissingFileError is a file of an exercise that is not in its folder any more.
type MissingFileError struct{ Name, Exercise string }

func (e *MissingFileError) Error() string { return e.Name + " is missing" }

// sides are the two sides of the lab's own, as the participant has set them;
// nil: it is another program, or there is none.
type sides struct{ server, client *Side }

func (s sides) of(side endpoint.Side) *Side {
	if side == endpoint.Server {
		return s.server
	}
	return s.client
}

// readSettings reads what the participant has made of settings.yaml in dir.
// Errors are *yamldoc.Error, *MissingFileError or *fs.PathError.
func (e *Exercise) readSettings(dir string) (sides, error) {
	if !e.hasSettings() {
		return sides{}, nil
	}
	file := filepath.Join(dir, settingsFile)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return sides{}, &MissingFileError{Name: settingsFile, Exercise: e.Name}
	}
	if err != nil {
		return sides{}, err
	}
	documents, err := yamldoc.Read(settingsFile, text)
	if err != nil {
		return sides{}, err
	}
	has := sides{}
	if e.World.Server != nil {
		has.server = &Side{}
	}
	if e.World.Client != nil {
		has.client = &Side{}
	}
	if len(documents) == 0 {
		return has, nil
	}
	d := reader{documents[0], &Exercise{}}
	fields := setters{}
	for name, side := range map[string]*Side{"server": has.server, "client": has.client} {
		if side == nil {
			continue
		}
		var of endpoint.Side
		_ = of.UnmarshalText([]byte(name)) // it is one of the two
		fields[name] = func(n *yaml.Node) error {
			if yamldoc.IsNull(n) {
				return nil
			}
			return d.Object(n, d.sideFields(side, of))
		}
	}
	return has, d.Object(d.Root(), fields)
}

// hasSettings reports whether a side is the lab's own.
func (e *Exercise) hasSettings() bool { return e.World.Server != nil || e.World.Client != nil }

// settingsText returns settings.yaml as it is at the start.
func (e *Exercise) settingsText() ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	add := func(name string, s *Side) {
		if s != nil {
			root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, inBlocks(s.source))
		}
	}
	add("server", e.World.Server)
	add("client", e.World.Client)
	return encode("# What the server and the client do. lab exercise verify starts them with it.\n", root)
}

// inBlocks returns a mapping with each field on a line of its own.
func inBlocks(n *yaml.Node) *yaml.Node {
	block := *n
	block.Style &^= yaml.FlowStyle
	if len(n.Content) == 0 { // {} must stay
		block.Style |= yaml.FlowStyle
	}
	return &block
}

// cloned returns a copy of a node and of all below it: to encode a node changes
// it, and a document may be in use by several markings.
func cloned(n *yaml.Node) *yaml.Node {
	if n == nil {
		return nil
	}
	clone := *n
	clone.Alias, clone.Content = cloned(n.Alias), make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		clone.Content[i] = cloned(child)
	}
	return &clone
}

// encode returns a document behind a comment.
func encode(comment string, root *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(comment)
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(cloned(root)); err != nil {
		return nil, err
	}
	return b.Bytes(), encoder.Close()
}

// over returns the settings with changes to them, which were read from d.
func (s *Side) over(d yamldoc.Document, changes *Side, side endpoint.Side) (*Side, error) {
	changed := *s
	if changes == nil {
		return &changed, nil
	}
	r := reader{d, &Exercise{}}
	return &changed, r.Object(changes.source, r.sideFields(&changed, side))
}

// settingsIn returns the settings of the participant's side with the
// certificates and files in dir.
func (s *Side) settingsIn(dir string, side endpoint.Side) (lab.Settings, error) {
	if len(s.Trust) == 0 {
		usual := side.Other().String() + "-ca"
		if _, err := os.Stat(filepath.Join(dir, certsFolder, usual+".pem")); errors.Is(err, fs.ErrNotExist) {
			return lab.Settings{}, fmt.Errorf("%s: %s: names no trust", settingsFile, side)
		}
	}
	lesson := scenario.Scenario{Server: s.Half, Client: s.Half}
	settingsOf := lesson.ServerSettingsIn
	if side == endpoint.Client {
		settingsOf = lesson.ClientSettingsIn
	}
	settings, err := settingsOf(filepath.Join(dir, certsFolder), s.TLS)
	if err != nil {
		return settings, err
	}
	in := func(name string) string {
		if certfile.IsFile(name) && !filepath.IsAbs(name) {
			return filepath.Join(dir, filepath.FromSlash(name))
		}
		return name
	}
	settings.Certificate, settings.Trust, settings.Password = in(settings.Certificate), in(settings.Trust), s.Password
	if certfile.IsFile(settings.Certificate) {
		settings.KeyFile = in(cmp.Or(s.KeyFile, s.Certificate))
	}
	for i, name := range settings.AlsoTrust {
		settings.AlsoTrust[i] = in(name)
	}
	s.finish(&settings)
	return settings, nil
}

// finish adds what scenarios do not have.
func (s *Side) finish(settings *lab.Settings) {
	settings.Timeout = cmp.Or(settings.Timeout, patience)
	if !s.Unsure {
		return
	}
	faults := []fault.Fault{fault.Unverified}
	if settings.Wrap != nil {
		faults = append(faults, settings.Wrap)
	}
	settings.Wrap = fault.Join(faults...)
}
