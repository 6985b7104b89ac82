package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ocsp"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/fault"
	"mtlslab.example/lab/lab/tlswire"
)

// Offers are what a server offers. Its JSON form is part of the command line's
// contract.
type Offers struct {
	Versions   []string            `json:"versions"`              // "TLS 1.3"
	Suites     map[string][]string `json:"cipher_suites"`         // by version, in the order of preference, as far as the server has one
	Groups     []string            `json:"groups"`                // of the newest version
	ALPN       []string            `json:"alpn"`                  // protocols that it selects
	Chain      []Link              `json:"chain"`                 // that it shows, its own certificate first
	Holds      string              `json:"holds"`                 // under which of the CAs, and for which host
	Resumption map[string]string   `json:"resumption"`            // by version: "psk", "ticket" or "none"
	EarlyData  uint32              `json:"early_data,omitempty"`  // bytes that a client may send with a ticket before the handshake (0-RTT); 0: none
	OCSP       string              `json:"ocsp_staple,omitempty"` // "good", "revoked", "unknown" or that it cannot be read; "": none
	Requests   map[string]*Request `json:"certificate_requests"`  // by version; nil: none
}

// Link is a certificate of a chain.
type Link struct {
	Subject  string    `json:"subject"`
	Issuer   string    `json:"issuer"`
	Key      string    `json:"key"`
	NotAfter time.Time `json:"not_after"`
}

// offersCase is the name by which --only and --skip call the offers.
const offersCase = "offers"

// chunk is how many cipher suites are offered at a time. crypto/tls has as many
// places in each of its ClientHellos.
const chunk = 8

// oldSuites are those of TLS 1.2 that are asked for, in chunks: what
// crypto/tls, OpenSSL and Java have.
var oldSuites = []tlswire.CipherSuite{
	0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc0ac, 0xc0ad,
	0xc023, 0xc027, 0xc024, 0xc028, 0xc009, 0xc013, 0xc00a, 0xc014,
	0x009e, 0x009f, 0xccaa, 0x0067, 0x006b, 0x0033, 0x0039, 0xc09e,
	0x009c, 0x009d, 0x003c, 0x003d, 0x002f, 0x0035, 0xc09c, 0xc09d,
	0xc012, 0x000a, 0x0016, 0xc011, 0x0005, 0x0004, 0x003b, 0xc05c,
}

// suites13 are those of TLS 1.3 (RFC 9846 section B.4).
var suites13 = []tlswire.CipherSuite{0x1301, 0x1302, 0x1303, 0x1304, 0x1305}

// protocols are those of ALPN that are asked for.
var protocols = []string{"h2", "http/1.1", "http/1.0", "acme-tls/1", "postgresql", "imap", "pop3", "smtp", "ftp", "xmpp-client"}

var offeredGroups = []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}

// mostOffers is how many connections it takes at most to find out what is
// offered, in one version.
func mostOffers(versions int) int {
	return 2 + versions*2 + len(oldSuites) + len(oldSuites)/chunk + len(suites13) + 1 + len(protocols) + 1 + len(offeredGroups)
}

// survey finds out what the server offers.
func (p *prober) survey(ctx context.Context, good *outcome) *Offers {
	o := &Offers{Suites: map[string][]string{}, ALPN: []string{}, Groups: []string{}, Resumption: map[string]string{}, Requests: map[string]*Request{}}
	o.readChain(p, good)
	newest := p.versions[len(p.versions)-1]
	var mu sync.Mutex
	var all sync.WaitGroup
	do := func(what func() func()) { // what finds out, and returns what notes it
		all.Go(func() {
			note := what()
			mu.Lock()
			defer mu.Unlock()
			note()
		})
	}
	old := make([]bool, 2)
	for i, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		do(func() func() {
			x := p.try(ctx, attempt{note: noteOf("is it spoken", version), version: version}).Exchange
			return func() { old[i] = x != nil && x.Wire != nil && x.Wire.Version == tlswire.Version(version) }
		})
	}
	suites := map[uint16][][]tlswire.CipherSuite{}
	for _, version := range p.versions {
		name := tlswire.Version(version).String()
		o.Requests[name] = p.requests[version]
		asked := slices.Collect(slices.Chunk(oldSuites, chunk))
		if version == tls.VersionTLS13 {
			asked = [][]tlswire.CipherSuite{suites13}
		}
		suites[version] = make([][]tlswire.CipherSuite, len(asked))
		for i, these := range asked {
			do(func() func() {
				found := p.surveySuites(ctx, version, these)
				return func() { suites[version][i] = found }
			})
		}
		do(func() func() {
			how := p.surveyResumption(ctx, version)
			return func() { o.Resumption[name] = how }
		})
	}
	do(func() func() {
		found := p.surveyALPN(ctx, newest)
		return func() { o.ALPN = append(o.ALPN, found...) }
	})
	groups := make([]bool, len(offeredGroups))
	for i, group := range offeredGroups {
		do(func() func() {
			x := p.try(ctx, attempt{note: noteOf("the group "+tlswire.NamedGroup(group).String(), newest), version: newest, groups: []tls.CurveID{group}}).Exchange
			return func() { groups[i] = x != nil && x.Wire != nil && x.Wire.Group == tlswire.NamedGroup(group) }
		})
	}
	all.Wait()
	for i, spoken := range old {
		if spoken {
			o.Versions = append(o.Versions, []string{"TLS 1.0", "TLS 1.1"}[i])
		}
	}
	for _, version := range p.versions {
		name := tlswire.Version(version).String()
		o.Versions = append(o.Versions, name)
		o.Suites[name] = tlswire.Names(slices.Concat(suites[version]...))
	}
	for i, offered := range groups {
		if offered {
			o.Groups = append(o.Groups, tlswire.NamedGroup(offeredGroups[i]).String())
		}
	}
	return o
}

