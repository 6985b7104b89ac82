package types

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

// kinds are those that lab deploy writes, with their published types.
var kinds = map[string]any{
	"v1 Namespace":                                  core.Namespace{},
	"v1 Secret":                                     core.Secret{},
	"v1 ConfigMap":                                  core.ConfigMap{},
	"v1 Service":                                    core.Service{},
	"v1 PersistentVolumeClaim":                      core.PersistentVolumeClaim{},
	"apps/v1 Deployment":                            apps.Deployment{},
	"batch/v1 Job":                                  batch.Job{},
	"networking.k8s.io/v1 NetworkPolicy":            networking.NetworkPolicy{},
	"gateway.networking.k8s.io/v1 Gateway":          gateway.Gateway{},
	"gateway.networking.k8s.io/v1 HTTPRoute":        gateway.HTTPRoute{},
	"gateway.networking.k8s.io/v1 BackendTLSPolicy": gateway.BackendTLSPolicy{},
	"cert-manager.io/v1 Issuer":                     certmanager.Issuer{},
	"cert-manager.io/v1 Certificate":                certmanager.Certificate{},
}

// files are those of a suffix in $LAB_MANIFESTS.
func files(t *testing.T, suffix string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(os.Getenv("LAB_MANIFESTS"), "*"+suffix))
	if err != nil || len(found) == 0 {
		t.Fatalf("no *%s in $LAB_MANIFESTS: %v", suffix, err)
	}
	return found
}

// decode reads manifests strictly: a field that its type does not have, or that
// is there twice, is an error.
func decode(t *testing.T, file string) (objects []any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for document := range bytes.SplitSeq(data, []byte("\n---\n")) {
		var about meta.TypeMeta
		if err := yaml.Unmarshal(document, &about); err != nil {
			t.Fatal(err)
		}
		kind, known := kinds[about.APIVersion+" "+about.Kind]
		if !known {
			t.Fatalf("%s: %q has no type\n%s", file, about, document)
		}
		object := reflect.New(reflect.TypeOf(kind)).Interface()
		if err := yaml.UnmarshalStrict(document, object); err != nil {
			t.Errorf("%s: %v: %v", file, about, err)
		}
		objects = append(objects, object)
	}
	return objects
}

// pod is a template of pods, and what makes them.
type pod struct {
	of   string
	spec core.PodTemplateSpec
}

func podsOf(objects []any) (pods []pod) {
	for _, object := range objects {
		switch o := object.(type) {
		case *apps.Deployment:
			pods = append(pods, pod{o.Name, o.Spec.Template})
		case *batch.Job:
			pods = append(pods, pod{o.Name, o.Spec.Template})
		}
	}
	return pods
}
