package certgen

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/peertest"
)

// The forms that certyaml takes each field in. What it gets wrong, or takes and
// should not, is not among them: subjects with an empty attribute before others
// or with "=" in a value, what is no URL or host, lifetimes that are not
// positive, serial number 0, issuers that are no CA, list items that are empty.
var (
	subjectForms = []string{
		"CN=$", "cn=$", "  CN = $ ", "CN=$,O=Company", "CN=$, OU=People, O=My Company", "O=x,CN=$,C=FI,L=Helsinki,ST=Uusimaa",
		"cn=$,uid=admin,ou=system", "CN=$,DC=example,DC=com", "CN=$,E=joe@example.com", "emailAddress=joe@example.com,CN=$",
		`CN=$,O=a\, b`, `CN=$,O=\22q\22`, `CN=$,O=\ x\ `, `CN=$,O=J\C3\BCrgen`, "CN=$,O=Jürgen", `CN=$,O="q";<x>`, `CN=$,O=a\+b\=c`,
		"CN=$+OU=x", "CN=$+O=x+OU=y,C=FI", "CN=$,O=#0c0161", "CN=$,O=#130141+OU=b", "OU=a,OU=b,CN=$", "CN=x,CN=$",
		"CN=$,serialNumber=12,STREET=s,postalCode=00100", "CN=$,title=Dr,givenName=A,sn=B,description=d", "CN=$,O=", "CN=$,", "CN=$,O=x,  ",
		"businessCategory=b,CN=$", "dnQualifier=1,generationQualifier=2,initials=i,name=n,CN=$", "SERIALNUMBER=a,SerialNumber=b,CN=$",
	}
	fieldForms = [][]string{
		{"", "sans: [DNS:a.example, 'DNS:*.b.example', IP:127.0.0.1, 'IP:::1', 'URI:spiffe://x/y', 'email:a@b']", "sans:\n- DNS:a\n- \"IP:10.0.0.1\" # c", "SANs: []", "sans:", "sans: ~",
			"sans: [DNS:keycloak.example/, DNS:under_score, 'URI:urn:x:y', 'URI:https://a:1/b?c=d#e']", "sans: [&a DNS:x, *a]", `"sans": ["DNS:x"]`},
		{"", "key_type: EC", "key_type: ED25519", "key_type: \"\"", "key_type:", "key_type: EC\nkey_size: 384", "key_type: EC\nkey_size: 521.0", "key_size: 0x100", "key_size: 256", "key_size: 0", "key_size: ~",
			"key_type: RSA\nkey_size: 1024", "key_type: RSA\nkey_size: 1_024", "key_type: RSA\nKEY_SIZE: 1.024e3", "key_type: ED25519\nkey_size: 256", "key_size: 0400", "key_size: 0b100000000"},
		{"", "expires: 1h", "expires: '90m'", "Expires: 1h30m", "expires: 1.5h", "expires: \"\"", "expires: +2h", "expires:", "EXPIRES: !!str 3h",
			"not_before: 2020-01-01T09:00:00Z", "not_before: '2020-01-01T09:00:00+02:00'\nexpires: 1h", "not_after: 2099-01-01T09:00:00Z",
			"not_before: 2020-01-01T09:00:00.5Z\nnot_after: 2030-01-01T09:00:00Z", "not_before: 2049-01-01T00:00:00Z\nnot_after: 2051-01-01T00:00:00Z", "not_before: ~\nnot_after:"},
		{"", "key_usages: [DigitalSignature]", "key_usages: []", "key_usages:", "key_usages:\n  - CertSign\n  - CRLSign\n  - KeyAgreement", "Key_Usages: [ContentCommitment, DataEncipherment, EncipherOnly, DecipherOnly, KeyEncipherment]"},
		{"", "ext_key_usages: [ServerAuth]", "ext_key_usages: []", "ext_key_usages: [ClientAuth, Any, OCSPSigning, IPSECUser]", "ext_key_usages:\n- NetscapeServerGatedCrypto\n- MicrosoftKernelCodeSigning"},
		{"", "ca: true", "ca: false", "ca: yes", "ca: No", "ca: on", "ca: OFF", "ca: ~", "ca: y", "CA: n", "ca: !!bool true"},
		{"", "", "", "serial: $n", "serial: 0x$n", "serial: 10_$n", "serial: $n.0", "serial: $ne2", "Serial: +$n", "serial: 0$n", "serial: ~"},
		{"", "crl_distribution_points: [http://a/crl]", "crl_distribution_points: []", "crl_distribution_points:\n- http://a/1\n- ldap://b/2"},
		{"", "ocsp: [http://ocsp.example]", "ocsp:"},
		{"", "", "revoked: false", "revoked:", "Revoked: no"},
		{"", "", "<<: {}", "<<: [{}, {}]"},
		{"", "", "# a comment", "\n\n", "  # indented"},
	}
)

