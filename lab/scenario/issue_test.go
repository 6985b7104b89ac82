package scenario

import (
	"bytes"
	"crypto/tls"
	"testing"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/wiretap"
)

// usersCAs are CAs of a user's: a root for servers, and one below a root for
// clients.
func usersCAs(t *testing.T) map[string]tls.Certificate {
	t.Helper()
	const document = "name: users\nexpect: {TLS 1.3: {status: 200}}\n---\nsubject: CN=root,O=Users\n---\nsubject: 'CN=issuing,O=Users'\nissuer: 'CN=root,O=Users'\nca: true\n"
	s, err := Parse("users.yaml", []byte(document))
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.Issue(t.Context(), baseManifest(t), IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]tls.Certificate{"server-ca": made.Pairs["root"], "client-ca": made.Pairs["issuing"]}
}

// labsCAs are those of the manifest, by the names that lessons give to theirs.
func labsCAs(t *testing.T) map[string]tls.Certificate {
	t.Helper()
	s, err := Find("mtls")
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.Issue(t.Context(), baseManifest(t), IssueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]tls.Certificate{"server-ca": made.Pairs["server-ca"], "client-ca": made.Pairs["client-ca"]}
}

// With its certificates in memory, under CAs that are given and alone are
// trusted, a lesson ends as with those in its folder.
func TestIssue(t *testing.T) {
	manifest := baseManifest(t)
	for whose, given := range map[string]map[string]tls.Certificate{"users": usersCAs(t), "labs": labsCAs(t)} {
		for _, s := range builtIn() {
			if s.Calls > 1 || s.ECH != "" || len(s.Versions()) == 0 {
				continue
			}
			t.Run(s.Name+" "+whose, func(t *testing.T) {
				made, err := s.Issue(t.Context(), manifest, IssueOptions{CAs: given})
				if err != nil {
					t.Fatal(err)
				}
				for _, version := range s.Versions() {
					x := meet(t, made, version)
					for _, wrong := range s.Expect[version].differences(x) {
						t.Errorf("%s: %s", tls.VersionName(version), wrong)
					}
				}
				for name, pair := range made.Pairs {
					isRoot := bytes.Equal(pair.Leaf.RawSubject, pair.Leaf.RawIssuer)
					if isRoot && pair.Leaf.CheckSignatureFrom(pair.Leaf) != nil && pair.Leaf.IsCA {
						t.Errorf("%s has the name of its issuer, and is another", name)
					}
				}
			})
		}
	}
}

// meet lets the scenario's server and client meet once.
func meet(t *testing.T, made *Issued, version uint16) *lab.Exchange {
	t.Helper()
	s := made.Scenario
	r := &runner{scenario: s, version: version, exchanges: make(chan *lab.Exchange, s.Calls), issued: made}
	r.journal = &lab.Journal{Paired: true, Each: func(x *lab.Exchange) { r.exchanges <- x }}
	dissection := r.journal.Dissect()
	defer dissection.Close()
	exchanges, err := r.run(t.Context(), wiretap.New(dissection))
	if err != nil {
		t.Fatal(err)
	}
	return exchanges[0]
}
