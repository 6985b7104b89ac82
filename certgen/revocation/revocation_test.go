package revocation_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/certgen/revocation"
	"mtlslab.example/lab/lab/peertest"
)

// now is a whole second, as dates in CRLs are.
var now = time.Now().Truncate(time.Second)

// authority is a CA.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, name string, usage x509.KeyUsage) authority {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-24 * time.Hour),
		NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: usage}
	return authority{parse(must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))), key}
}

// issue makes a certificate with a serial number.
func (a authority) issue(serial int64, extensions ...pkix.Extension) *x509.Certificate {
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "client"}, NotBefore: now.Add(-24 * time.Hour),
		NotAfter: now.Add(24 * time.Hour), ExtraExtensions: extensions}
	return parse(must(x509.CreateCertificate(rand.Reader, template, a.cert, a.key.Public(), a.key)))
}

// crl is a list as a test wants it.
type crl struct {
	by         authority // zero: the CA
	age        time.Duration
	number     int64
	lists      []int64 // serial numbers
	reason     int     // of each
	extensions []pkix.Extension
	entries    []pkix.Extension // of each entry
}

// sign makes the CRL.
func (c crl) sign(by authority) *x509.RevocationList {
	if c.by.cert != nil {
		by = c.by
	}
	template := &x509.RevocationList{Number: big.NewInt(c.number), ThisUpdate: now.Add(-c.age), NextUpdate: now.Add(-c.age).Add(6 * time.Hour),
		ExtraExtensions: c.extensions}
	for _, serial := range c.lists {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: big.NewInt(serial), RevocationTime: now.Add(-c.age), ReasonCode: c.reason, ExtraExtensions: c.entries})
	}
	issuer := *by.cert
	issuer.KeyUsage |= x509.KeyUsageCRLSign // else crypto/x509 makes none
	return must(x509.ParseRevocationList(must(x509.CreateRevocationList(rand.Reader, template, &issuer, by.key))))
}

// The extensions that make a list one of a part.
var (
	delta       = critical(27, []byte{2, 1, 1})
	userCerts   = critical(28, []byte{0x30, 3, 0x81, 1, 0xff})
	caCerts     = critical(28, []byte{0x30, 3, 0x82, 1, 0xff})
	someReasons = critical(28, []byte{0x30, 4, 0x83, 2, 1, 0x40}) // keyCompromise
	indirect    = critical(28, []byte{0x30, 3, 0x84, 1, 0xff})
	attributes  = critical(28, []byte{0x30, 3, 0x85, 1, 0xff})
	onePoint    = critical(28, must(asn1.Marshal(struct {
		Point struct {
			Full struct {
				URI string `asn1:"tag:6,ia5"`
			} `asn1:"tag:0"`
		} `asn1:"tag:0"`
	}{struct {
		Full struct {
			URI string `asn1:"tag:6,ia5"`
		} `asn1:"tag:0"`
	}{struct {
		URI string `asn1:"tag:6,ia5"`
	}{"http://localhost/1.crl"}}})))
	unknown  = pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}
	harmless = pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}}
)

func critical(arc int, value []byte) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, arc}, Critical: true, Value: value}
}

// belongsTo is the entry extension that says whose certificate an entry is of.
func belongsTo(a authority) pkix.Extension {
	name := must(asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: a.cert.RawSubject}))
	return critical(29, must(asn1.Marshal([]asn1.RawValue{{FullBytes: name}})))
}

const (
	good    = "good"
	revoked = "revoked"
	none    = "no complete list"
)

const (
	client = 7 // the serial number of the certificate that is looked up
	other  = 8
)

