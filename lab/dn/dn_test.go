package dn_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/peertest"
)

// part is an attribute of a name.
type part struct {
	oid   string
	tag   int // of the type of the value
	value string
}

// name returns the DER of a name.
func name(t testing.TB, relative ...[]part) []byte {
	t.Helper()
	type attribute struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	type relativeSET []attribute
	sequence := []relativeSET{}
	for _, parts := range relative {
		var set relativeSET
		for _, p := range parts {
			value := []byte(p.value)
			if p.tag == asn1.TagBMPString {
				value = nil
				for _, unit := range utf16.Encode([]rune(p.value)) {
					value = append(value, byte(unit>>8), byte(unit))
				}
			}
			set = append(set, attribute{oid(p.oid), asn1.RawValue{Tag: p.tag, Bytes: value}})
		}
		sequence = append(sequence, set)
	}
	der, err := asn1.Marshal(sequence)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func oid(dotted string) (oid asn1.ObjectIdentifier) {
	for arc := range strings.SplitSeq(dotted, ".") {
		n := 0
		for _, digit := range arc {
			n = 10*n + int(digit-'0')
		}
		oid = append(oid, n)
	}
	return oid
}

const (
	printable = asn1.TagPrintableString
	utf8      = asn1.TagUTF8String
	ia5       = asn1.TagIA5String
	bmp       = asn1.TagBMPString
)

func TestText(t *testing.T) {
	for want, der := range map[string][]byte{
		"": name(t),
		"emailAddress=ops@example.com,CN=api,OU=Web,O=Example,C=DE": name(t, []part{{"2.5.4.6", printable, "DE"}}, []part{{"2.5.4.10", utf8, "Example"}},
			[]part{{"2.5.4.11", utf8, "Web"}}, []part{{"2.5.4.3", utf8, "api"}}, []part{{"1.2.840.113549.1.9.1", ia5, "ops@example.com"}}),
		"UID=jdoe,DC=example,DC=com": name(t, []part{{"0.9.2342.19200300.100.1.25", ia5, "com"}}, []part{{"0.9.2342.19200300.100.1.25", ia5, "example"}},
			[]part{{"0.9.2342.19200300.100.1.1", utf8, "jdoe"}}),
		"jurisdictionC=DE,businessCategory=Private Organization,serialNumber=HRB 1": name(t, []part{{"2.5.4.5", printable, "HRB 1"}},
			[]part{{"2.5.4.15", utf8, "Private Organization"}}, []part{{"1.3.6.1.4.1.311.60.2.1.3", printable, "DE"}}),
		`CN=a\, b\+c \"d\" \<e\>\; \\`:     name(t, []part{{"2.5.4.3", utf8, `a, b+c "d" <e>; \`}}),
		`CN=\ a  b\ `:                      name(t, []part{{"2.5.4.3", utf8, " a  b "}}),
		`CN=\#1=#2`:                        name(t, []part{{"2.5.4.3", utf8, "#1=#2"}}),
		`CN=\ `:                            name(t, []part{{"2.5.4.3", utf8, " "}}),
		"CN=":                              name(t, []part{{"2.5.4.3", utf8, ""}}),
		"CN=Müller":                        name(t, []part{{"2.5.4.3", bmp, "Müller"}}),
		"1.2.3.4=#0C0378797A":              name(t, []part{{"1.2.3.4", utf8, "xyz"}}),
		"CN=#020101":                       name(t, []part{{"2.5.4.3", asn1.TagInteger, "\x01"}}),
		"CN=#0C01FF":                       name(t, []part{{"2.5.4.3", utf8, "\xff"}}),
		`CN=\1B[2J\0Aadmin\7F`:             name(t, []part{{"2.5.4.3", utf8, "\x1b[2J\nadmin\x7f"}}),
		`CN=\E2\80\AEgnp.exe\C2\9B31m`:     name(t, []part{{"2.5.4.3", utf8, "\u202egnp.exe\u009b31m"}}),
		"CN=b+CN=a,O=x":                    name(t, []part{{"2.5.4.10", utf8, "x"}}, []part{{"2.5.4.3", utf8, "a"}, {"2.5.4.3", utf8, "b"}}),
		"organizationIdentifier=VATDE-1":   name(t, []part{{"2.5.4.97", utf8, "VATDE-1"}}),
		"GN=Ada,SN=Lovelace,pseudonym=AAL": name(t, []part{{"2.5.4.65", utf8, "AAL"}}, []part{{"2.5.4.4", utf8, "Lovelace"}}, []part{{"2.5.4.42", utf8, "Ada"}}),
	} {
		got, err := dn.Text(der)
		if got != want || err != nil {
			t.Errorf("%x: %q, %v; want %q", der, got, err, want)
		}
	}
	for _, der := range [][]byte{{0x30}, {0x05, 0}, append(name(t), 0), []byte("CN=a")} {
		if got, err := dn.Text(der); err == nil {
			t.Errorf("%x: %q", der, got)
		}
	}
}

// TestTextIsRead reads what was written, as certs.yaml and --allow do.
func TestTextIsRead(t *testing.T) {
	random := mathrand.New(mathrand.NewPCG(1, 2))
	for range 300 {
		relative := randomName(random)
		text, err := dn.Text(name(t, relative...))
		if err != nil {
			t.Fatal(err)
		}
		attributes, err := dn.Parse(text)
		if err != nil && strings.Contains(text, "=#1E") {
			continue // a BMPString of an unknown type, which is no UTF-8
		}
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		n := len(attributes)
		for _, parts := range relative {
			n -= len(parts)
		}
		if n != 0 {
			t.Errorf("%q: %d attributes too many", text, n)
		}
	}
}

// TestOpenSSLWritesTheSame compares names with OpenSSL's. A value that is one #
// and no more, which it does not escape, is not among them.
func TestOpenSSLWritesTheSame(t *testing.T) {
	peertest.Need(t, "openssl")
	random := mathrand.New(mathrand.NewPCG(3, 4))
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cert.pem")
	for range 40 {
		relative := randomName(random)
		template := &x509.Certificate{SerialNumber: big.NewInt(1), RawSubject: name(t, relative...)}
		der, err := x509.CreateCertificate(rand.Reader, template, &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}}, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("openssl", "x509", "-in", file, "-noout", "-subject", "-nameopt", "RFC2253,-esc_msb").Output()
		if err != nil {
			t.Fatal(err)
		}
		want := strings.TrimPrefix(strings.TrimSuffix(string(out), "\n"), "subject=")
		if got, err := dn.Text(template.RawSubject); got != want || err != nil {
			t.Errorf("%+v:\n%q, %v; OpenSSL writes\n%q", relative, got, err, want)
		}
	}
}

// randomName returns a name of few attributes with values that need care.
func randomName(random *mathrand.Rand) (relative [][]part) {
	oids := []string{"2.5.4.3", "2.5.4.4", "2.5.4.5", "2.5.4.6", "2.5.4.7", "2.5.4.8", "2.5.4.9", "2.5.4.10", "2.5.4.11", "2.5.4.12", "2.5.4.13", "2.5.4.14",
		"2.5.4.15", "2.5.4.16", "2.5.4.17", "2.5.4.18", "2.5.4.19", "2.5.4.20", "2.5.4.21", "2.5.4.22", "2.5.4.23", "2.5.4.24", "2.5.4.25", "2.5.4.26",
		"2.5.4.27", "2.5.4.28", "2.5.4.31", "2.5.4.32", "2.5.4.33", "2.5.4.34", "2.5.4.35", "2.5.4.41", "2.5.4.42", "2.5.4.43", "2.5.4.44", "2.5.4.45",
		"2.5.4.46", "2.5.4.47", "2.5.4.49", "2.5.4.50", "2.5.4.51", "2.5.4.65", "2.5.4.72", "2.5.4.97", "0.9.2342.19200300.100.1.1",
		"0.9.2342.19200300.100.1.25", "1.2.840.113549.1.9.1", "1.2.840.113549.1.9.2", "1.2.840.113549.1.9.8", "1.3.6.1.4.1.311.60.2.1.1",
		"1.3.6.1.4.1.311.60.2.1.2", "1.3.6.1.4.1.311.60.2.1.3", "1.2.3.4.5", "2.16.840.1.999999.7"}
	values := []string{"a", "Example", " ", "  ", " a ", "#", "a#", ",", "+", `"`, `\`, "<x>", ";", "=", "a=b", "\n", "\x1b[31m", "\x00", "x\x7f", "ops@example.com", "Z"}
	beyond := []string{"ü", "日本語", "é\n", "€"}
	for range 1 + random.IntN(9) {
		var set []part
		for range 1 + random.IntN(10)/8 {
			p := part{oid: oids[random.IntN(len(oids))], tag: []int{utf8, printable, ia5, bmp}[random.IntN(4)]}
			for range 1 + random.IntN(3) {
				p.value += values[random.IntN(len(values))]
				if (p.tag == utf8 || p.tag == bmp) && random.IntN(4) == 0 {
					p.value += beyond[random.IntN(len(beyond))]
				}
			}
			if p.value == "#" {
				p.value = "# "
			}
			set = append(set, p)
		}
		relative = append(relative, set)
	}
	return relative
}

// FuzzText writes whatever is a name, harmless for a terminal, and reads it.
func FuzzText(f *testing.F) {
	f.Add(name(f, []part{{"2.5.4.3", utf8, "a"}}, []part{{"1.2.3", bmp, "b"}, {"2.5.4.10", ia5, "c"}}))
	f.Add(name(f, []part{{"2.5.4.3", 28, "\x00\x01\xf6\x00"}}, []part{{"2.5.4.5", asn1.TagT61String, "\x9b\xff"}}))
	f.Fuzz(func(t *testing.T, der []byte) {
		text, err := dn.Text(der)
		if err != nil {
			return
		}
		if strings.ContainsAny(text, "\n\t\x1b\x7f\u009b\u202e") {
			t.Fatalf("%x: %q", der, text)
		}
		if _, err := dn.Parse(text); err != nil && !strings.Contains(text, "=#") {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
