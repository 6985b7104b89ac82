package exercise

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v4"
)

// knownWrong returns why a repair does not count, where what is in dir is the
// start with exactly one of the wrong repairs; "": it is another one. Those
// that renew certificates, or answer questions, cannot be told from others.
func (e *Exercise) knownWrong(dir string, v values) string {
	for i := range e.Wrong {
		r := &e.Wrong[i]
		if r.Why != "" && r.Renew == nil && r.Answers == nil && !r.Right && e.isRepaired(dir, v, r) {
			return r.Why
		}
	}
	return ""
}

// isRepaired reports whether dir has the files of the start with a repair, and
// nothing else in them that counts.
func (e *Exercise) isRepaired(dir string, v values, r *Repair) bool {
	if e.hasSettings() {
		start, err := e.settingsText()
		if err != nil {
			return false
		}
		settings := yamlIn(start)
		for name, change := range map[string]*yaml.Node{"server": r.Server, "client": r.Client} {
			if change == nil || name == "server" && e.World.Server == nil || name == "client" && e.World.Client == nil {
				continue
			}
			merge(valueOf(settings[0], name), cloned(change))
		}
		if !isSame(settings, dir, settingsFile) {
			return false
		}
	}
	if e.HasManifest() {
		documents := yamlIn(e.manifestText())
		for _, name := range slices.Sorted(maps.Keys(r.Certificates)) {
			documents = changedManifest(documents, name, r.Certificates[name])
		}
		if !isSame(documents, dir, manifestFile) {
			return false
		}
	}
	expected := map[string]string{}
	for _, f := range e.World.Files {
		if f.Text != nil {
			expected[f.Name] = v.fill(*f.Text)
		}
	}
	for _, f := range r.Files {
		if e.isOfReplaced(f.Name) {
			continue
		}
		start, isText := expected[f.Name]
		if f.Replaced == nil || !isText {
			return false
		}
		for _, c := range f.Replaced {
			start = string(bytes.ReplaceAll([]byte(start), []byte(c.Replace), []byte(c.With)))
		}
		expected[f.Name] = start
	}
	for name, text := range expected {
		found, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil || string(found) != text {
			return false
		}
	}
	return true
}

// yamlIn returns the documents in a text that was written from what was read.
func yamlIn(text []byte) []*yaml.Node {
	documents, _ := manifestNodes(text)
	return documents
}

// isSame reports whether a file has these documents, however they are written.
func isSame(documents []*yaml.Node, dir, name string) bool {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return false
	}
	found, err := manifestNodes(text)
	if err != nil || len(found) != len(documents) {
		return false
	}
	for i := range found {
		var is, want any
		if found[i].Decode(&is) != nil || documents[i].Decode(&want) != nil || !reflect.DeepEqual(is, want) {
			return false
		}
	}
	return true
}

// changedManifest returns the documents of a manifest with a change of one
// certificate, which is added if it is not there.
func changedManifest(documents []*yaml.Node, name string, change *yaml.Node) []*yaml.Node {
	for _, d := range documents {
		if nameOf(d) == name {
			merge(d, change)
			return documents
		}
	}
	added := &yaml.Node{Kind: yaml.MappingNode}
	merge(added, change)
	return append(documents, added)
}