// rules are what is right, and what OpenSSL says to -crl_check with the same
// lists; "" where it is not asked: it takes one list of an issuer for each
// certificate, and judges by that one alone.
var rules = map[string]struct {
	lists   []crl
	want    string
	openssl string
}{
	"listed":     {[]crl{{lists: []int64{other, client}}}, revoked, revoked},
	"not listed": {[]crl{{lists: []int64{other}}}, good, good},
	"no list":    {nil, none, none},
	"on hold":    {[]crl{{lists: []int64{client}, reason: 6}}, revoked, revoked},

	// Of the complete lists, the newest one.
	"newer one clears":               {[]crl{{age: 2 * time.Hour, lists: []int64{client}}, {age: time.Hour}}, good, good},
	"newer one revokes":              {[]crl{{age: 2 * time.Hour}, {age: time.Hour, lists: []int64{client}}}, revoked, revoked},
	"a newer one comes first":        {[]crl{{age: time.Hour}, {age: 2 * time.Hour, lists: []int64{client}}}, good, good},
	"three":                          {[]crl{{age: 2 * time.Hour}, {age: time.Hour, lists: []int64{client}}, {age: 3 * time.Hour}}, revoked, revoked},
	"as old, with the higher number": {[]crl{{number: 1, lists: []int64{client}}, {number: 2}}, good, ""},
	"as old, with the same number":   {[]crl{{number: 1, lists: []int64{client}}, {number: 1}}, revoked, ""},
	"the number does not count":      {[]crl{{age: 2 * time.Hour, number: 9, lists: []int64{client}}, {age: time.Hour, number: 1}}, good, good},
	"out of date":                    {[]crl{{age: 7 * time.Hour}}, good, none},
	"out of date, and lists":         {[]crl{{age: 7 * time.Hour, lists: []int64{client}}}, revoked, ""},

	// Not from the future.
	"from the future, clears":    {[]crl{{lists: []int64{client}}, {age: -time.Hour}}, revoked, revoked},
	"from a clock that is ahead": {[]crl{{lists: []int64{client}}, {age: -5 * time.Second}}, good, ""},
	"from the future, revokes":   {[]crl{{}, {age: -time.Hour, lists: []int64{client}}}, revoked, ""},
	"from the future, and lists": {[]crl{{age: -24 * time.Hour, lists: []int64{client}}}, revoked, ""},
	"two from the future":        {[]crl{{age: -time.Hour, lists: []int64{client}}, {age: -2 * time.Hour}}, revoked, ""},
	"from the future, alone":     {[]crl{{age: -time.Hour}}, none, none},

	// Lists of a part never clear, and may revoke.
	"delta":                            {[]crl{{age: time.Hour, lists: []int64{client}}, {number: 5, extensions: []pkix.Extension{delta}}}, revoked, revoked},
	"delta, lists":                     {[]crl{{age: time.Hour}, {number: 5, extensions: []pkix.Extension{delta}, lists: []int64{client}}}, revoked, ""},
	"delta, lists, older":              {[]crl{{number: 5}, {age: time.Hour, extensions: []pkix.Extension{delta}, lists: []int64{client}}}, revoked, ""},
	"delta, ends the hold of":          {[]crl{{age: time.Hour, lists: []int64{client}, reason: 6}, {number: 5, extensions: []pkix.Extension{delta}, lists: []int64{client}, reason: 8}}, revoked, revoked},
	"delta, ends a hold":               {[]crl{{age: time.Hour}, {number: 5, extensions: []pkix.Extension{delta}, lists: []int64{client}, reason: 8}}, good, good},
	"ends a hold, and is no delta":     {[]crl{{lists: []int64{client}, reason: 8}}, revoked, ""}, // which RFC 5280 forbids
	"delta, newer than another":        {[]crl{{}, {age: time.Hour, extensions: []pkix.Extension{delta}, lists: []int64{client}}, {extensions: []pkix.Extension{delta}}}, revoked, ""},
	"delta, alone":                     {[]crl{{extensions: []pkix.Extension{delta}}}, none, none},
	"delta indicator, not critical":    {[]crl{{extensions: []pkix.Extension{{Id: delta.Id, Value: delta.Value}}}}, none, ""},
	"unknown, critical":                {[]crl{{age: time.Hour, lists: []int64{client}}, {extensions: []pkix.Extension{unknown}}}, revoked, ""},
	"unknown, critical, lists":         {[]crl{{age: time.Hour}, {extensions: []pkix.Extension{unknown}, lists: []int64{client}}}, revoked, ""},
	"unknown, critical, alone":         {[]crl{{extensions: []pkix.Extension{unknown}}}, none, none},
	"unknown, not critical":            {[]crl{{age: time.Hour, lists: []int64{client}}, {extensions: []pkix.Extension{harmless}}}, good, good},
	"unknown in an entry":              {[]crl{{lists: []int64{other}, entries: []pkix.Extension{unknown}}}, none, none},
	"unknown in its entry":             {[]crl{{lists: []int64{client}, entries: []pkix.Extension{unknown}}}, revoked, ""},
	"unknown in an entry, harmless":    {[]crl{{lists: []int64{other}, entries: []pkix.Extension{harmless}}}, good, good},
	"part, newer of the same scope":    {[]crl{{age: 2 * time.Hour}, {age: time.Hour, extensions: []pkix.Extension{userCerts}, lists: []int64{client}}, {extensions: []pkix.Extension{userCerts}}}, good, good},
	"part, newer of another scope":     {[]crl{{age: 2 * time.Hour}, {age: time.Hour, extensions: []pkix.Extension{userCerts}, lists: []int64{client}}, {extensions: []pkix.Extension{caCerts}}}, revoked, ""},
	"complete, newer than the part":    {[]crl{{}, {age: time.Hour, extensions: []pkix.Extension{userCerts}, lists: []int64{client}}}, revoked, ""},
	"distribution point, not critical": {[]crl{{extensions: []pkix.Extension{{Id: userCerts.Id, Value: userCerts.Value}}}}, none, ""},
}

