package certgen

import (
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSerials has serial numbers count for one issuer each, and come out as
// they are given.
func TestSerials(t *testing.T) {
	m := parse(t, "subject: CN=a\nserial: 1\n---\nsubject: CN=b\nserial: 1\n---\nsubject: CN=c\nissuer: CN=a\nserial: 2\n---\nsubject: CN=d\nissuer: CN=b\nserial: 2\n")
	dir := t.TempDir()
	generate(t, m, dir, Options{})
	verifyAll(t, m, dir, time.Now())
	for name, want := range map[string]int64{"a": 1, "b": 1, "c": 2, "d": 2} {
		certificates, err := LoadCertificates(dir, name)
		if err != nil || certificates[0].SerialNumber.Int64() != want {
			t.Errorf("%s: %v, %v", name, certificates, err)
		}
	}
}

// TestSerialIsNotAnothers makes a certificate anew whose random serial number
// is given to another one: to revoke either would be to revoke both.
func TestSerialIsNotAnothers(t *testing.T) {
	dir := t.TempDir()
	const manifest = "subject: CN=ca\n---\nsubject: CN=a\nissuer: CN=ca\n---\nsubject: CN=b\nissuer: CN=ca\n"
	generate(t, parse(t, manifest), dir, Options{})
	certificates, err := LoadCertificates(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	taken, before := certificates[0].SerialNumber, serialIn(t, dir, "b")
	m := parse(t, manifest+"serial: "+taken.String()+"\nrevoked: true\n")
	wantSteps(t, generate(t, m, dir, Options{}),
		"a: certificate: changed: serial, which another certificate of its issuer has",
		"b: certificate: changed: serial",
		"ca: CRL: missing")
	wantSerials(t, dir, "ca", []string{taken.String(), before})
	if certificates, err = LoadCertificates(dir, "a"); err != nil || certificates[0].SerialNumber.Cmp(taken) == 0 {
		t.Errorf("a still has the serial number of b: %v", err)
	}
	wantSteps(t, generate(t, m, dir, Options{}))
}

// TestSerialsOfCertyaml makes one of two certificates anew that got the same
// serial number from a clock, as certyaml's may.
func TestSerialsOfCertyaml(t *testing.T) {
	dir := t.TempDir()
	generate(t, parse(t, "subject: CN=ca\n---\nsubject: CN=a\nissuer: CN=ca\nserial: 7\n"), dir, Options{})
	other := t.TempDir()
	for _, file := range []string{"ca.pem", "ca-key.pem"} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(other, file), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	generate(t, parse(t, "subject: CN=ca\n---\nsubject: CN=b\nissuer: CN=ca\nserial: 7\n"), other, Options{})
	for _, file := range []string{"b.pem", "b-key.pem"} {
		if err := os.Rename(filepath.Join(other, file), filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
	m := parse(t, "subject: CN=ca\n---\nsubject: CN=a\nissuer: CN=ca\n---\nsubject: CN=b\nissuer: CN=ca\n")
	var foreign *ForeignError
	if _, err := Generate(t.Context(), m, dir, Options{}); !errors.As(err, &foreign) {
		t.Errorf("got %v", err)
	}
	wantSteps(t, generate(t, m, dir, Options{Force: true}), "b: certificate: changed: serial, which another certificate of its issuer has")
	verifyAll(t, m, dir, time.Now())
}

// TestNewSerial has random serial numbers be positive, of at most 20 octets,
// and none that the manifest gives.
func TestNewSerial(t *testing.T) {
	m := parse(t, "subject: CN=a\n")
	c := m.Find("a")
	for range 1000 {
		serial := m.newSerial(c)
		if serial.Sign() <= 0 || serial.BitLen() > 127 {
			t.Fatalf("serial %x", serial)
		}
	}
	if n, ok := wholeNumber(strings.Repeat("9", 48)); !ok || n.Cmp(new(big.Int).Exp(big.NewInt(10), big.NewInt(48), nil)) >= 0 {
		t.Errorf("a long number is %v", n)
	}
}
