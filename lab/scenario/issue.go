package scenario

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab"
)

// IssueOptions say how the certificates of a scenario are made in memory.
type IssueOptions struct {
	// CAs are taken in place of server-ca and client-ca, by these names, with the
	// CAs above each: see certgen.Manifest.Give. One that the scenario changes is
	// made as it says, and issued by the CA. One that is missing is made.
	CAs map[string]tls.Certificate
	// Lifetime is the longest of certificates whose dates the scenario does not
	// give; 0: the manifest's.
	Lifetime time.Duration
	// Change may change the manifest of the scenario before it is issued; nil:
	// nothing is.
	Change func(*certgen.Manifest) error
}

// Issued are the certificates of a scenario in memory.
type Issued struct {
	*certgen.Issued
	Scenario *Scenario

	anchors map[string]*x509.Certificate // of CAs that are issued by a given one, by their names
}

// Issue makes the certificates of the scenario out of the base manifest and its
// own, and writes nothing. Every one is under the CAs that are given, but for
// those that the lesson has under a CA that its peer does not trust.
func (s *Scenario) Issue(ctx context.Context, manifest []byte, o IssueOptions) (*Issued, error) {
	m, err := s.Manifest(manifest)
	if err != nil {
		return nil, err
	}
	made := &Issued{Scenario: s, anchors: map[string]*x509.Certificate{}}
	for name, ca := range o.CAs {
		if err := made.give(m, name, ca); err != nil {
			return nil, err
		}
	}
	if o.Lifetime != 0 {
		m.LimitLifetime(o.Lifetime)
	}
	if o.Change != nil {
		if err := o.Change(m); err != nil {
			return nil, err
		}
	}
	if made.Issued, err = certgen.Issue(ctx, m, time.Now().Add(-s.Age)); err != nil {
		return made, err
	}
	if s.KeyType != "" {
		made.Pairs, err = s.KeyType.Reissue(made.Pairs)
	}
	return made, err
}

// give puts a CA in the place of server-ca or client-ca, or above it, and above
// what the scenario has the peer trust besides.
func (i *Issued) give(m *certgen.Manifest, name string, ca tls.Certificate) error {
	c, err := m.Lookup(name)
	if err != nil {
		return err
	}
	trusted := map[string][]string{"server-ca": i.Scenario.Client.Trust, "client-ca": i.Scenario.Server.Trust}[name]
	under := slices.DeleteFunc(slices.Clone(trusted), func(other string) bool { return other == name || m.Find(other).Issuer != nil })
	if c.Overlaid || i.Scenario.Extensions[name] != nil {
		under = append(under, name)
	} else if err := m.Give(name, ca); err != nil {
		return err
	}
	for _, name := range under {
		i.anchors[name] = ca.Leaf
		if err := m.SetSubject(name, m.Find(name).Subject+",OU=lesson"); err != nil { // one of the same name would seem to sign itself
			return err
		}
		if err := m.GiveIssuer(name, ca); err != nil {
			return err
		}
	}
	return nil
}

// ServerSettings returns the settings of the scenario's server in one version,
// 0 for both: see [Scenario.ServerSettings].
func (i *Issued) ServerSettings(version uint16) (lab.Settings, error) {
	h := &i.Scenario.Server
	settings := h.settings(version)
	var err error
	if settings.Loaded, err = i.loaded(h, "server", "client-ca"); err != nil {
		return settings, err
	}
	return i.Scenario.serverSettings(settings, "")
}

// ClientSettings returns those of the scenario's client.
func (i *Issued) ClientSettings(version uint16) (lab.Settings, error) {
	h := &i.Scenario.Client
	settings := h.settings(version)
	var err error
	if settings.Loaded, err = i.loaded(h, "client", "server-ca"); err != nil {
		return settings, err
	}
	return i.Scenario.clientSettings(settings, "")
}

// loaded returns the credentials of one side.
func (i *Issued) loaded(h *Half, certificate, trust string) (*lab.Loaded, error) {
	if i.Scenario.ECH != "" {
		return nil, errors.New("the keys of Encrypted ClientHello need a file")
	}
	l := &lab.Loaded{CRLs: slices.Collect(maps.Values(i.CRLs))}
	for _, name := range append([]string{h.shown(certificate)}, h.AlsoShow...) {
		if name == "" {
			continue
		}
		pair, err := i.load(name)
		if err == nil {
			err = h.alter(&pair, i)
		}
		if err != nil {
			return nil, err
		}
		l.Certificates = append(l.Certificates, pair)
	}
	names := h.Trust
	if len(names) == 0 {
		names = []string{trust}
	}
	for _, name := range names {
		if anchor := i.anchors[name]; anchor != nil {
			l.CAs = append(l.CAs, anchor)
			continue
		}
		ca, err := i.load(name)
		if err != nil {
			return nil, err
		}
		l.CAs = append(l.CAs, ca.Leaf)
	}
	return l, nil
}

func (i *Issued) load(name string) (tls.Certificate, error) {
	pair, ok := i.Pairs[name]
	if !ok {
		return pair, fmt.Errorf("no certificate is called %s", name)
	}
	pair.Certificate = slices.Clone(pair.Certificate) // Half.alter changes it
	return pair, nil
}

func (i *Issued) names() []string { return slices.Sorted(maps.Keys(i.Pairs)) }
