package certgen

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/certgen/yamldoc"
)

// TestParseRefuses has every way in which a manifest can be bad.
func TestParseRefuses(t *testing.T) {
	const ca = "subject: CN=ca\n---\n"
	long := strings.Repeat("x", maxName+1)
	for name, test := range map[string]struct {
		manifest string
		want     string // FILE:LINE:COLUMN: and how the problem begins
		hint     string // part of it
	}{
		"unknown field":           {"subject: CN=a\nexpire: 1h\n", `2:1: unknown field "expire"`, "expires"},
		"unknown field, far off":  {"subject: CN=a\n\n  # c\nzzzzzzzz: 1\n", `4:1: unknown field "zzzzzzzz"`, "the fields are ca, "},
		"field given twice":       {"subject: CN=a\nSubject: CN=b\n", "2:1: field subject is given twice, first on line 1", "keep one"},
		"key is a list":           {"? [a]\n: b\n", `1:3: unknown field ""`, "the fields are"},
		"unknown issuer":          {ca + "subject: CN=a\nissuer: CN=cb\n", `4:9: the issuer "CN=cb" is not in the manifest`, "CN=ca"},
		"unknown issuer, no CA":   {"subject: CN=a\nissuer: CN=zzzzzz\n", `2:9: the issuer "CN=zzzzzz" is not`, "subject: CN=zzzzzz"},
		"issuer not a name":       {ca + "subject: CN=a\nissuer: ca\n", `4:9: "ca" is not a distinguished name`, "CN=my-ca"},
		"issuer not a CA":         {ca + "subject: CN=a\nissuer: CN=ca\n---\nsubject: CN=b\nissuer: CN=a\n", `7:9: the issuer "CN=a" is not a CA`, "ca: true to the certificate on line 3"},
		"own issuer":              {"subject: CN=a\nca: true\nissuer: CN=a\n", "3:9: the certificate is its own issuer", "leave out issuer"},
		"cycle":                   {"subject: CN=a\nca: true\nissuer: CN=b\n---\nsubject: CN=b\nca: true\nissuer: CN=a\n", `3:9: the issuers go round in a circle: "a" < "b" < "a"`, "root"},
		"cycle further up":        {"subject: CN=x\nissuer: CN=a\n---\nsubject: CN=a\nca: true\nissuer: CN=b\n---\nsubject: CN=b\nca: true\nissuer: CN=a\n", `6:9: the issuers go round in a circle: "a" < "b" < "a"`, "root"},
		"same CN":                 {"subject: CN=a\n---\nsubject: CN=a,O=x\n", `3:10: "a.pem" would be written twice: the certificate on line 1`, "filename: a-2"},
		"same filename":           {"subject: CN=a\nfilename: f\n---\nsubject: CN=b\nfilename: f\n", `5:11: "f.pem" would be written twice: the certificate on line 1`, "filename:"},
		"same but for case":       {"subject: CN=a\n---\nsubject: CN=A\n", `3:10: "A.pem" would be written twice`, "filename:"},
		"key file of another":     {"subject: CN=a\n---\nsubject: CN=a-key\n", `3:10: "a-key.pem" would be written twice`, "filename:"},
		"CRL file of a CA":        {"subject: CN=a-crl\n---\nsubject: CN=a\n", `3:10: "a-crl.pem" would be written twice`, "filename:"},
		"unknown SAN type":        {"subject: CN=a\nsans:\n- DNS:a\n- host:a\n", `4:3: unknown type of subject alternative name in "host:a"`, "DNS:localhost"},
		"SAN type in lower case":  {"subject: CN=a\nsans: [dns:a]\n", `2:8: unknown type`, "write DNS:a"},
		"SAN without type":        {"subject: CN=a\nsans: [127.0.0.1]\n", `2:8: "127.0.0.1" is not a subject`, "write IP:127.0.0.1"},
		"empty SAN":               {"subject: CN=a\nsans: ['DNS:']\n", `2:8: "DNS:" is not a subject`, "DNS:localhost"},
		"bad IP":                  {"subject: CN=a\nsans: [IP:127.0.0.256]\n", `2:8: "127.0.0.256" is not an IP address`, "IP:127.0.0.1"},
		"bad URI":                 {"subject: CN=a\nsans: ['URI:http://[::1']\n", `2:8: "http://[::1" is not a URI`, "URI:spiffe"},
		"URI that cannot be read": {"subject: CN=a\nsans: ['URI:http://a..b/']\n", `2:8: "http://a..b/" is not a URI`, "URI:spiffe"},
		"email not ASCII":         {"subject: CN=a\nsans: ['email:jürgen@example.com']\n", `2:8: "jürgen@example.com" is not an ASCII address`, "ASCII"},
		"host name not IDNA":      {"subject: CN=a\nsans: ['DNS:bü cher.example']\n", `2:8: "bü cher.example" is not a host name`, "DNS:bücher.example"},
		"EC size":                 {"subject: CN=a\nkey_size: 224\n", "2:11: a key of type EC cannot have 224 bits", "256, 384 or 521"},
		"RSA size, too small":     {"subject: CN=a\nkey_type: RSA\nkey_size: 512\n", "3:11: a key of type RSA cannot have 512 bits", "4096"},
		"RSA size, too large":     {"subject: CN=a\nkey_type: RSA\nkey_size: 16385\n", "3:11: a key of type RSA cannot have 16385 bits", "16384"},
		"ED25519 size":            {"subject: CN=a\nkey_size: 255\nkey_type: ED25519\n", "2:11: a key of type ED25519 cannot have 255 bits", "256"},
		"size not a number":       {"subject: CN=a\nkey_size: big\n", `2:11: "big" is not a key size`, "256"},
		"key type":                {"subject: CN=a\nkey_type: DSA\n", `2:11: unknown key type "DSA"`, "EC, RSA or ED25519"},
		"duration in days":        {"subject: CN=a\nexpires: 30d\n", `2:10: "30d" is not a duration`, "720h"},
		"duration without unit":   {"subject: CN=a\nexpires: 100\n", `2:10: "100" is not a duration`, "8760h"},
		"duration of zero":        {"subject: CN=a\nexpires: 0s\n", `2:10: the lifetime "0s" is not positive`, "not_before and not_after"},
		"duration negative":       {"subject: CN=a\nexpires: -1h\n", `2:10: the lifetime "-1h" is not positive`, "not_before and not_after"},
		"date":                    {"subject: CN=a\nnot_after: 2030-01-31\n", `2:12: "2030-01-31" is not a date`, "2030-01-31T12:00:00Z"},
		"date impossible":         {"subject: CN=a\nnot_before: 2030-02-30T00:00:00Z\n", `2:13: "2030-02-30T00:00:00Z" is not a date: there is no such day`, "calendar"},
		"day impossible":          {"subject: CN=a\nnot_before: 2027-02-30\n", `2:13: "2027-02-30" is not a date: there is no such day`, "calendar"},
		"date alone":              {"subject: CN=a\nnot_before: 2027-02-28\n", `2:13: "2027-02-28" is not a date`, "write RFC 3339"},
		"date too early":          {"subject: CN=a\nnot_before: 1949-12-31T00:00:00Z\n", `2:13: "1949-12-31T00:00:00Z" is out of range`, "1950"},
		"too long":                {"subject: CN=a\nnot_before: 9999-06-01T00:00:00Z\n", "2:13: the certificate would be valid beyond the year 9999", "earlier"},
		"not_after first":         {"subject: CN=a\nnot_before: 2030-01-01T00:00:00Z\nnot_after: 2029-01-01T00:00:00Z\n", "3:12: not_after is not after not_before", "after 2030-01-01T00:00:00Z"},
		"not_after equal":         {"subject: CN=a\nnot_after: 2030-01-01T00:00:00Z\nnot_before: 2030-01-01T00:00:00Z\n", "2:12: not_after is not after not_before", "after 2030"},
		"filename with a path":    {"subject: CN=a\nfilename: ../a\n", `2:11: the file name "../a" begins with a dot`, "name only"},
		"filename with slash":     {"subject: CN=a\nfilename: x/a\n", `2:11: the file name "x/a" has a path in it`, "name only"},
		"filename with backslash": {"subject: CN=a\nfilename: x\\a\n", `2:11: the file name "x\\a" has a path in it`, "name only"},
		"filename with newline":   {"subject: CN=a\nfilename: \"x\\na\"\n", `2:11: the file name "x\na" has a control character in it`, "name only"},
		"filename hidden":         {"subject: CN=a\nfilename: .a\n", `2:11: the file name ".a" begins with a dot`, "name only"},
		"filename too long":       {"subject: CN=a\nfilename: " + long + "\n", `2:11: the file name "xxxx`, "name only"},
		"filename turned round":   {"subject: CN=a\nfilename: \"x\\u202ea\"\n", `2:11: the file name "x\u202ea" has an invisible character in it`, "name only"},
		"CN turned round":         {"subject: CN=x\u202ea\n", `1:10: the files cannot be called "x\u202ea" after the CN: it has an invisible character in it`, "filename:"},
		"host with escape":        {"subject: CN=a\nsans: [\"DNS:\\e[2J\"]\n", `2:8: "\x1b[2J" is not a host name: no host has '\x1b' in its name`, "DNS:"},
		"host with blank":         {"subject: CN=a\nsans: ['DNS:a b']\n", `2:8: "a b" is not a host name: no host has ' ' in its name`, "DNS:"},
		"host with port":          {"subject: CN=a\nsans: ['DNS:a:443']\n", `2:8: "a:443" is not a host name: no host has ':' in its name`, "DNS:"},
		"wildcard in a label":     {"subject: CN=a\nsans: ['DNS:w*.example.com']\n", `2:8: "w*.example.com" is not a host name: * stands for a whole label`, "DNS:"},
		"email with escape":       {"subject: CN=a\nsans: [\"email:a\\e[2J@b\"]\n", `2:8: "a\x1b[2J@b" is not an ASCII address`, "ASCII"},
		"OCSP with line feed":     {"subject: CN=a\nocsp: [\"http://a/\\nb\"]\n", `2:8: "http://a/\nb" is not a URL`, "URL"},
		"CN with a path":          {"subject: CN=http://a\n", `1:10: the files cannot be called "http://a" after the CN: it has a path in it`, "filename:"},
		"CN is dots":              {"subject: CN=..\n", `1:10: the files cannot be called ".." after the CN`, "filename:"},
		"no CN":                   {"subject: O=Company\n", "1:10: the subject has no CN", "filename:"},
		"no subject":              {"ca: true\n", "1:1: the certificate has no subject", "subject: CN="},
		"subject empty":           {"subject:\n", "1:9: the certificate has no subject", "subject: CN="},
		"subject not a name":      {"subject: Joe\n", `1:10: "Joe" is not a distinguished name`, "CN=server"},
		"subject of odd type":     {"subject: CN=a,FOO=b\n", `1:10: "CN=a,FOO=b" is not a distinguished name: no attribute type is called "FOO"`, "types are CN"},
		"OID that is none":        {"subject: CN=a,1.40.1=b\n", `1:10: "CN=a,1.40.1=b" is not a distinguished name: "1.40.1" is not an object identifier`, "types are CN"},
		"value not UTF-8":         {"subject: CN=\\ff\n", `1:10: "CN=\\ff" is not a distinguished name: a value is not UTF-8`, "types are CN"},
		"escape of nothing":       {"subject: CN=a\\x\n", `1:10: "CN=a\\x" is not a distinguished name: after \`, "types are CN"},
		"BER bomb":                {"subject: CN=#04847fffffff\n", `1:10: "CN=#04847fffffff" is not a distinguished name`, "types are CN"},
		"DC not ASCII":            {"subject: CN=a,DC=ü\n", `1:10: "CN=a,DC=ü" is not a distinguished name`, "types are CN"},
		"subject is a list":       {"subject: [CN=a]\n", "1:10: expected a text, not a list", "one value"},
		"sans is a text":          {"subject: CN=a\nsans: DNS:a\n", `2:7: expected a list, not the text "DNS:a"`, "a list"},
		"empty item":              {"subject: CN=a\nocsp:\n- http://a/\n-\n", "4:2: an item of the list is empty", "remove"},
		"merge of a text":         {"subject: CN=a\n<<: x\n", `2:5: expected a mapping to merge, not the text "x"`, "write the fields out"},
		"merge twice":             {"subject: CN=a\n<<: {ca: true}\nca: true\n", "3:1: field ca is given twice, first on line 2", "keep one"},
		"merge within a merge":    {"subject: CN=a\n<<: &a {<<: *a}\n", "2:9: a mapping that is merged cannot merge another", "write the fields out"},
		"sans has a mapping":      {"subject: CN=a\nsans:\n- DNS: a\n", "3:3: expected a text, not a mapping", "one value"},
		"ca is maybe":             {"subject: CN=a\nca: maybe\n", `2:5: "maybe" is neither true nor false`, "true or false"},
		"key usage":               {"subject: CN=a\nkey_usages:\n- DigitalSignatur\n", `3:3: unknown key usage "DigitalSignatur"`, "did you mean DigitalSignature?"},
		"extended key usage":      {"subject: CN=a\next_key_usages: [Server]\n", `2:18: unknown extended key usage "Server"`, "did you mean ServerAuth?"},
		"URL empty":               {"subject: CN=a\nocsp: ['']\n", `2:8: "" is not a URL`, "URL"},
		"URL not ASCII":           {"subject: CN=a\ncrl_distribution_points: ['http://ü/']\n", `2:27: "http://ü/" is not a URL`, "URL"},
		"serial negative":         {"subject: CN=a\nserial: -1\n", "2:9: the serial number -1 is not positive", "2^159"},
		"serial zero":             {"subject: CN=a\nserial: 0\n", "2:9: the serial number 0 is not positive", "from 1 to 2^159-1"},
		"serial given twice":      {"subject: CN=ca\n---\nsubject: CN=a\nissuer: CN=ca\nserial: 7\n---\nissuer: CN=ca\nserial: 0x7\nsubject: CN=b\n", `8:9: the issuer "ca" would give the serial number 7 twice: "a" on line 5 has it too`, "another number"},
		"serial of its issuer":    {"subject: CN=ca\nserial: 7\n---\nsubject: CN=a\nissuer: CN=ca\nserial: 7\n", `6:9: the issuer "ca" would give the serial number 7 twice: "ca" on line 2 has it too`, "leave serial out"},
		"serial not whole":        {"subject: CN=a\nserial: 1.5\n", `2:9: "1.5" is not a serial number`, "2^159"},
		"serial too long":         {"subject: CN=a\nserial: 0x8000000000000000000000000000000000000000\n", "2:9: the serial number is longer than 20 octets", "2^159"},
		"serial not a number":     {"subject: CN=a\nserial: one\n", `2:9: "one" is not a serial number`, "2^159"},
		"self-signed revoked":     {"subject: CN=a\nrevoked: true\n", "2:10: a self-signed certificate cannot be revoked", "issuer"},
		"revoked without CRLSign": {"subject: CN=ca\nkey_usages: [CertSign]\n---\nsubject: CN=a\nissuer: CN=ca\nrevoked: yes\n", `6:10: the issuer "ca" may not sign a CRL`, "CRLSign to the key_usages on line 1"},
		"empty":                   {"", "1:1: the manifest is empty", "subject: CN=my-ca"},
		"only comments":           {"# nothing\n---\n# here\n", "1:1: the manifest is empty", "subject: CN=my-ca"},
		"document is a list":      {ca + "- subject: CN=a\n", "3:1: a document must be a mapping of fields, not a list", "subject: CN=server"},
		"document is a text":      {ca + "CN=a\n", `3:1: a document must be a mapping of fields, not the text "CN=a"`, "subject: CN=server"},
		"alias bomb":              {"subject: CN=a\nsans: &a [&x 'DNS:a', *x, *x]\nocsp: &b [*a, *a, *a]\nkey_usages: [*b, *b, *b]\n", "3:11: expected a text, not a list", "one value"},
		"alias of itself":         {"subject: CN=a\nsans: &a [*a]\n", "2:11: expected a text, not a list", "one value"},
		"alias bomb in a field":   {"a: &a [x, x]\nb: &b [*a, *a]\n", `1:1: unknown field "a"`, "the fields are"},
		"unknown anchor":          {"subject: *nobody\n", "1:10: not YAML: unknown anchor 'nobody'", "quote"},
		"unclosed bracket":        {"subject: CN=a\nsans: [DNS:a\nca: true\n", "2:7: not YAML", "brackets"},
		"unclosed quote":          {"subject: \"CN=a\nca: true\n", "1:10: not YAML", "quotes"},
		"bad indentation":         {"subject: CN=a\n  ca: true\n", "2:5: not YAML: mapping values are not allowed", "indentation"},
		"tab":                     {"subject: CN=a\nsans:\n\t- DNS:a\n", "3:1: not YAML", "indentation"},
		"too deep":                {"subject: " + strings.Repeat("[", 20_000), "1:", "brackets"},
		"not UTF-8":               {"subject: CN=a\n# \xff\n", "2:3: this is not UTF-8", "UTF-8"},
		"control character":       {"subject: CN=\x01a\n", "1:13: control character U+0001", "remove"},
		"UTF-16":                  {"\xff\xfes\x00u\x00", "1:1: this is not UTF-8", "UTF-8"},
		"too large":               {"subject: CN=a\n#" + strings.Repeat("x", yamldoc.MaxSize), "1:1: the file is larger than 16 MiB", "several"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("certs.yaml", []byte(test.manifest))
			var bad *yamldoc.Error
			if !errors.As(err, &bad) {
				t.Fatalf("got %v, want a *yamldoc.Error", err)
			}
			if want := "certs.yaml:" + test.want; !strings.HasPrefix(err.Error(), want) {
				t.Errorf("\n got %s\nwant %s", err, want)
			}
			if !strings.Contains(bad.Hint, test.hint) {
				t.Errorf("the hint %q does not speak of %q", bad.Hint, test.hint)
			}
			lines := strings.Split(strings.TrimPrefix(test.manifest, "\ufeff"), "\n")
			const longest = 400 // that is shown
			source := lines[bad.Line-1]
			if bad.Problem == "the manifest is empty" {
				source = ""
			}
			if bad.Source != source && len(source) <= longest {
				t.Errorf("source is %q, want %q", bad.Source, source)
			}
		})
	}
}

// TestParseDefaults checks the values that a document does not state.
func TestParseDefaults(t *testing.T) {
	m := parse(t, "subject: CN=ca\n---\nsubject: CN=leaf\nissuer: CN=ca\n---\nsubject: CN=self\nca: false\n---\nsubject: CN=rsa\nkey_type: RSA\n---\nsubject: CN=ed\nkey_type: ED25519\n")
	for _, test := range []struct {
		name  string
		key   string
		ca    bool
		usage x509.KeyUsage
	}{
		{"ca", "EC 256", true, x509.KeyUsageCertSign | x509.KeyUsageCRLSign},
		{"leaf", "EC 256", false, x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature},
		{"self", "EC 256", false, x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature},
		{"rsa", "RSA 2048", true, x509.KeyUsageCertSign | x509.KeyUsageCRLSign},
		{"ed", "ED25519 256", true, x509.KeyUsageCertSign | x509.KeyUsageCRLSign},
	} {
		c := m.Find(test.name)
		if c == nil {
			t.Fatalf("%s is not found", test.name)
		}
		if c.Key() != test.key || c.CA != test.ca || c.KeyUsage != test.usage || c.Expires != DefaultLifetime {
			t.Errorf("%s: %s, ca %v, usage %b, expires %v", c.Name, c.Key(), c.CA, c.KeyUsage, c.Expires)
		}
	}
	if m.Find("leaf").Issuer != m.Find("ca") || m.Find("ca").Issuer != nil {
		t.Error("the issuers are wrong")
	}
}

// TestParseTakes has what looks odd and is right.
func TestParseTakes(t *testing.T) {
	for name, test := range map[string]struct {
		manifest string
		check    func(m *Manifest) bool
	}{
		"BOM and CRLF":       {"\ufeffsubject: CN=a\r\nca: no\r\n---\r\nsubject: CN=b\r\n", func(m *Manifest) bool { return len(m.Certificates) == 2 && !m.Find("a").CA && m.Find("b").Line == 4 }},
		"fields in any case": {"SUBJECT: CN=a\nKey_Size: 384\n", func(m *Manifest) bool { return m.Find("a").KeySize == 384 }},
		"empty documents":    {"---\n# nothing\n---\nsubject: CN=a\n---\n---\n", func(m *Manifest) bool { return len(m.Certificates) == 1 }},
		"number as text":     {"subject: CN=a\nfilename: 123\n", func(m *Manifest) bool { return m.Find("123") != nil }},
		"attributes in any case": {"subject: cn=Case CA\nfilename: ca\n---\nsubject: CN=a\nissuer: CN=Case CA\n",
			func(m *Manifest) bool { return m.Find("a").Issuer == m.Find("ca") }},
		"space in a name": {"subject: CN=ca,  O=x\n---\nsubject: CN=a\nissuer: CN=ca,O=x\n",
			func(m *Manifest) bool { return m.Find("a").Issuer == m.Find("ca") }},
		"issuer after": {"subject: CN=a\nissuer: CN=ca\n---\nsubject: CN=ca\n",
			func(m *Manifest) bool { return m.Find("a").Issuer == m.Find("ca") }},
		"nearest issuer before": {"subject: CN=ca\nfilename: one\n---\nsubject: CN=ca\nfilename: two\n---\nsubject: CN=a\nissuer: CN=ca\n---\nsubject: CN=ca\nfilename: three\n",
			func(m *Manifest) bool { return m.Find("a").Issuer == m.Find("two") }},
		"issuer skips what is not a CA": {"subject: CN=ca\n---\nsubject: CN=ca\nfilename: no\nca: false\n---\nsubject: CN=a\nissuer: CN=ca\n",
			func(m *Manifest) bool { return m.Find("a").Issuer == m.Find("ca") }},
		"empty issuer": {"subject: CN=a\nissuer: ''\nfilename:\nsans:\n", func(m *Manifest) bool { return m.Find("a").CA }},
		"IDNA": {"subject: CN=a\nsans: [DNS:bücher.example, 'DNS:*.bücher.example', 'DNS:*.x_y.example']\n", func(m *Manifest) bool {
			return slices.Equal(m.Find("a").SANs, []string{"DNS:xn--bcher-kva.example", "DNS:*.xn--bcher-kva.example", "DNS:*.x_y.example"})
		}},
		"serials": {"subject: CN=a\nserial: 0x7fffffffffffffffffffffffffffffffffffffff\n---\nsubject: CN=b\nserial: 1e3\n---\nsubject: CN=c\nserial: 1_000\n---\nsubject: CN=d\nissuer: CN=b\nserial: 0b111\n", func(m *Manifest) bool {
			return m.Find("a").Serial.BitLen() == 159 && m.Find("b").Serial.Int64() == 1000 && m.Find("c").Serial.Int64() == 1000 && m.Find("d").Serial.Int64() == 7
		}},
		"key type in lower case": {"subject: CN=a\nkey_type: rsa\nkey_size: 2048.0\n", func(m *Manifest) bool { return m.Find("a").Key() == "RSA 2048" }},
		"file name alone":        {"filename: a\nsans: [DNS:a]\n", func(m *Manifest) bool { return m.Find("a").Subject == "" && m.Find("a").CA }},
		"merge keys":             {"subject: CN=a\n<<: [{ca: false}, &x {expires: 1h}]\n", func(m *Manifest) bool { return !m.Find("a").CA && m.Find("a").Expires == time.Hour }},
		"block of text":          {"subject: |\n  CN=a\nsans:\n- >\n  URI:http://x/ü\n", func(m *Manifest) bool { return m.Find("a").sans.uris[0].String() == "http://x/%C3%BC" }},
		"alias of nothing":       {"subject: CN=a\nocsp: &n\nsans: *n\n", func(m *Manifest) bool { return m.Find("a").SANs == nil }},
		"CN given twice":         {"subject: CN=a,CN=b\n", func(m *Manifest) bool { return m.Find("b") != nil }},
		"aliases of texts":       {"subject: CN=a\nsans: [&n 'DNS:a']\nocsp: [*n]\n", func(m *Manifest) bool { return m.Find("a").OCSP[0] == "DNS:a" }},
		"fraction of date": {"subject: CN=a\nnot_before: 2020-01-01T00:00:00.9+01:00\n", func(m *Manifest) bool {
			return m.Find("a").NotBefore.Equal(time.Date(2019, 12, 31, 23, 0, 0, 0, time.UTC))
		}},
		"words for true":     {"subject: CN=a\nca: on\n---\nsubject: CN=b\nissuer: CN=a\nrevoked: Yes\n", func(m *Manifest) bool { return m.Find("b").Revoked }},
		"a document of 1 MB": {"subject: CN=a\nsans:\n" + strings.Repeat("- DNS:a.example.com\n", 50_000) + "---\nsubject: CN=b\n", func(m *Manifest) bool { return len(m.Find("a").SANs) == 50_000 && m.Find("b") != nil }},
	} {
		t.Run(name, func(t *testing.T) {
			if m := parse(t, test.manifest); !test.check(m) {
				t.Errorf("parsed as %+v", *m.Certificates[0])
			}
		})
	}
}

// TestManifests reads the manifests in testdata and, where the repository is
// developed, those that certyaml is tested with.
func TestManifests(t *testing.T) {
	want := map[string]string{
		"invalid-field.yaml":                   ":3:1: unknown field",
		"invalid-issuer.yaml":                  ":4:9: the issuer",
		"revoked-self-signed.yaml":             ":2:10: a self-signed",
		"duplicate.yaml":                       ":6:10: \"server.pem\" would be written twice: the certificate on line 3",
		"certs-invalid-field.yaml":             ":2:1: unknown field",
		"certs-invalid-issuer.yaml":            ":2:9: the issuer",
		"cert-invalid-revoke-self-signed.yaml": ":2:10: a self-signed",
		"certs-revocation.yaml":                ":10:10: \"server.pem\" would be written twice: the certificate on line 3",
	}
	var files []string
	for _, pattern := range []string{"testdata/*.yaml", "../certs.yaml", "../../shared/testdata/manifests/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			m, err := Read(file)
			if fault, bad := want[filepath.Base(file)]; bad {
				if err == nil || !strings.Contains(err.Error(), fault) {
					t.Fatalf("got %v, want %s", err, fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			generate(t, m, dir, Options{})
			wantSteps(t, generate(t, m, dir, Options{}))
			verifyAll(t, m, dir, time.Now())
		})
	}
}

// TestReadLimit reads no further than needed to refuse.
func TestReadLimit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "certs.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 1<<40); err != nil {
		t.Skipf("no sparse files here: %v", err)
	}
	var bad *yamldoc.Error
	if _, err := Read(file); !errors.As(err, &bad) || !strings.Contains(bad.Problem, "16 MiB") {
		t.Errorf("got %v", err)
	}
	if _, err := Read(file + ".none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestParseLinear makes sure that what could be quadratic is not: the largest
// of these would take minutes.
func TestParseLinear(t *testing.T) {
	const n = 20_000
	var same, chain strings.Builder
	for i := range n {
		fmt.Fprintf(&same, "---\nsubject: CN=ca\nfilename: f%d\n", i)
		fmt.Fprintf(&chain, "---\nsubject: CN=c%d\nca: true\nissuer: CN=c%d\n", i, i+1)
	}
	fmt.Fprintf(&chain, "---\nsubject: CN=c%d\n", n)
	fmt.Fprintf(&same, "---\nsubject: CN=a\nissuer: CN=ca\n")
	if m := parse(t, same.String()); m.Find("a").Issuer != m.Find(fmt.Sprintf("f%d", n-1)) {
		t.Error("not the nearest issuer")
	}
	if m := parse(t, chain.String()); m.Find("c0").depth != n {
		t.Error("not the whole chain")
	}
}

// TestParsePieces checks that a fault in the last piece of a manifest that is
// read in pieces has its place in the whole.
func TestParsePieces(t *testing.T) {
	text := leaves(1000)
	lines := strings.Count(text, "\n")
	if m := parse(t, text); m.Find("leaf-999").Line != lines-3 {
		t.Errorf("leaf-999 is on line %d of %d", m.Find("leaf-999").Line, lines)
	}
	for fault, column := range map[string]int{"unknown: x\n": 1, "ocsp: [\n": 8, "subject: x\n": 1} {
		var bad *yamldoc.Error
		if _, err := Parse("certs.yaml", []byte(text+fault)); !errors.As(err, &bad) || bad.Line != lines+1 || bad.Column != column {
			t.Errorf("%q: got %v, want it on line %d, column %d", fault, err, lines+1, column)
		}
	}
}
