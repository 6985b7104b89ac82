package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/scenario"
)

// baseManifest has what every scenario adds to.
const baseManifest = `subject: CN=server-ca
---
subject: CN=server
issuer: CN=server-ca
sans: [DNS:localhost]
ext_key_usages: [ServerAuth]
---
subject: CN=client-ca
---
subject: CN=client
issuer: CN=client-ca
key_usages: [DigitalSignature]
ext_key_usages: [ClientAuth]
`

// lifetime is how long the certificates are valid that a probe makes, and that
// are no longer valid for another reason.
const lifetime = time.Hour

// mark is what the subject of every certificate has that a probe makes.
const mark = "OU=lab probe"

// issuer makes the certificates of the cases, in memory.
type issuer struct {
	good     *tls.Certificate
	clientCA *tls.Certificate // its key may be missing; nil: it is not known
	serverCA *tls.Certificate // with its key; nil: it is not known
}

// certificate returns what the client of a scenario shows.
func (i *issuer) certificate(ctx context.Context, s *scenario.Scenario, life time.Duration) (*tls.Certificate, error) {
	cas := map[string]tls.Certificate{}
	if i.clientCA != nil {
		cas["client-ca"] = *i.clientCA
	}
	if i.serverCA != nil {
		cas["server-ca"] = *i.serverCA
	}
	issued, err := s.Issue(ctx, []byte(baseManifest), scenario.IssueOptions{CAs: cas, Lifetime: life, Change: i.likeGood})
	if err != nil {
		return nil, err
	}
	settings, err := issued.ClientSettings(0)
	if err != nil {
		return nil, err
	}
	if len(settings.Loaded.Certificates) == 0 {
		return nil, errors.New("the scenario " + s.Name + " has no certificate for its client")
	}
	return &settings.Loaded.Certificates[0], nil
}

// likeGood gives the client's certificate the names of the good one, and marks
// it.
func (i *issuer) likeGood(m *certgen.Manifest) error {
	client, err := m.Lookup("client")
	if err != nil || client.Subject != "CN=client" { // its name is what the case is about
		return err
	}
	if err := m.SetSubject("client", dn.Subject(i.good.Leaf)+","+mark); err != nil {
		if err := m.SetSubject("client", "CN=client,"+mark); err != nil { // the good one's cannot be written
			return err
		}
	}
	return m.AddNames("client", i.good.Leaf)
}
