package deploy

import (
	"bytes"
	"embed"
	"encoding/base64"
	"encoding/json"
	"strings"
	"text/template"
)

//go:embed templates
var files embed.FS

// execute fills in a template. The templates in pod.yaml are at hand.
func execute(name string, values any) ([]byte, error) {
	t, err := template.New(name).Funcs(template.FuncMap{
		"q":       quoted,
		"base64":  base64.StdEncoding.EncodeToString,
		"literal": func(data []byte, n int) string { return "|\n" + indent(string(data), n) },
	}).ParseFS(files, "templates/pod.yaml", "templates/"+name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, values); err != nil {
		return nil, err
	}
	return []byte(strings.TrimRight(b.String(), "\n") + "\n"), nil
}

// quoted is s as a YAML string.
func quoted(s string) string {
	text, _ := json.Marshal(s) // never fails for a string
	return string(text)
}