func init() {
	for name, e := range map[string]pkix.Extension{"user certificates": userCerts, "CA certificates": caCerts, "some reasons": someReasons,
		"indirect": indirect, "attribute certificates": attributes, "one distribution point": onePoint} {
		rule := rules["listed"]
		rule.lists, rule.want, rule.openssl = []crl{{age: time.Hour, lists: []int64{client}}, {extensions: []pkix.Extension{e}}}, revoked, ""
		rules[name+", clears"] = rule
		rule.lists = []crl{{age: time.Hour}, {extensions: []pkix.Extension{e}, lists: []int64{client}}}
		rules[name+", revokes"] = rule
		rule.lists, rule.want = []crl{{extensions: []pkix.Extension{e}}}, none
		rules[name+", alone"] = rule
	}
}

func TestRules(t *testing.T) {
	ca := newAuthority(t, "ca", x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	leaf := ca.issue(client)
	for name, rule := range rules {
		var lists []*x509.RevocationList
		for _, c := range rule.lists {
			lists = append(lists, c.sign(ca))
		}
		if got := verdict(revocation.New(lists).Of(leaf, ca.cert, now)); got != rule.want {
			t.Errorf("%s: %s, not %s", name, got, rule.want)
		}
	}
}

func verdict(s revocation.Status) string {
	switch {
	case s.Entry != nil:
		return revoked
	case s.Complete == nil:
		return none
	}
	return good
}

// OpenSSL says the same, where it looks at what the rule is about. Without
// -extended_crl it takes a delta CRL for a complete one.
func TestOpenSSLSaysTheSame(t *testing.T) {
	peertest.Need(t, "openssl")
	ca := newAuthority(t, "ca", x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	leaf := ca.issue(client)
	for name, rule := range rules {
		if rule.openssl == "" {
			continue
		}
		var lists [][]byte
		for _, c := range rule.lists {
			lists = append(lists, c.sign(ca).Raw)
		}
		if got := openssl(t, ca.cert, leaf, lists...); got != rule.openssl {
			t.Errorf("%s: %s, not %s", name, got, rule.openssl)
		}
	}
}

// openssl is what OpenSSL says of a certificate of ca with some lists.
func openssl(t *testing.T, ca, leaf *x509.Certificate, lists ...[]byte) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	arguments := []string{"verify", "-crl_check", "-extended_crl", "-CAfile", write("ca.pem", "CERTIFICATE", ca.Raw)}
	for i, list := range lists {
		arguments = append(arguments, "-CRLfile", write(fmt.Sprint(i), "X509 CRL", list))
	}
	out, _ := exec.Command("openssl", append(arguments, write("leaf.pem", "CERTIFICATE", leaf.Raw))...).CombinedOutput()
	switch text := string(out); {
	case strings.Contains(text, ": OK"):
		return good
	case strings.Contains(text, "certificate revoked"):
		return revoked
	}
	return none
}

// The key distinguishes CAs of one name. A CA that may not sign CRLs has no
// complete list; what its key has signed revokes, since the client chooses
// which of several certificates of its issuer it sends.
func TestSigner(t *testing.T) {
	ca := newAuthority(t, "ca", x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	namesake := newAuthority(t, "ca", x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	silent := newAuthority(t, "silent", 0)
	forbidden := newAuthority(t, "forbidden", x509.KeyUsageCertSign)
	for name, test := range map[string]struct {
		ca   authority
		list crl
		want string
	}{
		"the other of two of one name":   {ca, crl{by: namesake, lists: []int64{client}}, none},
		"without keyUsage":               {silent, crl{lists: []int64{client}}, revoked},
		"with keyUsage, without cRLSign": {forbidden, crl{}, none},
		"without cRLSign, lists":         {forbidden, crl{lists: []int64{client}}, revoked},
	} {
		lists := revocation.New([]*x509.RevocationList{test.list.sign(test.ca)})
		for range 2 { // the second time the signature is known
			if got := verdict(lists.Of(test.ca.issue(client), test.ca.cert, now)); got != test.want {
				t.Errorf("%s: %s, not %s", name, got, test.want)
			}
		}
	}
	both := revocation.New([]*x509.RevocationList{crl{age: time.Hour, lists: []int64{client}}.sign(ca), crl{}.sign(namesake)})
	if got := verdict(both.Of(ca.issue(client), ca.cert, now)); got != revoked {
		t.Errorf("the namesake's newer list: %s", got)
	}
	if got := verdict(both.Of(namesake.issue(client), namesake.cert, now)); got != good {
		t.Errorf("the namesake's certificate: %s", got)
	}
	damaged := crl{lists: []int64{client}}.sign(ca)
	damaged.Signature[len(damaged.Signature)-1] ^= 1
	if got := verdict(revocation.New([]*x509.RevocationList{damaged}).Of(ca.issue(client), ca.cert, now)); got != none {
		t.Errorf("damaged: %s", got)
	}
}

// An entry of an indirect CRL may be of another issuer's certificate, and so
// are those after it, up to one that names an issuer again
// (RFC 5280 section 5.3.3). Where the issuer cannot be read, or the list is not
// indirect, the entry is one of the list's own issuer, and the list not
// complete.
func TestCertificateIssuer(t *testing.T) {
	ca := newAuthority(t, "ca", x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	another := newAuthority(t, "another", x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	entry := func(serial int64, extensions ...pkix.Extension) x509.RevocationListEntry {
		return x509.RevocationListEntry{SerialNumber: big.NewInt(serial), RevocationTime: now, ExtraExtensions: extensions}
	}
	read := func(extensions []pkix.Extension, entries ...x509.RevocationListEntry) *revocation.Lists {
		template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(time.Hour), ExtraExtensions: extensions,
			RevokedCertificateEntries: entries}
		return revocation.New([]*x509.RevocationList{must(x509.ParseRevocationList(must(x509.CreateRevocationList(rand.Reader, template, ca.cert, ca.key))))})
	}
	lists := read([]pkix.Extension{indirect}, entry(1), entry(2, belongsTo(another)), entry(3), entry(4, belongsTo(ca)), entry(5))
	for serial, want := range map[int64]string{1: revoked, 2: none, 3: none, 4: revoked, 5: revoked} {
		if got := verdict(lists.Of(ca.issue(serial), ca.cert, now)); got != want {
			t.Errorf("%d: %s, not %s", serial, got, want)
		}
	}
	for name, value := range map[string][]byte{"nothing": nil, "no names": {0x30, 0}, "cut off": {0x30, 0x7f}, "a name cut off": {0x30, 2, 0xa4, 0x7f},
		"no directoryName": {0x30, 3, 0x82, 1, 'a'}, "something behind": append(belongsTo(another).Value, 0)} {
		for _, critical := range []bool{true, false} {
			unreadable := pkix.Extension{Id: belongsTo(ca).Id, Critical: critical, Value: value}
			lists := read([]pkix.Extension{indirect}, entry(2, belongsTo(another)), entry(3, unreadable), entry(4))
			for serial, want := range map[int64]string{2: none, 3: revoked, 4: revoked, 5: none} {
				if got := verdict(lists.Of(ca.issue(serial), ca.cert, now)); got != want {
					t.Errorf("%s, critical %v: %d: %s, not %s", name, critical, serial, got, want)
				}
			}
		}
	}
	notIndirect := critical(28, []byte{0x30, 3, 0x84, 1, 0})
	for name, extensions := range map[string][]pkix.Extension{"complete": nil, "of a part": {userCerts}, "indirectCRL FALSE": {notIndirect}} {
		lists := read(extensions, entry(2, belongsTo(another)), entry(3))
		for serial, want := range map[int64]string{2: revoked, 3: revoked, 4: none} {
			if got := verdict(lists.Of(ca.issue(serial), ca.cert, now)); got != want {
				t.Errorf("%s: %d: %s, not %s", name, serial, got, want)
			}
		}
	}
	if got := verdict(read(nil, entry(2, belongsTo(ca))).Of(ca.issue(client), ca.cert, now)); got != good {
		t.Errorf("names its own issuer, is not indirect: %s", got)
	}
}

// The same name may be encoded in several ways (RFC 5280 section 7.1).
func TestNameOfIssuer(t *testing.T) {
	ca := newAuthority(t, "An Authority", x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	leaf := ca.issue(client)
	for _, test := range []struct {
		tag  int
		name string
		want string
	}{
		{asn1.TagPrintableString, "An Authority", revoked}, {asn1.TagUTF8String, "An Authority", revoked},
		{asn1.TagPrintableString, "AN AUTHORITY", revoked}, {asn1.TagUTF8String, " an   authority ", revoked},
		{asn1.TagBMPString, "\x00A\x00n\x00 \x00A\x00u\x00t\x00h\x00o\x00r\x00i\x00t\x00y", revoked},
		{asn1.TagUTF8String, "Another", none},
	} {
		alias := *ca.cert
		alias.RawSubject = must(asn1.Marshal([][]asn1Attribute{{{asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.RawValue{Tag: test.tag, Bytes: []byte(test.name)}}}}))
		alias.RawSubject[2] = 0x31 // a SET
		list := crl{lists: []int64{client}}.sign(authority{&alias, ca.key})
		if got := verdict(revocation.New([]*x509.RevocationList{list}).Of(leaf, ca.cert, now)); got != test.want {
			t.Errorf("%d %q: %s, not %s", test.tag, test.name, got, test.want)
		}
		t.Run("OpenSSL says the same", func(t *testing.T) {
			peertest.Need(t, "openssl")
			if got := openssl(t, ca.cert, leaf, list.Raw); got != test.want {
				t.Errorf("%d %q: %s, not %s", test.tag, test.name, got, test.want)
			}
		})
	}
}

type asn1Attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// A version 1 CRL, without version, number and extensions, counts like any
// other.
func TestVersion1(t *testing.T) {
	peertest.Need(t, "openssl")
	ca := newAuthority(t, "ca", x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	leaf := ca.issue(client)
	for want, entry := range map[string]string{revoked: "R\t350101000000Z\t250101000000Z\t07\tunknown\t/CN=client\n", good: ""} {
		dir := t.TempDir()
		for name, content := range map[string]string{"index": entry,
			"conf":    "[ca]\ndefault_ca=d\n[d]\ndatabase=" + filepath.ToSlash(dir) + "/index\ndefault_md=sha256\ndefault_crl_days=7\n",
			"ca.pem":  string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})),
			"key.pem": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(ca.key))}))} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		make := exec.Command("openssl", "ca", "-config", "conf", "-gencrl", "-cert", "ca.pem", "-keyfile", "key.pem", "-out", "crl.pem")
		make.Dir = dir
		if out, err := make.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		block, _ := pem.Decode(must(os.ReadFile(filepath.Join(dir, "crl.pem"))))
		if _, err := x509.ParseRevocationList(block.Bytes); err == nil {
			t.Fatal("openssl made no version 1 CRL")
		}
		list, err := revocation.Parse(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if got := verdict(revocation.New([]*x509.RevocationList{list}).Of(leaf, ca.cert, now.Add(time.Minute))); got != want {
			t.Errorf("%s, not %s", got, want)
		}
		if got := openssl(t, ca.cert, leaf, list.Raw); got != want {
			t.Errorf("openssl says %s, not %s", got, want)
		}
	}
}

