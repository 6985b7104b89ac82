package types

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

// The types have fields of the experimental channel too. The manifests do
// without them.
func TestStandardChannel(t *testing.T) {
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatal(err)
	}
	crds := filepath.Join(strings.TrimSpace(string(module)), "config", "crd", "standard")
	for _, file := range files(t, "gateway.k8s.yaml") {
		for _, object := range decode(t, file) {
			plural := ""
			switch object.(type) {
			case *gateway.Gateway:
				plural = "gateways"
			case *gateway.HTTPRoute:
				plural = "httproutes"
			case *gateway.BackendTLSPolicy:
				plural = "backendtlspolicies"
			default:
				continue
			}
			var crd struct {
				Spec struct {
					Versions []struct {
						Name   string
						Schema struct{ OpenAPIV3Schema map[string]any }
					}
				}
			}
			read(t, filepath.Join(crds, "gateway.networking.k8s.io_"+plural+".yaml"), &crd)
			text, err := yaml.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			var fields map[string]any
			if err := yaml.Unmarshal(text, &fields); err != nil {
				t.Fatal(err)
			}
			delete(fields, "metadata") // of every kind
			delete(fields, "status")
			for _, v := range crd.Spec.Versions {
				if v.Name == "v1" {
					compare(t, file+": "+plural, fields, v.Schema.OpenAPIV3Schema)
				}
			}
		}
	}
}

func read(t *testing.T, file string, value any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(data, value)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// compare reports the fields that a schema does not have.
func compare(t *testing.T, at string, value any, schema map[string]any) {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		for name, field := range v {
			if of, ok := properties[name].(map[string]any); ok {
				compare(t, at+"."+name, field, of)
			} else {
				t.Errorf("%s has no %s", at, name)
			}
		}
	case []any:
		of, _ := schema["items"].(map[string]any)
		for _, item := range v {
			compare(t, at+"[]", item, of)
		}
	}
}
