package scenario

import (
	"bytes"
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/fault"
)

func file(s *Scenario, o Options, name string) string { return filepath.Join(s.Certs(o.certs()), name) }

// trustFile holds the CAs that one side trusts, and every CRL if it looks at
// them.
func trustFile(t *testing.T, s *Scenario, o Options, trust []string, crl bool) string {
	t.Helper()
	var all bytes.Buffer
	for _, name := range trust {
		text, err := os.ReadFile(file(s, o, name+".pem"))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	if crl {
		lists, _ := filepath.Glob(file(s, o, "*-crl.pem"))
		for _, list := range lists {
			text, err := os.ReadFile(list)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	path := filepath.Join(t.TempDir(), "trust.pem")
	if err := os.WriteFile(path, all.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// chainFile is the certificate of one side as the scenario has it sent.
func chainFile(t *testing.T, s *Scenario, o Options, name string, chain fault.Chain) string {
	t.Helper()
	path := file(s, o, name+".pem")
	if chain != fault.ChainLeaf {
		return path
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const end = "-----END CERTIFICATE-----\n"
	leaf, _, _ := strings.Cut(string(text), end)
	path = filepath.Join(t.TempDir(), name+".pem")
	if err := os.WriteFile(path, []byte(leaf+end), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// checksRevocation reports whether a scenario is about revocation.
func checksRevocation(s *Scenario) bool { return s.Topic == "revocation" }

func trustOf(h Half, byDefault string) []string {
	if len(h.Trust) == 0 {
		return []string{byDefault}
	}
	return h.Trust
}

// versionOf is the one that a side speaks.
func versionOf(h *Half, version uint16) uint16 {
	if h.Version == "older" {
		return older(version)
	}
	return version
}

func versionName(v uint16) string { return tls.VersionName(v) }
