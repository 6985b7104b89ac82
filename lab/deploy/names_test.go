package deploy_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/lab/deploy"
)

// TestNamesAreStrings: a name that YAML takes for a number or a truth value is
// a name all the same.
func TestNamesAreStrings(t *testing.T) {
	for _, name := range []string{"123", "1e3", "0x1f", "null", "true", "no", "lab"} {
		k := deploy.Kubernetes{Namespace: name, Create: true, Image: "lab", Clients: []string{deploy.Client}, GatewayClass: name}
		files, err := k.Files()
		if err != nil {
			t.Fatal(err)
		}
		secret, err := (&deploy.Object{Name: name, Namespace: name, Key: []byte("key")}).YAML()
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range append(files, deploy.File{Name: "an object", Content: secret}) {
			for d := yaml.NewDecoder(bytes.NewReader(file.Content)); ; {
				var o struct {
					Kind     string
					Metadata map[string]any
					Spec     map[string]any
				}
				if err := d.Decode(&o); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				values := []any{o.Metadata["namespace"]}
				if o.Kind == "Namespace" || file.Name == "an object" {
					values = append(values, o.Metadata["name"])
				}
				if o.Kind == "Gateway" {
					values = append(values, o.Spec["gatewayClassName"])
				}
				for _, value := range values {
					if value != nil && value != name {
						t.Errorf("%s: %s: %#v", file.Name, o.Kind, value)
					}
				}
			}
		}
	}
}