// surveySuites returns which of some cipher suites the server takes, in its
// order: it is offered them without those that it has taken, until it takes
// none.
func (p *prober) surveySuites(ctx context.Context, version uint16, asked []tlswire.CipherSuite) (taken []tlswire.CipherSuite) {
	left := slices.Clone(asked)
	for len(left) > 0 && ctx.Err() == nil {
		offered := make([]uint16, len(left))
		for i, suite := range left {
			offered[i] = uint16(suite)
		}
		x := p.try(ctx, attempt{note: noteOf(fmt.Sprintf("%d cipher suites", len(left)), version), version: version, wrap: fault.Offer(offered)}).Exchange
		if x == nil || x.Wire == nil || x.Wire.CipherSuite == 0 || !slices.Contains(left, x.Wire.CipherSuite) {
			break
		}
		taken = append(taken, x.Wire.CipherSuite)
		left = slices.DeleteFunc(left, func(s tlswire.CipherSuite) bool { return s == x.Wire.CipherSuite })
	}
	return taken
}

// surveyALPN does the same for protocols.
func (p *prober) surveyALPN(ctx context.Context, version uint16) (taken []string) {
	left := slices.Clone(protocols)
	for len(left) > 0 && ctx.Err() == nil {
		x := p.try(ctx, attempt{note: noteOf("ALPN", version), version: version, alpn: left}).Exchange
		if x == nil || x.Wire == nil || !slices.Contains(left, x.Wire.ALPN) {
			break
		}
		taken = append(taken, x.Wire.ALPN)
		left = slices.DeleteFunc(left, func(s string) bool { return s == x.Wire.ALPN })
	}
	return taken
}

// surveyResumption returns how a session of the good certificate is resumed.
func (p *prober) surveyResumption(ctx context.Context, version uint16) string {
	a := attempt{note: noteOf("a session to resume", version), version: version, show: p.good}
	client, err := p.newClient(&a, true)
	if err != nil {
		return "none"
	}
	a.client = client
	if p.try(ctx, a).response == nil {
		return "none"
	}
	if x := p.try(ctx, a).Exchange; x != nil && x.TLS.Resumed && x.Wire != nil {
		return string(x.Wire.Resumption)
	}
	return "none"
}

// readChain reads the server's certificates.
func (o *Offers) readChain(p *prober, good *outcome) {
	if good.Exchange == nil || good.Exchange.Wire == nil {
		return
	}
	var ders [][]byte
	var staple []byte
	for _, m := range good.Exchange.Wire.Messages {
		if m.From != endpoint.Server || m.Handshake == nil {
			continue
		}
		if sent, ok := m.Certificates(); ok {
			ders = sent
		}
		switch body := m.Body().(type) {
		case *tlswire.NewSessionTicket:
			if early, ok := tlswire.Lookup[*tlswire.MaxEarlyDataSize](body.Extensions, tlswire.ExtensionEarlyData); ok {
				o.EarlyData = early.Size
			}
		case *tlswire.CertificateStatus:
			staple = body.Response
		case *tlswire.Certificate:
			if len(body.Entries) > 0 {
				if s, ok := tlswire.Lookup[*tlswire.CertificateStatus](body.Entries[0].Extensions, tlswire.ExtensionStatusRequest); ok {
					staple = s.Response
				}
			}
		}
	}
	var certificates []*x509.Certificate
	for _, der := range ders {
		c, err := tlswire.ParseCertificate(der)
		if err != nil {
			break
		}
		certificates = append(certificates, c)
		o.Chain = append(o.Chain, Link{Subject: chain.Name(c), Issuer: dn.Issuer(c), Key: chain.Key(c), NotAfter: c.NotAfter.UTC()})
	}
	if len(certificates) == 0 {
		return
	}
	host := p.target.host()
	v, err := p.trust.Verify(chain.Question{DERs: ders, Of: endpoint.Server, Host: host}, good.Exchange.Time)
	if err == nil {
		o.Holds = "under " + v.Under + ", for " + host
	}
	if len(staple) > 0 {
		o.OCSP = stapled(staple, certificates, good.Exchange.Time)
	}
}

// stapled says what an OCSP response says of the first of a chain.
func stapled(response []byte, certificates []*x509.Certificate, now time.Time) string {
	var issuer *x509.Certificate
	if len(certificates) > 1 {
		issuer = certificates[1]
	}
	r, err := ocsp.ParseResponseForCert(response, certificates[0], issuer)
	var refused ocsp.ResponseError
	switch {
	case errors.As(err, &refused):
		return "an error: " + refused.Status.String()
	case err != nil:
		return "one that cannot be read"
	}
	said := map[int]string{ocsp.Good: "good", ocsp.Revoked: "revoked", ocsp.Unknown: "unknown"}[r.Status]
	switch { // RFC 6960 section 4.2.2.1
	case r.ThisUpdate.After(now):
		said += ", but only from " + r.ThisUpdate.UTC().Format(time.DateTime) + " UTC on"
	case !r.NextUpdate.IsZero() && r.NextUpdate.Before(now):
		said += ", but only until " + r.NextUpdate.UTC().Format(time.DateTime) + " UTC"
	}
	return said
}