// generateManifest writes a manifest of a few documents.
func generateManifest(r *rand.Rand) string {
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	var b strings.Builder
	var authorities []string
	b.WriteString(pick([]string{"", "", "# comment\n", "---\n"}))
	for i := range 1 + r.IntN(6) {
		if i > 0 {
			b.WriteString(pick([]string{"---\n", "---\n", "--- \n", "...\n---\n", "---\n\n# next\n"}))
		}
		name := fmt.Sprintf("c%d", i)
		subject := strings.ReplaceAll(pick(subjectForms), "$", name)
		fields := []string{fmt.Sprintf(pick([]string{"subject: '%s'", "Subject: '%s'", "'subject': '%s'"}), subject)}
		if r.IntN(4) == 0 {
			fields = append(fields, pick([]string{"filename: ", "Filename: f", "filename: \"x", "filename: 2"})+name)
			if strings.Contains(fields[1], `"`) {
				fields[1] += `"`
			}
		}
		isCA := true
		if len(authorities) > 0 && r.IntN(3) > 0 {
			fields = append(fields, "issuer: '"+pick(authorities)+"'")
			isCA = false
			if r.IntN(4) == 0 {
				fields = append(fields, "revoked: true")
			}
		}
		for _, forms := range fieldForms {
			form := strings.ReplaceAll(pick(forms), "$n", fmt.Sprint(i+2))
			lower := strings.ToLower(form)
			if strings.HasPrefix(lower, "revoked") && slices.Contains(fields, "revoked: true") {
				continue
			}
			if strings.HasPrefix(lower, "ca:") {
				switch strings.ToLower(strings.TrimPrefix(lower[3:], " !!bool")[1:]) {
				case "true", "yes", "on", "y":
					isCA = true
				case "~":
				default:
					isCA = false
				}
			}
			fields = append(fields, form)
		}
		r.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		b.WriteString(strings.Join(slices.DeleteFunc(fields, func(f string) bool { return f == "" }), "\n") + "\n")
		if isCA {
			authorities = append(authorities, subject)
		}
	}
	return b.String()
}

// TestManifestsOfCertyaml has every manifest that the certyaml command takes
// give an equivalent PKI here: the same files, and in them the same
// certificates but for what is random.
func TestManifestsOfCertyaml(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the certyaml command")
	}
	program := peertest.Certyaml(t)
	r := rand.New(rand.NewPCG(13, 7))
	taken := 0
	for range 100 {
		text := generateManifest(r)
		theirs, ours := t.TempDir(), t.TempDir()
		out, err := exec.Command(program, "-d", theirs, writeManifest(t, text)).CombinedOutput()
		if err != nil {
			continue
		}
		taken++
		m, err := Parse("certs.yaml", []byte(text))
		if err != nil {
			t.Errorf("certyaml takes this, but here it is:\n%v\n%s\n%s", err, text, out)
			continue
		}
		generate(t, m, ours, Options{})
		wantSteps(t, generate(t, m, ours, Options{}))
		if fault := comparePKI(m, theirs, ours); fault != "" {
			t.Errorf("%s in\n%s", fault, text)
		}
	}
	if taken < 80 {
		t.Errorf("certyaml takes only %d manifests", taken)
	}
	t.Logf("%d manifests taken", taken)
}

// comparePKI returns the first way in which two folders are not equivalent.
func comparePKI(m *Manifest, theirs, ours string) string {
	list := func(dir string) (names []string) {
		files, _ := filepath.Glob(filepath.Join(dir, "*.pem"))
		for _, file := range files {
			names = append(names, filepath.Base(file))
		}
		return names
	}
	if a, b := list(theirs), list(ours); !slices.Equal(a, b) {
		return fmt.Sprintf("files %v, certyaml has %v", b, a)
	}
	for _, c := range m.Certificates {
		a, errA := LoadCertificates(theirs, c.Name)
		b, errB := LoadCertificates(ours, c.Name)
		if errA != nil || errB != nil || len(a) != len(b) {
			return fmt.Sprintf("%s: %d certificates, certyaml has %d (%v, %v)", c.Name, len(b), len(a), errB, errA)
		}
		if fault := compareCertificates(c, a[0], b[0]); fault != "" {
			return c.Name + ": " + fault
		}
		if c.CA {
			a, _ := LoadCRL(theirs, c.Name)
			b, _ := LoadCRL(ours, c.Name)
			if (a == nil) != (b == nil) || a != nil && len(a.RevokedCertificateEntries) != len(b.RevokedCertificateEntries) {
				return c.Name + ": CRL"
			}
		}
	}
	return ""
}

