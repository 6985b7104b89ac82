package deploy

import (
	"bytes"
	"fmt"
	"strings"

	"mtlslab.example/lab/lab/text"
)

// Names of the objects, and of certificates in the PKI.
const (
	Server   = "server"
	Client   = "client"
	ServerCA = "server-ca" // that clients trust
	ClientCA = "client-ca" // that the server trusts
	Health   = "health"    // the client that asks whether the server is well
	Gateway  = "gateway"   // the client that a gateway is
)

// Kubernetes says what manifests are made for.
type Kubernetes struct {
	Namespace string
	Create    bool // the manifests make the namespace, too
	Image     string
	Clients   []string // names of their certificates
	// PKI has a Secret of each of Identities and a ConfigMap of each CA; nil:
	// cert-manager makes Secrets of all of them.
	PKI []*Object
	// GatewayClass is that of a Gateway before the server; "": there is none.
	GatewayClass string
}

// File is a file of a Kustomize base.
type File struct {
	Name    string
	Content []byte
	Secret  bool // it has private keys
}

// Files returns the manifests, in the order in which they are to be applied,
// and kustomization.yaml as the last.
func (k Kubernetes) Files() (all []File, err error) {
	var resources []string
	add := func(name string, values any) {
		content, e := execute(name, values)
		all = append(all, File{Name: name, Content: content})
		if resources = append(resources, name); err == nil {
			err = e
		}
	}
	if k.Create {
		add("namespace.yaml", k)
	}
	if k.PKI == nil {
		add("issuers.yaml", k)
	} else {
		pki, e := k.pki()
		all, resources, err = append(all, pki), append(resources, pki.Name), e
	}
	for _, name := range []string{"network.yaml", "server.yaml", "clients.yaml", "jobs.yaml"} {
		add(name, k)
	}
	if k.GatewayClass != "" {
		add("gateway.yaml", k)
	}
	add("kustomization.yaml", resources)
	return all, err
}

func (k Kubernetes) pki() (File, error) {
	b := bytes.NewBufferString("# Private keys: keep this file to yourself, and out of version control.\n")
	for i, object := range k.PKI {
		if i > 0 {
			b.WriteString("---\n")
		}
		placed := *object
		placed.Namespace = k.Namespace
		text, err := placed.YAML()
		if err != nil {
			return File{}, err
		}
		b.Write(text)
	}
	return File{Name: "pki.yaml", Content: b.Bytes(), Secret: true}, nil
}

// Identities are the names of the certificates of clients.
func (k Kubernetes) Identities() []string {
	names := append([]string{Health}, k.Clients...)
	if k.GatewayClass != "" {
		names = append(names, Gateway)
	}
	return names
}

// Host is the name of the server in the cluster.
func (k Kubernetes) Host() string { return Server + "." + k.Namespace + ".svc" }

// The rest is for the templates.

func (k Kubernetes) URL() string      { return "https://" + k.Host() + ":8443/" }
func (k Kubernetes) ServerCA() string { return ServerCA }
func (k Kubernetes) ClientCA() string { return ClientCA }
func (k Kubernetes) CAs() []string    { return []string{ServerCA, ClientCA} }

// TrustKind is the kind of the objects that have the certificates of CAs.
func (k Kubernetes) TrustKind() string {
	if k.PKI == nil {
		return "Secret"
	}
	return "ConfigMap"
}

// Trust is the source of a volume with the certificate of a CA, and not its
// key.
func (k Kubernetes) Trust(ca string) string {
	if k.PKI == nil {
		return fmt.Sprintf("secret: {secretName: %s, defaultMode: 0440, items: [{key: ca.crt, path: ca.crt}]}", ca)
	}
	return fmt.Sprintf("configMap: {name: %s}", ca)
}

// Pod is a pod of a client, of which How are some arguments.
type Pod struct {
	Kubernetes
	Name, How string
}

// Client returns the pod of a client.
func (k Kubernetes) Client(name, how string) Pod { return Pod{k, name, how} }

// label is a name as Kubernetes has it for namespaces (RFC 1123 section 2.1).
var label = text.Pattern(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// IsLabel reports whether a namespace can have a name.
func IsLabel(name string) bool { return label().MatchString(name) }

// IsName reports whether a Secret can have a name: labels with dots between
// them, at most 253 bytes.
func IsName(name string) bool {
	for part := range strings.SplitSeq(name, ".") {
		if !IsLabel(part) {
			return false
		}
	}
	return len(name) <= 253
}