func TestParse(t *testing.T) {
	ca := newAuthority(t, "ca", x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	der := crl{lists: []int64{client}}.sign(ca).Raw
	if list, err := revocation.Parse(der); err != nil || len(list.RevokedCertificateEntries) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	for _, wrong := range [][]byte{nil, {0x30, 0}, {0x30, 2, 0x30, 0}, der[:len(der)-1], ca.cert.Raw} {
		if _, err := revocation.Parse(wrong); err == nil {
			t.Errorf("%x is a CRL", wrong)
		}
	}
}

// Unfit is the reason why there is no complete list.
func TestUnfit(t *testing.T) {
	ca := newAuthority(t, "ca", x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	for want, c := range map[string]crl{
		"is a delta CRL": {extensions: []pkix.Extension{delta}},
		"is a partitioned one (issuingDistributionPoint)":                               {extensions: []pkix.Extension{userCerts}},
		"has a critical extension that is not understood (1.2.3)":                       {extensions: []pkix.Extension{unknown}},
		"is from the future (" + now.AddDate(1, 0, 0).UTC().Format(time.DateOnly) + ")": {age: now.Sub(now.AddDate(1, 0, 0))},
		"is not signed by it": {by: newAuthority(t, "ca", 0)},
		"":                    {by: newAuthority(t, "another", 0)},
	} {
		if s := revocation.New([]*x509.RevocationList{c.sign(ca)}).Of(ca.issue(client), ca.cert, now); s.Unfit != want || s.Complete != nil {
			t.Errorf("%q, not %q", s.Unfit, want)
		}
	}
}

// Since is what a check of an earlier connection goes by.
func TestSince(t *testing.T) {
	ca := newAuthority(t, "ca", x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	list := crl{age: time.Hour, lists: []int64{client}}.sign(ca)
	for date, want := range map[time.Duration]time.Duration{-2 * time.Hour: -2 * time.Hour, 2 * time.Hour: -time.Hour, -time.Hour: -time.Hour} {
		list.RevokedCertificateEntries[0].RevocationTime = now.Add(date)
		if s := revocation.New([]*x509.RevocationList{list}).Of(ca.issue(client), ca.cert, now); !s.Since.Equal(now.Add(want)) {
			t.Errorf("%v: since %v", date, s.Since.Sub(now))
		}
	}
}

// A list of a clock that is ahead revokes at once.
func TestSinceNow(t *testing.T) {
	ca := newAuthority(t, "ca", x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	list := crl{age: -5 * time.Second, lists: []int64{client}}.sign(ca)
	if s := revocation.New([]*x509.RevocationList{list}).Of(ca.issue(client), ca.cert, now); s.Entry == nil || !s.Since.Equal(now) {
		t.Errorf("%v, since %v", s.Entry, s.Since.Sub(now))
	}
}

// At a time before a list was made it says nothing of what it revokes later,
// and an older one is not hidden by it.
func TestSinceOfAListToCome(t *testing.T) {
	ca := newAuthority(t, "ca", x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	later, earlier := crl{age: -time.Hour, lists: []int64{client}}.sign(ca), crl{age: time.Hour, lists: []int64{client}}.sign(ca)
	if s := revocation.New([]*x509.RevocationList{later}).Of(ca.issue(client), ca.cert, now); s.Entry == nil || !s.Since.Equal(now.Add(time.Hour)) {
		t.Errorf("%v, since %v", s.Entry, s.Since.Sub(now))
	}
	for _, lists := range [][]*x509.RevocationList{{earlier, later}, {later, earlier}} {
		if s := revocation.New(lists).Of(ca.issue(client), ca.cert, now); s.Entry == nil || !s.Since.Equal(now.Add(-time.Hour)) {
			t.Errorf("%v, since %v", s.Entry, s.Since.Sub(now))
		}
	}
}

func TestIsNotPublished(t *testing.T) {
	ca := newAuthority(t, "ca", x509.KeyUsageCertSign)
	noRevAvail := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 56}, Value: []byte{5, 0}}
	wrong := pkix.Extension{Id: noRevAvail.Id, Value: []byte{1, 1, 0}}
	ofCA := ca.issue(1, noRevAvail)
	ofCA.IsCA = true
	for _, test := range []struct {
		certificate *x509.Certificate
		want        bool
	}{{ca.issue(1, noRevAvail), true}, {ca.issue(1), false}, {ca.issue(1, wrong), false}, {ofCA, false}} {
		if got := revocation.IsNotPublished(test.certificate); got != test.want {
			t.Errorf("%v: %v", test.certificate.Extensions, got)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func parse(der []byte) *x509.Certificate { return must(x509.ParseCertificate(der)) }
