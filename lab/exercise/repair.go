package exercise

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen"
)

// apply changes the folder dir as a repair says. What is about a side that is
// not the lab's own, or about a file of a program that is not in the world, is
// left out; changed reports whether anything was left to do.
func (e *Exercise) apply(ctx context.Context, dir string, v values, r *Repair) (changed bool, err error) {
	if r.Certificates != nil || r.Renew != nil {
		if err := e.recertify(ctx, dir, r); err != nil {
			return false, err
		}
		changed = true
	}
	for name, change := range map[string]*yaml.Node{"server": r.Server, "client": r.Client} {
		if change == nil || name == "server" && e.World.Server == nil || name == "client" && e.World.Client == nil {
			continue
		}
		if err := changeSettings(filepath.Join(dir, settingsFile), name, change); err != nil {
			return false, err
		}
		changed = true
	}
	for _, f := range r.Files {
		if e.isOfReplaced(f.Name) {
			continue
		}
		if err := e.writeFile(dir, v, f); err != nil {
			return false, err
		}
		changed = true
	}
	if r.Answers != nil || r.Right {
		changed = true
		err = e.answer(dir, v, r)
	}
	return changed, err
}

// isOfReplaced reports whether a file belongs to a program for which the lab's
// own stands.
func (e *Exercise) isOfReplaced(file string) bool {
	return slices.ContainsFunc(e.World.replaced, func(p *Program) bool { return slices.Contains(p.own(), file) })
}

// changeSettings changes the fields of a side in settings.yaml.
func changeSettings(file, side string, change *yaml.Node) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return err
	}
	root := document.Content[0]
	merge(valueOf(root, side), change)
	text, err = encode("", root)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// valueOf returns the value of a field, which is added if it is missing.
func valueOf(mapping *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	value := &yaml.Node{Kind: yaml.MappingNode}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, value)
	return value
}

// merge sets the fields of a mapping that change has, and takes those away that
// are null there.
func merge(mapping, change *yaml.Node) {
	for pair := range slices.Chunk(change.Content, 2) {
		name, value := pair[0], pair[1]
		at := -1
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if mapping.Content[i].Value == name.Value {
				at = i
			}
		}
		switch {
		case value.ShortTag() == "!!null" && at >= 0:
			mapping.Content = slices.Delete(mapping.Content, at, at+2)
		case value.ShortTag() == "!!null":
		case at >= 0:
			mapping.Content[at+1] = value
		default:
			mapping.Content = append(mapping.Content, name, value)
		}
	}
}

// recertify changes certs.yaml and has the certificates made that it asks for
// then.
func (e *Exercise) recertify(ctx context.Context, dir string, r *Repair) error {
	file := filepath.Join(dir, manifestFile)
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	documents, err := manifestNodes(text)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(r.Certificates)) {
		documents = changedManifest(documents, name, r.Certificates[name])
	}
	var b bytes.Buffer
	for i, d := range documents {
		comment := "---\n"
		if i == 0 {
			comment = ""
		}
		text, err := encode(comment, d)
		if err != nil {
			return err
		}
		b.Write(text)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		return err
	}
	return e.generate(ctx, dir, time.Now(), r.Renew, nil)
}

// manifestNodes returns the documents of a manifest.
func manifestNodes(text []byte) (documents []*yaml.Node, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		switch {
		case errors.Is(err, io.EOF):
			return documents, nil
		case err != nil:
			return nil, err
		case len(document.Content) > 0:
			documents = append(documents, document.Content[0])
		}
	}
}

// nameOf returns the name of the certificate that a document is about.
func nameOf(document *yaml.Node) string {
	// Its issuer is in another document: without it, it can be read alone.
	alone := *document
	alone.Content = nil
	for pair := range slices.Chunk(document.Content, 2) {
		if !strings.EqualFold(pair[0].Value, "issuer") {
			alone.Content = append(alone.Content, pair...)
		}
	}
	text, err := encode("", &alone)
	if err != nil {
		return ""
	}
	m, err := certgen.Parse(manifestFile, text)
	if err != nil || len(m.Certificates) != 1 {
		return ""
	}
	return m.Certificates[0].Name
}

// answer writes the answers of a repair.
func (e *Exercise) answer(dir string, v values, r *Repair) error {
	given := map[string]string{}
	for _, q := range e.Ask {
		if r.Right {
			given[q.Name] = v.fill(q.Answers[0])
		}
		if answer, ok := r.Answers[q.Name]; ok {
			given[q.Name] = v.fill(answer)
		}
	}
	text, err := yaml.Marshal(given)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, answersFile), text, 0o644)
}