func compareCertificates(c *Certificate, theirs, ours *x509.Certificate) string {
	typeA, sizeA := keyOf(theirs)
	typeB, sizeB := keyOf(ours)
	lifetime := func(c *x509.Certificate) time.Duration { return c.NotAfter.Sub(c.NotBefore) }
	for _, field := range []struct {
		name string
		same bool
	}{
		{"subject", bytes.Equal(theirs.RawSubject, asCertyaml(ours.RawSubject))},
		{"issuer", bytes.Equal(theirs.RawIssuer, asCertyaml(ours.RawIssuer))},
		{"DNS names", slices.Equal(theirs.DNSNames, ours.DNSNames)},
		{"addresses", reflect.DeepEqual(theirs.IPAddresses, ours.IPAddresses)},
		{"URIs", reflect.DeepEqual(theirs.URIs, ours.URIs)},
		{"emails", slices.Equal(theirs.EmailAddresses, ours.EmailAddresses)},
		{"key", typeA == typeB && sizeA == sizeB},
		{"key usage", theirs.KeyUsage == ours.KeyUsage},
		{"extended key usage", slices.Equal(theirs.ExtKeyUsage, ours.ExtKeyUsage)},
		{"CA", theirs.IsCA == ours.IsCA && theirs.BasicConstraintsValid == ours.BasicConstraintsValid},
		{"serial", c.Serial == nil || theirs.SerialNumber.Cmp(ours.SerialNumber) == 0},
		{"CRL distribution points", slices.Equal(theirs.CRLDistributionPoints, ours.CRLDistributionPoints)},
		{"OCSP", slices.Equal(theirs.OCSPServer, ours.OCSPServer)},
		{"not before", c.NotBefore.IsZero() || theirs.NotBefore.Equal(ours.NotBefore)},
		{"not after", c.NotAfter.IsZero() || theirs.NotAfter.Equal(ours.NotAfter)},
		{"lifetime", !c.NotAfter.IsZero() || (lifetime(theirs)-lifetime(ours)).Abs() <= time.Second},
		{"extensions", len(theirs.Extensions) == len(ours.Extensions)},
	} {
		if !field.same {
			return fmt.Sprintf("%s: certyaml has %v %v", field.name, theirs.Subject, theirs.SerialNumber)
		}
	}
	return ""
}

// asCertyaml takes out of a name what certyaml v0.11.0 leaves out: most
// attribute types, and all but the last of CN and serialNumber.
func asCertyaml(der []byte) []byte {
	var sequence pkix.RDNSequence
	if _, err := asn1.Unmarshal(der, &sequence); err != nil {
		panic(err)
	}
	var name pkix.Name
	name.FillFromRDNSequence(&sequence)
	for _, set := range sequence {
		for _, a := range set {
			if kind := issuable[a.Type.String()]; kind == "DC" || kind == "emailAddress" {
				a.Value = asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(a.Value.(string))}
				name.ExtraNames = append(name.ExtraNames, a)
			}
		}
	}
	der, err := asn1.Marshal(name.ToRDNSequence())
	if err != nil {
		panic(err)
	}
	return der
}

// TestRealManifests makes the PKI of a manifest as people have them.
func TestRealManifests(t *testing.T) {
	m := parse(t, `subject: cn=ca
key_type: rsa
---
subject: cn=ldap
issuer: cn=ca
sans:
- DNS:localhost
- DNS:ldap.127-0-0-1.nip.io/
key_type: rsa
---
subject: cn=user,ou=users,o=example
issuer: cn=ca
---
subject: cn=foo,uid=admin,ou=system
issuer: cn=ca
key_type: rsa
key_usages:
`)
	dir := t.TempDir()
	generate(t, m, dir, Options{})
	verifyAll(t, m, dir, time.Now())
	certificates, err := LoadCertificates(dir, "foo")
	if err != nil {
		t.Fatal(err)
	}
	if got := dn.Subject(certificates[0]); got != "UID=admin,CN=foo,OU=system" {
		t.Errorf("the subject is %s", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "foo-key.pem")); err != nil {
		t.Error(err)
	}
}
