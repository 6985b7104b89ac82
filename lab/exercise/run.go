package exercise

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/wiretap"
)

// patience bounds a handshake.
const patience = 3 * time.Second

// run is a world that is being marked. It is used by one goroutine.
type run struct {
	*Exercise        // the variant that is done
	dir       string // a copy of the folder
	values    values
	sides     sides
	sink      wiretap.Sink // gets all connections
	streams   *streams     // numbers them; it is sink

	issued   *certgen.Issued        // what the folder lacks; nil: nothing is
	journals map[bool]*journal      // of servers that are the lab's own, and of others
	servers  map[string]*serving    // by whom, and what is otherwise
	clients  map[string]*lab.Client // likewise
	ports    map[uint16]uint16      // of other programs' servers, by those in their files; nil: none was started
	failed   error                  // why those do not run
	stops    []func()               // what has been started, in that order
}

// journal collects exchanges.
type journal struct {
	*lab.Journal
	tap *wiretap.Tap

	mu        sync.Mutex
	exchanges []*lab.Exchange
}

// start reads what the participant has set, and makes what the folder lacks, if
// that is not issued yet.
func (e *Exercise) start(ctx context.Context, dir string, v values, issued *certgen.Issued, sink wiretap.Sink) (*run, error) {
	numbered := &streams{Sink: sink, by: map[string]int{}}
	r := &run{Exercise: e, dir: dir, values: v, issued: issued, sink: numbered, streams: numbered, journals: map[bool]*journal{}, servers: map[string]*serving{}, clients: map[string]*lab.Client{}}
	var err error
	if r.sides, err = e.readSettings(dir); err != nil {
		return nil, err
	}
	if issued == nil && len(e.Marker.Certificates) > 0 {
		r.issued, err = e.issue(ctx, r.certs())
	}
	return r, err
}

// certs is the folder of the certificates.
func (r *run) certs() string { return filepath.Join(r.dir, certsFolder) }

// close ends all that was started.
func (r *run) close() {
	for _, stop := range slices.Backward(r.stops) {
		stop()
	}
}

// issue makes the certificates that the folder lacks in memory, under its CAs.
func (e *Exercise) issue(ctx context.Context, certs string) (*certgen.Issued, error) {
	m, err := e.Manifest()
	if err != nil {
		return nil, err
	}
	for _, c := range slices.Clone(m.Certificates) {
		if !c.CA || e.isHidden(c.Name) {
			continue
		}
		ca, err := certgen.Load(certs, c.Name)
		if err != nil {
			if !e.issues(m, c.Name) {
				continue // nobody needs it
			}
			return nil, err
		}
		if err := m.Give(c.Name, ca); err != nil {
			return nil, err
		}
	}
	return certgen.Issue(ctx, m, time.Now().Add(-e.World.Age))
}

// issues reports whether a CA has issued a certificate that the folder lacks.
func (e *Exercise) issues(m *certgen.Manifest, ca string) bool {
	return slices.ContainsFunc(m.Certificates, func(c *certgen.Certificate) bool {
		for issuer := c.Issuer; issuer != nil; issuer = issuer.Issuer {
			if issuer.Name == ca && e.isHidden(c.Name) {
				return true
			}
		}
		return false
	})
}

// pairs returns all certificates: those of the folder as they are now, or were
// at the start, and those that it lacks. failed says why some are not there.
func (r *run) pairs(atStart bool) (all *certgen.Issued, failed map[string]error) {
	certs := r.certs()
	if atStart {
		certs = filepath.Join(r.dir, startFolder)
	}
	all, failed = &certgen.Issued{Pairs: map[string]tls.Certificate{}}, map[string]error{}
	m, err := r.Manifest()
	if err != nil {
		return all, failed
	}
	for _, c := range m.Certificates {
		if r.isHidden(c.Name) {
			all.Pairs[c.Name] = r.issued.Pairs[c.Name]
			continue
		}
		if all.Pairs[c.Name], err = certgen.Load(certs, c.Name); err != nil {
			failed[c.Name] = err
			delete(all.Pairs, c.Name)
		}
	}
	all.CRLs = map[string]*x509.RevocationList{}
	if r.issued != nil {
		maps.Copy(all.CRLs, r.issued.CRLs)
	}
	for i, list := range certgen.LoadCRLs(r.certs()) {
		all.CRLs[fmt.Sprintf("%d of the folder", i)] = list
	}
	return all, failed
}

