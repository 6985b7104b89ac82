package certgen

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// wantListed checks that the CRL of a CA lists the certificates with these
// names and no others.
func wantListed(t *testing.T, dir, ca string, names ...string) {
	t.Helper()
	var want []string
	for _, name := range names {
		want = append(want, serialIn(t, dir, name))
	}
	wantSerials(t, dir, ca, want)
}

// serialIn returns the serial number of a certificate.
func serialIn(t *testing.T, dir, name string) string {
	t.Helper()
	certificates, err := LoadCertificates(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	return certificates[0].SerialNumber.String()
}

// wantSerials checks that the CRL of a CA lists these serial numbers.
func wantSerials(t *testing.T, dir, ca string, want []string) {
	t.Helper()
	crl, err := LoadCRL(dir, ca)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range crl.RevokedCertificateEntries {
		got = append(got, entry.SerialNumber.String())
	}
	want = slices.Sorted(slices.Values(want))
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the CRL of %s lists %v, want %v", ca, got, want)
	}
	certificates, err := LoadCertificates(dir, ca)
	if err != nil {
		t.Fatal(err)
	}
	if err := crl.CheckSignatureFrom(certificates[0]); err != nil {
		t.Error(err)
	}
}

const revocation = `subject: CN=ca
---
subject: CN=a
issuer: CN=ca
revoked: true
---
subject: CN=b
issuer: CN=ca
---
subject: CN=sub
issuer: CN=ca
ca: true
revoked: true
---
subject: CN=c
issuer: CN=sub
revoked: true
`

