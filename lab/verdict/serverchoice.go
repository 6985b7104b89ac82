package verdict

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"
	"slices"
	"sort"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// Taken are what servers have taken on connections that were seen, for the
// connections on which they refuse what they are offered. The zero value knows
// nothing. It is for one goroutine at a time.
type Taken struct {
	by    map[host]*Chosen
	named map[string]*Chosen // by address: the first with a name that the server did not warn of
}

// host is a server by address and the name that it was asked for: by name, it
// may have other settings.
type host struct{ addr, name string }

// Chosen is what a server has taken on a connection.
type Chosen struct {
	host       host
	connection int
	offer      tlswire.Offer
	curve      tlswire.NamedGroup // of its certificate's key, which a client of TLS 1.2 must name, too (RFC 8422 section 5.1); 0: none
	warned     bool               // the server has no host of that name (RFC 6066 section 3)
}

// mostHosts bounds the memory of Taken.
const mostHosts = 4096

// ChosenOn returns what the server of a connection has chosen; nil: nothing, or
// that was in an earlier session.
func ChosenOn(c *tlsdecrypt.Connection) *Chosen {
	if c.Version == 0 || c.Resumption != tlsdecrypt.FullHandshake || !c.Server.IsValid() {
		return nil
	}
	o := tlswire.Offer{Versions: []tlswire.Version{c.Version}, CipherSuites: []tlswire.CipherSuite{c.CipherSuite}}
	if c.Group != 0 {
		o.Groups = []tlswire.NamedGroup{c.Group}
	}
	if c.ALPN != "" {
		o.ALPN = []string{c.ALPN}
	}
	warned, curve := false, tlswire.NamedGroup(0)
	for _, m := range c.Messages {
		if m.From == endpoint.Server && m.Alert != nil && m.Alert.Description == tlswire.AlertUnrecognizedName {
			warned = true
		}
		if m.From != endpoint.Server || m.Handshake == nil {
			continue
		}
		switch body := m.Body().(type) {
		case *tlswire.CertificateVerify:
			o.SignatureSchemes = []tlswire.SignatureScheme{body.Algorithm}
		case *tlswire.ServerKeyExchange:
			if body.Signed != nil && !body.Signed.Legacy {
				o.SignatureSchemes = []tlswire.SignatureScheme{body.Signed.Algorithm}
			}
		case *tlswire.CertificateTLS12:
			curve = curveOf(body.Certificates)
		}
	}
	return &Chosen{hostOn(c), c.Number, o, curve, warned}
}

// curveOf returns the curve of the key of a chain's first certificate; 0: it is
// another key, or cannot be read.
func curveOf(ders [][]byte) tlswire.NamedGroup {
	if len(ders) == 0 {
		return 0
	}
	cert, err := tlswire.ParseCertificate(ders[0])
	if err != nil {
		return 0
	}
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); ok {
		return map[elliptic.Curve]tlswire.NamedGroup{elliptic.P256(): tlswire.GroupSecp256r1, elliptic.P384(): tlswire.GroupSecp384r1, elliptic.P521(): tlswire.GroupSecp521r1}[key.Curve]
	}
	return 0
}

func hostOn(c *tlsdecrypt.Connection) host {
	return host{c.Server.String(), strings.ToLower(c.ServerName)}
}

// Learn remembers what a server has chosen; nil: nothing.
func (t *Taken) Learn(c *Chosen) {
	if c == nil || len(t.by) >= mostHosts || t.by[c.host] != nil {
		return
	}
	if t.by == nil {
		t.by, t.named = make(map[host]*Chosen), make(map[string]*Chosen)
	}
	t.by[c.host] = c
	if c.host.name != "" && !c.warned && t.named[c.host.addr] == nil {
		t.named[c.host.addr] = c
	}
}

// IsOpen reports whether a verdict may be another one by what the server has
// taken on other connections.
func (t *Taken) IsOpen(v *Verdict) bool {
	return v.Offers != nil && v.Offers.Server == nil || v.Code == UnrecognizedName
}

// addName adds to the verdict on a client that called a server by a name which
// it does not have a name that it has.
func (t *Taken) addName(v *Verdict, c *tlsdecrypt.Connection) bool {
	known := t.named[hostOn(c).addr]
	if known == nil || known.host.name == hostOn(c).name {
		return false
	}
	v.Reason += fmt.Sprintf("; on connection %d it took the name %s", known.connection, known.host.name)
	v.Fix = fmt.Sprintf("call the server by %s (openssl s_client -servername, curl by the URL: --connect-to says where to connect), or add the name to the server's configuration", known.host.name)
	return true
}

// Add adds to the verdict on a connection what its server has taken on another
// one, if nothing is known of it yet. The causes that this rules out are left
// out, and those that it points at come first. It reports whether it changed
// the verdict.
func (t *Taken) Add(v *Verdict, c *tlsdecrypt.Connection) bool {
	switch {
	case v.Code == UnrecognizedName:
		return t.addName(v, c)
	case !t.IsOpen(v):
		return false
	}
	known := t.by[hostOn(c)]
	if known == nil {
		return false
	}
	offers := *v.Offers
	offers.Server, offers.From = &known.offer, &known.connection
	v.Offers = &offers
	groups := known.offer.Groups
	if known.curve != 0 && offersECDSA(offers.Client) {
		groups = append(slices.Clip(groups), known.curve)
	}
	v.Causes = weigh(v.Causes, offers, groups)
	return true
}

// weigh sorts causes by what a server has taken from another client: what this
// client offers too is no cause, what it does not is the likeliest one. A server
// chooses the version first, and the rest for that version. groups are those
// that it wants named, with the curve of its key.
func weigh(causes []Cause, o Offers, groups []tlswire.NamedGroup) []Cause {
	weights := map[Code]int{NoCommonVersion: weight(o.Client.Versions, o.Server.Versions)}
	if weights[NoCommonVersion] == likely && !slices.ContainsFunc(o.Server.Versions, func(v tlswire.Version) bool { return !o.Client.HasVersion(v) }) {
		weights[NoCommonVersion] = ruledOut
	}
	if len(o.Server.Versions) > 0 && o.Client.Newest() == o.Server.Versions[0] {
		weights[NoCommonCipherSuite] = weight(o.Client.CipherSuites, o.Server.CipherSuites)
		weights[NoCommonGroup] = weight(o.Client.Groups, groups)
		weights[NoCommonSignature] = weight(o.Client.SignatureSchemes, o.Server.SignatureSchemes)
	}
	causes = slices.DeleteFunc(slices.Clone(causes), func(c Cause) bool { return weights[c.Code] == ruledOut })
	sort.SliceStable(causes, func(i, j int) bool { return weights[causes[i].Code] > weights[causes[j].Code] })
	return causes
}

// What is known of a cause.
const (
	ruledOut = iota - 1
	open
	likely
)

// weight says what it means for a cause that a server took values, of those that
// are offered now.
func weight[T comparable](offered, took []T) int {
	switch {
	case len(took) == 0:
		return open
	case slices.ContainsFunc(took, func(v T) bool { return !slices.Contains(offered, v) }):
		return likely
	}
	return ruledOut
}
