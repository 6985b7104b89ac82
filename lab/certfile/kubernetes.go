package certfile

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/lab/text"
)

// object is what is read of a Kubernetes object: a Secret, a ConfigMap with
// CAs, or a List of such.
type object struct {
	Kind       string            `yaml:"kind"`
	Data       map[string]string `yaml:"data"` // of a Secret in base64
	StringData map[string]string `yaml:"stringData"`
	Items      []object          `yaml:"items"`
}

// kubernetesKind finds the line of YAML, or the field of JSON, that says so.
var kubernetesKind = text.Pattern(`(?m)^\s*[{]?\s*(?:"apiVersion":\s*"v1",\s*)?"?kind"?:\s*"?(Secret|ConfigMap|List)\b`)

// maxManifest is more than Kubernetes stores of a Secret, which is 1 MiB.
const maxManifest = 4 << 20

// isKubernetes reports whether a file describes an object of Kubernetes with
// data in it.
func isKubernetes(data []byte) bool {
	return len(data) <= maxManifest && kubernetesKind().Match(data)
}

// readKubernetes reads Secrets and ConfigMaps, a part for each of their entries
// that has certificates or keys.
func readKubernetes(file string, data []byte, password string) (parts []*Contents, err error) {
	whole := &Contents{File: file, Form: Secret}
	var objects []object
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var o object
		if err := decoder.Decode(&o); err == io.EOF {
			break
		} else if err != nil {
			return nil, whole.because(err, "looks like a Kubernetes Secret and is not its YAML", "kubectl get secret NAME -o yaml prints it")
		}
		objects = append(append(objects, o), o.Items...)
	}
	var entries []string
	for _, o := range objects {
		if o.Kind != "Secret" && o.Kind != "ConfigMap" {
			continue
		}
		for _, name := range entriesOf(o) {
			entries = append(entries, name)
			part, err := readKubernetesEntry(file, o, name, password)
			if err != nil {
				return nil, err
			}
			if part != nil {
				parts = append(parts, part)
			}
		}
	}
	if len(parts) == 0 {
		return nil, whole.wrong(fmt.Sprintf("is of Kubernetes, with no certificate and no key in it: it has %s", orNothing(strings.Join(entries, ", "))), "")
	}
	return parts, nil
}

func orNothing(s string) string {
	if s == "" {
		return nothing
	}
	return s
}

// entriesOf returns the names of an object's entries, those with the fixed
// names of a Secret of type kubernetes.io/tls first.
func entriesOf(o object) (names []string) {
	for _, entries := range []map[string]string{o.Data, o.StringData} {
		for name := range entries {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	first := []string{"ca.crt", "tls.key", "tls.crt"} // backwards
	slices.SortFunc(names, func(a, b string) int {
		if d := slices.Index(first, b) - slices.Index(first, a); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return names
}

// readKubernetesEntry reads an entry; nil: it has no certificate and no key.
// stringData counts for more than data, as it does for Kubernetes.
func readKubernetesEntry(file string, o object, name, password string) (*Contents, error) {
	c := &Contents{File: file, Entry: name}
	data := []byte(o.StringData[name])
	if _, plain := o.StringData[name]; !plain && o.Kind == "Secret" {
		var err error
		if data, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(o.Data[name]), "")); err != nil {
			return nil, c.because(err, "is not base64, as what is in data must be", "base64 -w0 FILE, or write the text itself in stringData")
		}
	} else if !plain {
		data = []byte(o.Data[name])
	}
	data, err := c.decodeText(data)
	if err != nil {
		return nil, err
	}
	isOurs := bytes.Contains(data, []byte("-----BEGIN ")) || isPKCS12(data) || strings.HasPrefix(name, "tls.") || name == "ca.crt"
	switch {
	case isJKS(data):
		return nil, c.wrong("is a key store of Java", "write it into a file of its own, and check that")
	case !isOurs: // a password, for one
		return nil, nil
	}
	err = c.parse(data, password)
	for i, key := range c.Keys {
		c.Keys[i].Next = c.Next(key.Next)
	}
	c.Form = Secret
	if o.Kind == "ConfigMap" {
		c.Form = ConfigMap
	}
	return c, err
}
