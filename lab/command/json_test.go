package command_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/command"
	"mtlslab.example/lab/lab/vantage"
	"mtlslab.example/lab/lab/verdict"
)

// TestJSONIsExplained: JSON.md has every field that an exchange may have, and
// every one that lab prints of connections.
func TestJSONIsExplained(t *testing.T) {
	document := readDocument(t, filepath.Join("lab", "command", "JSON.md"))
	between := readDocument(t, filepath.Join("lab", "command", "BETWEEN.md"))
	explained := func(field string) {
		if !strings.Contains(document, "`"+field+"`") {
			t.Errorf("%s is not in JSON.md", field)
		}
	}
	for field := range fieldsOf(reflect.TypeFor[lab.Exchange]()) {
		explained(field)
	}
	for _, code := range verdict.Codes() {
		if !strings.Contains(document, "| `"+string(code)+"` |") {
			t.Errorf("code %s is not in JSON.md", code)
		}
	}
	for _, code := range vantage.Codes() {
		if !strings.Contains(document, "`"+string(code)+"`") && !strings.Contains(between, "`"+string(code)+"`") {
			t.Errorf("code %s is neither in JSON.md nor in BETWEEN.md", code)
		}
	}
	p := newPrinter(t, 0) // for its folder
	for _, args := range []string{"", " --http 2", " --client-cert none", " --tls 1.2"} {
		var out bytes.Buffer
		lab := command.Program{Manifest: p.manifest, Stdout: &out, Stderr: io.Discard}
		lab.Run(t.Context(), strings.Fields("lab up --json --verbose --count 1"+args))
		var x any
		check(t, json.Unmarshal(out.Bytes(), &x))
		for field := range fieldsIn(x) {
			explained(field)
		}
	}
}

// fieldsOf are the names that a type of lab's, and those in it, have in JSON.
func fieldsOf(of reflect.Type) map[string]bool {
	names := make(map[string]bool)
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || !strings.HasPrefix(of.PkgPath(), "mtlslab.example/lab/") {
		return names
	}
	for _, field := range reflect.VisibleFields(of) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if name != "" {
			names[name] = true
		}
		maps.Copy(names, fieldsOf(field.Type))
	}
	return names
}

// fieldsIn are the names in a decoded JSON text.
func fieldsIn(value any) map[string]bool {
	names := make(map[string]bool)
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			maps.Copy(names, fieldsIn(element))
		}
	case map[string]any:
		for name, element := range v {
			names[name] = true
			maps.Copy(names, fieldsIn(element))
		}
	}
	return names
}
