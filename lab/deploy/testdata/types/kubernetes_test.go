package types

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

// Every manifest is of a published type, and what it names is there.
func TestKubernetes(t *testing.T) {
	for _, file := range files(t, ".k8s.yaml") {
		objects := decode(t, file)
		there := map[string]bool{}
		for _, object := range objects {
			o := object.(meta.Object)
			switch c := object.(type) {
			case *core.Namespace:
				continue
			case *core.Secret:
				there["Secret "+c.Name] = true
				checkSecret(t, c)
			case *core.ConfigMap:
				there["ConfigMap "+c.Name] = true
				if !x509.NewCertPool().AppendCertsFromPEM([]byte(c.Data["ca.crt"])) {
					t.Errorf("%s: %s has no certificate", file, c.Name)
				}
			case *core.PersistentVolumeClaim:
				there["PersistentVolumeClaim "+c.Name] = true
			case *core.Service:
				there["Service "+c.Name] = true
			case *certmanager.Certificate:
				there["Secret "+c.Spec.SecretName] = true
			case *certmanager.Issuer:
				there["Issuer "+c.Name] = true
			}
			if o.GetNamespace() != namespaceOf(file) {
				t.Errorf("%s: %s is in %s", file, o.GetName(), o.GetNamespace())
			}
		}
		need := func(by, what string) {
			if !there[what] {
				t.Errorf("%s: %s needs %s, which is not there", file, by, what)
			}
		}
		for _, p := range podsOf(objects) {
			for _, v := range p.spec.Spec.Volumes {
				switch {
				case v.Secret != nil:
					need(p.of, "Secret "+v.Secret.SecretName)
					if strings.HasSuffix(v.Secret.SecretName, "-ca") && (len(v.Secret.Items) != 1 || v.Secret.Items[0].Key != "ca.crt") {
						t.Errorf("%s: %s is given the key of a CA", file, p.of)
					}
				case v.ConfigMap != nil:
					need(p.of, "ConfigMap "+v.ConfigMap.Name)
				case v.PersistentVolumeClaim != nil:
					need(p.of, "PersistentVolumeClaim "+v.PersistentVolumeClaim.ClaimName)
				case v.EmptyDir != nil && v.EmptyDir.SizeLimit != nil:
				default:
					t.Errorf("%s: %s: volume %s has no bound", file, p.of, v.Name)
				}
			}
		}
		for _, object := range objects {
			switch o := object.(type) {
			case *core.Service:
				selects(t, o.Name, labels.SelectorFromSet(o.Spec.Selector), objects)
			case *apps.Deployment:
				selector, err := meta.LabelSelectorAsSelector(o.Spec.Selector)
				if err != nil || !selector.Matches(labels.Set(o.Spec.Template.Labels)) {
					t.Errorf("%s: %s does not select its pods: %v", file, o.Name, err)
				}
			case *networking.NetworkPolicy:
				selector, err := meta.LabelSelectorAsSelector(&o.Spec.PodSelector)
				if err != nil {
					t.Fatal(err)
				}
				selects(t, o.Name, selector, objects)
			case *certmanager.Certificate:
				need(o.Name, "Issuer "+o.Spec.IssuerRef.Name)
			case *gateway.Gateway:
				for _, l := range o.Spec.Listeners {
					need(o.Name, "Secret "+string(l.TLS.CertificateRefs[0].Name))
				}
				ca := o.Spec.TLS.Frontend.Default.Validation.CACertificateRefs[0]
				need(o.Name, string(ca.Kind)+" "+string(ca.Name))
				need(o.Name, "Secret "+string(o.Spec.TLS.Backend.ClientCertificateRef.Name))
			case *gateway.HTTPRoute:
				need(o.Name, "Service "+string(o.Spec.Rules[0].BackendRefs[0].Name))
			case *gateway.BackendTLSPolicy:
				need(o.Name, "Service "+string(o.Spec.TargetRefs[0].Name))
				need(o.Name, string(o.Spec.Validation.CACertificateRefs[0].Kind)+" "+string(o.Spec.Validation.CACertificateRefs[0].Name))
			case *batch.Job:
				if o.Spec.Template.Spec.RestartPolicy == core.RestartPolicyAlways {
					t.Errorf("%s: a Job ends", file)
				}
			}
		}
	}
}

// namespaceOf is that which a file was made with.
func namespaceOf(file string) string {
	if strings.Contains(file, "elsewhere") {
		return "elsewhere"
	}
	return "lab"
}

// checkSecret looks at the values by the rules of kubernetes.io/tls.
func checkSecret(t *testing.T, s *core.Secret) {
	t.Helper()
	pair, err := tls.X509KeyPair(s.Data[core.TLSCertKey], s.Data[core.TLSPrivateKeyKey])
	roots := x509.NewCertPool()
	if err != nil || s.Type != core.SecretTypeTLS || !roots.AppendCertsFromPEM(s.Data["ca.crt"]) {
		t.Errorf("%s, of type %s: %v", s.Name, s.Type, err)
		return
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		t.Errorf("%s: %v", s.Name, err)
	}
	if pair.Leaf.IsCA {
		t.Errorf("%s is the key of a CA", s.Name)
	}
}

// selects reports a selector that no pod has.
func selects(t *testing.T, name string, selector labels.Selector, objects []any) {
	t.Helper()
	if !slices.ContainsFunc(podsOf(objects), func(p pod) bool { return selector.Matches(labels.Set(p.spec.Labels)) }) {
		t.Errorf("%s selects no pod", name)
	}
}
