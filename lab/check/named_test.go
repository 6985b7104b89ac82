package check

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/scenario"
)

// Whoever a rule names refuses the scenarios of that fault, as the table of
// stacks has measured it. Go's are the lab's own, and Caddy.
func TestWhoIsNamedRefuses(t *testing.T) {
	text, err := os.ReadFile("../scenario/stacks.json")
	if err != nil {
		t.Fatal(err)
	}
	var table scenario.Table
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	stacks := map[string]string{"Go": "Caddy", "OpenSSL": "OpenSSL", "GnuTLS": "GnuTLS", "NSS": "NSS", "Java": "Java", "nginx": "nginx"}
	for code, names := range map[chain.Code][]string{
		chain.Expired:        {"expired-server", "expired-client"},
		chain.NotYetValid:    {"not-yet-valid-server", "not-yet-valid-client"},
		chain.NoSAN:          {"cn-only"},
		chain.WrongUsage:     {"server-wrong-eku", "client-wrong-eku"},
		chain.WrongKeyUsage:  {"ca-as-server", "ca-as-client"},
		chain.NotACA:         {"intermediate-not-a-ca"},
		chain.PathTooLong:    {"path-length-exceeded"},
		chain.NameConstraint: {"name-constraint-violated"},
		chain.LookAlikeCA:    {"look-alike-ca"},
		chain.UnknownCA:      {"server-missing-intermediate", "client-missing-intermediate"},
		chain.Revoked:        {"revoked-server", "revoked-client"},
		chain.IssuerRevoked:  {"revoked-intermediate"},
		chain.WeakKey:        {"weak-client-key"},
		chain.WeakSignature:  {"sha1-signature"},
	} {
		named := strings.FieldsFunc(rules[code].by, func(r rune) bool { return r == ' ' || r == ',' })
		for _, name := range names {
			s, err := scenario.Find(name)
			if err != nil {
				t.Fatal(err)
			}
			judge := endpoint.Client
			if s.Side == "server rejects client" {
				judge = endpoint.Server
			}
			for _, r := range table.Runs {
				if r.Scenario == name && r.As == judge && r.By != judge && slices.ContainsFunc(named, func(n string) bool { return stacks[n] == r.Stack }) {
					t.Errorf("%s is said to be refused by %s, and %s has accepted %s", code, rules[code].by, r.Stack, name)
				}
			}
		}
	}
}
