package tlsdecrypt

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"go/version"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/keylog"
)

// Node.js 24 (OpenSSL 3.5) on both sides, all certificates with ML-DSA-65: it
// is verified where Go has ML-DSA, and else named, and nothing is said to fail.
func TestMLDSA(t *testing.T) {
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata", "mldsa65", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	store := &keylog.Store{}
	for line := range bytes.Lines(read("node-node.keys")) {
		entry, err := keylog.ParseLine(bytes.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		store.Add(entry)
	}
	trust := &chain.Trust{}
	for block, rest := pem.Decode(read("cas.pem")); block != nil; block, rest = pem.Decode(rest) {
		ca, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		trust.CAs = append(trust.CAs, chain.NamedCA{Name: ca.Subject.CommonName, Certificate: ca})
	}
	want, says := Unknown, []string{"ML-DSA-65, which this lab cannot verify: it was built with Go"}
	if version.Compare(version.Lang(runtime.Version()), "go1.27") >= 0 {
		want, says = Holds, []string{"The chain holds under", "The signature holds", "mldsa65"}
	}
	verify := func(file []byte) (checks []Check) {
		d := New(Options{Secrets: store, Done: func(c *Connection) {
			c.Check(trust)
			for _, m := range c.Messages {
				for _, k := range m.Checks {
					if k.Subject == "chain" || k.Subject == "signature" {
						checks = append(checks, k)
					}
				}
			}
		}})
		if err := capture.Read(bytes.NewReader(file), capture.ReadOptions{Sink: d}); err != nil {
			t.Fatal(err)
		}
		d.Close()
		return checks
	}
	checks := verify(read("node-node.pcap"))
	said := ""
	for _, k := range checks {
		said += k.Text + "\n"
		if k.Result != want {
			t.Errorf("%s: %v: %s", k.Subject, k.Result, k.Text)
		}
	}
	for _, s := range says {
		if !strings.Contains(said, s) {
			t.Errorf("it does not say %q:\n%s", s, said)
		}
	}
	if len(checks) != 4 {
		t.Errorf("%d checks of chains and signatures", len(checks))
	}
}