// journalOf returns the journal of a server. With a server that is not the
// lab's own it hears of clients alone.
func (r *run) journalOf(own bool) *journal {
	if r.journals[own] != nil {
		return r.journals[own]
	}
	j := &journal{Journal: &lab.Journal{Paired: own, Keep: r.Keep}}
	j.Each = func(x *lab.Exchange) {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.exchanges = append(j.exchanges, x)
	}
	j.Trust = r.trust
	dissection := j.Dissect()
	j.tap = wiretap.New(r.sink, dissection)
	r.stops = append(r.stops, dissection.Close)
	r.journals[own] = j
	return j
}

// settled waits for what is under way, and returns the exchanges since it was
// last called.
func (j *journal) settled(ctx context.Context) []*lab.Exchange {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	j.Wait(bounded)
	j.mu.Lock()
	defer j.mu.Unlock()
	exchanges := j.exchanges
	j.exchanges = nil
	return exchanges
}

// clientOf returns the client that a step calls with. Steps of the same client
// share its sessions.
func (r *run) clientOf(s *Step, to *serving) (*lab.Client, error) {
	key := strings.Join([]string{s.Call, to.addr, textOf(s.With), fmt.Sprint(s.AtStart, s.speaks)}, " ")
	if c := r.clients[key]; c != nil {
		return c, nil
	}
	who := r.callerOf(s.Call)
	base := *r.markersClient(who)
	if !who.isMarkers && r.sides.client != nil {
		base = *r.sides.client
	}
	side, err := base.over(s.at.document, s.With, endpoint.Client)
	if err != nil {
		return nil, err
	}
	side.TLS = cmp.Or(s.speaks, side.TLS)
	var settings lab.Settings
	if who.isMarkers || s.AtStart {
		settings, err = r.markers(side, endpoint.Client, s.AtStart)
	} else {
		settings, err = side.settingsIn(r.dir, endpoint.Client)
	}
	if err != nil {
		return nil, err
	}
	settings.Header = maps.Clone(settings.Header)
	for name, value := range settings.Header {
		settings.Header[name] = r.values.fill(value)
	}
	settings.Journal, settings.Tap = to.journal.Journal, nil
	if !to.own {
		settings.Tap = to.journal.tap
	}
	lesson := scenario.Scenario{Client: side.Half}
	c, err := lab.NewClient(lesson.ClientOptions(to.addr), settings)
	if err == nil {
		r.clients[key] = c
	}
	return c, err
}

// markersClient returns the settings of the marker's client.
func (r *run) markersClient(who party) *Side {
	own := r.Marker.Client
	if who.isMarkers {
		own.Certificate = who.certificate
	}
	return &own
}

// markers returns the settings of a side of the marker's own.
func (r *run) markers(side *Side, of endpoint.Side, atStart bool) (lab.Settings, error) {
	pairs, failed := r.pairs(atStart)
	if len(side.Trust) == 0 {
		changed := *side
		changed.Trust = r.trusted(of)
		side = &changed
	}
	made := &scenario.Issued{Issued: pairs, Scenario: &scenario.Scenario{Server: side.Half, Client: side.Half}}
	settingsOf := made.ServerSettings
	if of == endpoint.Client {
		settingsOf = made.ClientSettings
	}
	settings, err := settingsOf(side.TLS)
	if err != nil {
		for _, name := range append([]string{side.Certificate}, side.Trust...) {
			if why := failed[name]; why != nil {
				err = why
			}
		}
		return settings, err
	}
	side.finish(&settings)
	return settings, nil
}

// trusted returns the CAs that a side of the marker's trusts if the document
// does not say: server-ca or client-ca, or if there is none, all roots of the
// folder.
func (r *run) trusted(side endpoint.Side) (names []string) {
	m, err := r.Manifest()
	if err != nil { // Parse has looked
		return nil
	}
	if usual := side.Other().String() + "-ca"; m.Find(usual) != nil {
		return []string{usual}
	}
	for _, c := range m.Certificates {
		if c.CA && c.Issuer == nil && !r.isHidden(c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// change does what happens before a step, in the copy of the folder.
func (r *run) change(ctx context.Context, then *scenario.Then) error {
	err := r.generate(ctx, r.dir, time.Now().Add(-r.World.Age), then.Renew, then.Revoke)
	return about(err, "before the call")
}

// about says what an error is about.
func about(err error, what string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// trust returns the CAs and CRLs under which chains are checked that another
// program has refused.
func (r *run) trust() *chain.Trust {
	pairs, _ := r.pairs(false)
	t := &chain.Trust{CRLs: slices.Collect(maps.Values(pairs.CRLs))}
	for _, name := range slices.Sorted(maps.Keys(pairs.Pairs)) {
		if leaf := pairs.Pairs[name].Leaf; leaf.IsCA {
			t.CAs = append(t.CAs, chain.NamedCA{Name: name, Certificate: leaf})
		}
	}
	return t
}