func TestCRL(t *testing.T) {
	const day = 24 * time.Hour
	allowed := strings.ReplaceAll(revocation, "revoked: true\n", "")
	for name, test := range map[string]struct {
		manifest string // empty: revocation
		spoil    func(t *testing.T, dir string)
		after    time.Duration
		options  Options
		want     []string
		listed   map[string][]string
	}{
		"missing":   {spoil: func(t *testing.T, dir string) { remove(t, dir, "ca-crl.pem") }, want: []string{"ca: CRL: missing"}},
		"empty":     {spoil: func(t *testing.T, dir string) { overwrite(t, dir, "sub-crl.pem", "") }, want: []string{"sub: CRL: damaged: it is empty"}},
		"truncated": {spoil: func(t *testing.T, dir string) { overwrite(t, dir, "ca-crl.pem", "-----BEGIN X509 CRL-----\nMIIB") }, want: []string{"ca: CRL: damaged: it is truncated"}},
		"of another": {spoil: func(t *testing.T, dir string) { copyFile(t, dir, "sub-crl.pem", "ca-crl.pem") },
			want: []string{"ca: CRL: issuer ca was made anew"}},
		"six days later": {after: 6 * day},
		"due":            {after: 6*day + 12*time.Hour, want: []string{"ca: CRL: expires in 11 hours", "sub: CRL: expires in 11 hours"}},
		"overdue":        {after: 8 * day, want: []string{"ca: CRL: expired 1 day ago", "sub: CRL: expired 1 day ago"}},
		"one allowed again": {manifest: strings.Replace(revocation, "revoked: true\n", "", 1), want: []string{"ca: CRL: lists what is not revoked"},
			listed: map[string][]string{"ca": {"sub"}, "sub": {"c"}}},
		"all allowed again": {manifest: allowed, want: []string{"ca: CRL: lists what is not revoked", "sub: CRL: lists what is not revoked"},
			listed: map[string][]string{"ca": nil, "sub": nil}},
		"one more": {manifest: strings.Replace(revocation, "CN=b\n", "CN=b\nrevoked: true\n", 1), want: []string{"ca: CRL: does not list b"},
			listed: map[string][]string{"ca": {"a", "b", "sub"}, "sub": {"c"}}},
		"revoked one made anew": {spoil: func(t *testing.T, dir string) { remove(t, dir, "a.pem", "a-key.pem") },
			want:   []string{"a: certificate: missing", "ca: CRL: revoked and made anew: a"},
			listed: map[string][]string{"ca": {"a", "sub", "was a"}, "sub": {"c"}}},
		"revoked one asked for": {options: Options{Renew: []string{"a"}}, want: []string{"a: certificate: asked for", "ca: CRL: revoked and made anew: a"},
			listed: map[string][]string{"ca": {"a", "sub", "was a"}, "sub": {"c"}}},
		"revoked one asked for, and its CRL lost": {options: Options{Renew: []string{"a"}}, spoil: func(t *testing.T, dir string) { remove(t, dir, "ca-crl.pem") },
			want: []string{"a: certificate: asked for", "ca: CRL: missing"}, listed: map[string][]string{"ca": {"a", "sub", "was a"}, "sub": {"c"}}},
		"revoked one no longer in the manifest": {manifest: strings.Replace(revocation, "---\nsubject: CN=a\nissuer: CN=ca\nrevoked: true\n", "", 1), after: 8 * day,
			want: []string{"ca: CRL: expired 1 day ago", "sub: CRL: expired 1 day ago"}, listed: map[string][]string{"ca": {"sub", "was a"}, "sub": {"c"}}},
		"CA made anew": {options: Options{Renew: []string{"ca"}}, want: []string{"ca: certificate: asked for", "a: certificate: issuer ca is made anew",
			"b: certificate: issuer ca is made anew", "sub: certificate: issuer ca is made anew", "c: certificate: issuer sub is made anew",
			"ca: CRL: issuer ca is made anew", "sub: CRL: issuer sub is made anew"}, listed: map[string][]string{"ca": {"a", "sub"}, "sub": {"c"}}},
		"issuer made anew": {options: Options{Renew: []string{"sub"}}, want: []string{"sub: certificate: asked for", "c: certificate: issuer sub is made anew",
			"ca: CRL: revoked and made anew: sub", "sub: CRL: issuer sub is made anew"}, listed: map[string][]string{"ca": {"a", "sub", "was sub"}, "sub": {"c"}}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			generate(t, parse(t, revocation), dir, at(morning))
			wantListed(t, dir, "ca", "a", "sub")
			wantListed(t, dir, "sub", "c")
			serials := map[string]string{}
			for _, name := range []string{"a", "sub", "c"} {
				serials["was "+name] = serialIn(t, dir, name)
			}
			if test.spoil != nil {
				test.spoil(t, dir)
			}
			m := parse(t, revocation)
			if test.manifest != "" {
				m = parse(t, test.manifest)
			}
			clock := at(morning.Add(test.after))
			test.options.Now = clock.Now
			wantSteps(t, generate(t, m, dir, test.options), test.want...)
			wantSteps(t, generate(t, m, dir, clock))
			verifyAll(t, m, dir, clock.Now())
			if test.listed == nil {
				test.listed = map[string][]string{"ca": {"a", "sub"}, "sub": {"c"}}
			}
			for ca, names := range test.listed {
				var want []string
				for _, name := range names {
					serial := serials[name]
					if serial == "" {
						serial = serialIn(t, dir, name)
					}
					want = append(want, serial)
				}
				wantSerials(t, dir, ca, want)
			}
		})
	}
}

// TestNoCRL makes none where nothing is revoked, and leaves alone a file that
// is none.
func TestNoCRL(t *testing.T) {
	dir, m := t.TempDir(), parse(t, family)
	overwrite(t, dir, "root-crl.pem", "my notes\n")
	generate(t, m, dir, Options{})
	if _, err := os.Stat(filepath.Join(dir, "mid-crl.pem")); err == nil {
		t.Error("a CRL was made")
	}
	if read(t, dir, "root-crl.pem") != "my notes\n" {
		t.Error("a file was overwritten")
	}
}

// TestMismatches checks that Verify names what is wrong, and passes what is
// only due.
func TestMismatches(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, dir string)
		after time.Duration
		want  string // of the first fault; empty: none
	}{
		"truth":               {},
		"due, not yet untrue": {after: DefaultLifetime*9/10 + time.Hour, want: "ca: CRL: expired"},
		"CRL due":             {after: 6*24*time.Hour + 20*time.Hour},
		"missing":             {spoil: func(t *testing.T, dir string) { remove(t, dir, "c.pem") }, want: "c: certificate: certificate is missing, but the key exists"},
		"expired":             {after: 2 * DefaultLifetime, want: "ca: certificate: expired"},
		"CRL missing":         {spoil: func(t *testing.T, dir string) { remove(t, dir, "ca-crl.pem") }, want: "ca: CRL: missing"},
		"wrong key":           {spoil: func(t *testing.T, dir string) { copyFile(t, dir, "a-key.pem", "b-key.pem") }, want: "b: certificate: key and certificate do not match"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, m := t.TempDir(), parse(t, revocation)
			generate(t, m, dir, at(morning))
			if test.spoil != nil {
				test.spoil(t, dir)
			}
			var first string
			for _, err := range Verify(m, dir, morning.Add(test.after)) {
				if err != nil {
					first = err.Error()
					break
				}
			}
			if (test.want == "") != (first == "") || !strings.HasPrefix(first, test.want) {
				t.Errorf("the first fault is %q, want %q", first, test.want)
			}
		})
	}
}

// TestNoRightToSign is a manifest whose chain cannot hold: it is made once, not
// for ever, and Verify says what is wrong with it.
func TestNoRightToSign(t *testing.T) {
	dir := t.TempDir()
	m := parse(t, "subject: CN=ca\nkey_usages: [CRLSign]\n---\nsubject: CN=a\nissuer: CN=ca\n")
	generate(t, m, dir, Options{})
	wantSteps(t, generate(t, m, dir, Options{}))
	var faults []string
	for c, err := range Verify(m, dir, time.Now()) {
		if err != nil {
			faults = append(faults, c.Name)
		}
	}
	if !slices.Equal(faults, []string{"a"}) {
		t.Errorf("faults of %q", faults)
	}
}

// CRLs are read as PEM and as DER, and those that are left out are reported
// with the reason.
func TestUnusedCRLs(t *testing.T) {
	dir := t.TempDir()
	generate(t, parse(t, revocation), dir, Options{})
	file := filepath.Join(dir, "ca-crl.pem")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(good)
	unknown := bytes.ReplaceAll(block.Bytes, []byte("\x2a\x86\x48\xce\x3d\x04\x03"), []byte("\x2a\x86\x48\xce\x3d\x04\x09")) // ecdsa-with-SHA2
	broken := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte{0x30, 0}})
	for name, test := range map[string]struct {
		content string
		crls    int
		want    []UnusedCRL
	}{
		"PEM":               {string(good), 1, nil},
		"PEM, two":          {string(good) + string(good), 2, nil},
		"DER":               {string(block.Bytes), 1, nil},
		"text before it":    {"Certificate Revocation List (CRL):\n" + string(good), 1, nil},
		"DER cut off":       {string(block.Bytes[:99]), 0, []UnusedCRL{{Reason: "it is not PEM of type X509 CRL"}}},
		"empty":             {"", 0, []UnusedCRL{{Reason: "it is empty"}}},
		"cut off":           {string(good[:99]), 0, []UnusedCRL{{Reason: "it is truncated"}}},
		"another type":      {strings.ReplaceAll(string(good), "X509 CRL", "CRL"), 0, []UnusedCRL{{Reason: "it is not PEM of type X509 CRL"}}},
		"not a CRL":         {string(broken), 0, []UnusedCRL{{Reason: "it is not a CRL"}}},
		"not a CRL, first":  {string(broken) + string(good), 1, []UnusedCRL{{Some: true, Reason: "it is not a CRL"}}},
		"second one cut":    {string(good) + string(good[:99]), 1, []UnusedCRL{{Some: true, Reason: "one of them is damaged"}}},
		"unknown algorithm": {string(unknown), 1, []UnusedCRL{{Reason: "it is signed with an algorithm that lab does not check"}}},
	} {
		overwrite(t, dir, "ca-crl.pem", test.content)
		for i := range test.want {
			test.want[i].File = file
		}
		if got := UnusedCRLs(dir); !slices.Equal(got, test.want) {
			t.Errorf("%s: %+v, not %+v", name, got, test.want)
		}
		if got := len(LoadCRLs(dir)); got != test.crls+1 { // and that of sub
			t.Errorf("%s: %d CRLs", name, got)
		}
	}
	remove(t, dir, "ca-crl.pem")
	if err := os.Mkdir(file, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := UnusedCRLs(dir); len(got) != 1 || got[0].Reason != "it is a directory" {
		t.Errorf("%+v", got)
	}
}
