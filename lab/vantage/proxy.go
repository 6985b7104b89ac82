package vantage

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

const (
	passFix  = "for mutual TLS from end to end, let it pass TLS through (nginx: stream; HAProxy: mode tcp); or "
	endedFix = passFix + "give it a client certificate of its own for the server, and have it hand on what the client showed in a header"
	ownFix   = passFix + "have it hand on what the client showed in a header" // it has a certificate
)

// fixOf says what to change where something ends TLS.
func fixOf(p *Pair) string {
	if leafAt(p.Ends.Server, endpoint.Client) != nil {
		return ownFix
	}
	return endedFix
}

// apart describes something that ends TLS.
func (r *Report) apart(p *Pair) {
	near, far := p.Ends.Client, p.Ends.Server
	how := Probably
	if !p.Sure {
		how = Unknown
	}
	own := "with other randoms"
	if near.ClientRandom != nil && bytes.Equal(near.ClientRandom, far.ClientRandom) {
		how, own = "", "with the client's ClientHello, which it has answered itself"
	}
	where := fmt.Sprintf("%s, and %s (%s)", r.stream(p, endpoint.Client), r.stream(p, endpoint.Server), p.Evidence)
	header := proxyHeader(far)
	switch {
	case header != "" && !isPlain(near) && (how == Unknown || near.NoSYN || near.Gaps.Client):
		p.found(ProxyLine, Unknown, "", "the server's connection begins with a line of the PROXY protocol (%s), and whether it belongs to the client's is not certain: %s", header, where)
	case header != "" && !isPlain(near):
		p.found(ProxyLine, how, fixOfHeader(far), "the server's connection begins with a line of the PROXY protocol, which the client did not send: a load balancer on the way has put it before TLS (%s): %s", header, where)
	case isPlain(far) != isPlain(near) && how == Unknown:
		p.found(PlainBehind, how, r.toKnow(p), "something between the two may speak TLS with one end and none with the other: %s. Another client may as well have made that one", where)
	case isPlain(far) && !isPlain(near):
		p.found(PlainBehind, how, endedFix, "something between the two ends TLS and calls the server without TLS: %s. Nothing of the client's certificate gets to the server but by a header", where)
	case isPlain(near) && !isPlain(far):
		p.found(PlainBehind, how, "", "something between the two begins TLS for a client that speaks without: %s", where)
	case isPlain(near):
		p.found(NoTLS, how, "", "neither end speaks TLS: %s", where)
	case how == Unknown:
		p.found(TLSEnded, how, r.toKnow(p), "something between the two may end TLS and call the server on a connection of its own: %s. Another client may as well have made that one", where)
		r.differentCertificates(p)
	default:
		p.found(TLSEnded, how, fixOf(p), "something between the two ends TLS and calls the server on a connection of its own, %s: %s. %s", own, where, terms(near, far))
		r.serverCertificates(p, how)
		r.clientCertificates(p, how)
	}
}

// isPlain reports whether a client speaks something else than TLS.
func isPlain(c *tlsdecrypt.Connection) bool {
	return c.ClientRandom == nil && c.NotTLSFrom == endpoint.Client
}

// terms says what was negotiated on either side of a proxy.
func terms(near, far *tlsdecrypt.Connection) string {
	of := func(c *tlsdecrypt.Connection) string {
		if c.Version == 0 {
			return "no version"
		}
		parts := []string{c.Version.String(), c.CipherSuite.String()}
		if c.ALPN != "" {
			parts = append(parts, c.ALPN)
		}
		return strings.Join(parts, ", ")
	}
	said := "The client has " + of(near) + " with it"
	if a, b := of(near), of(far); a == b {
		said += ", and so has the server"
	} else {
		said += ", the server " + b
	}
	switch {
	case near.ServerName != "" && far.ServerName == "":
		said += fmt.Sprintf("; it asks the server for no name, where the client asked for %q", near.ServerName)
	case near.ServerName != far.ServerName:
		said += fmt.Sprintf("; it asks the server for %q, where the client asked for %q", far.ServerName, near.ServerName)
	}
	return said
}

// serverCertificates compares what the client was shown with what the server
// sent.
func (r *Report) serverCertificates(p *Pair, how How) {
	nearLeaf, farLeaf := leafAt(p.Ends.Client, endpoint.Server), leafAt(p.Ends.Server, endpoint.Server)
	switch {
	case nearLeaf == nil || farLeaf == nil:
		p.found(Unseen, Unknown, "", "whether the client was shown the server's own certificate is not known, because %s", r.whyNoCertificate(p))
	case bytes.Equal(nearLeaf.Raw, farLeaf.Raw):
		p.found(KeyShared, how, "", "the client was shown the server's own certificate, %s: what ends TLS has its key, too", chain.Name(nearLeaf))
	case sameNames(nearLeaf, farLeaf) && bytes.Equal(nearLeaf.RawIssuer, farLeaf.RawIssuer):
		p.found(CertificateReplaced, how, "", "the client was not shown the server's certificate but another one for the same names, %s, which the same CA has issued: %s. What ends TLS has been given its own", chain.Name(nearLeaf), dn.Issuer(nearLeaf))
	case sameNames(nearLeaf, farLeaf):
		p.found(CertificateReplaced, how, fmt.Sprintf("a client that trusts the server's CA alone refuses it: give it the CA %s, or have the proxy leave these connections alone", dn.Issuer(nearLeaf)),
			"the client was not shown the server's certificate but another one for the same names: %s, issued by %s, where the server sent one issued by %s. A proxy that forges certificates does that, and one that was given its own for these names", chain.Name(nearLeaf), dn.Issuer(nearLeaf), dn.Issuer(farLeaf))
	default:
		p.found(CertificateReplaced, how, "", "the client was shown another certificate than the server's: %s, issued by %s, where the server sent %s, issued by %s", chain.Name(nearLeaf), dn.Issuer(nearLeaf), chain.Name(farLeaf), dn.Issuer(farLeaf))
	}
}

// differentCertificates says that the two ends have seen different certificates
// of the server, whether they belong together or not.
func (r *Report) differentCertificates(p *Pair) {
	near, far := leafAt(p.Ends.Client, endpoint.Server), leafAt(p.Ends.Server, endpoint.Server)
	if near == nil || far == nil || bytes.Equal(near.Raw, far.Raw) {
		return
	}
	both := ""
	if name := p.Ends.Client.ServerName; name != "" && near.VerifyHostname(name) == nil && far.VerifyHostname(name) == nil {
		both = fmt.Sprintf(", both for %s", name)
	}
	p.found(CertificateReplaced, Unknown, "", "if the two belong together, what is between them shows a certificate of its own: the client was shown %s, issued by %s, and the server sends %s, issued by %s%s",
		chain.Name(near), dn.Issuer(near), chain.Name(far), dn.Issuer(far), both)
}

// toKnow says how to find out whether two connections belong together: by the
// HTTP requests, which keys open.
func (r *Report) toKnow(p *Pair) string {
	var sealed []string
	for side, end := range p.Ends.All() {
		if !isPlain(*end) && len(requestsOf(*end)) == 0 {
			sealed = append(sealed, r.name(side))
		}
	}
	programs := "the program there"
	switch len(sealed) {
	case 0:
		return ""
	case 2:
		programs = "the programs there"
	}
	return fmt.Sprintf("record %s again, with the keys of %s (SSLKEYLOGFILE, or lab exec -- PROGRAM): then the HTTP requests at the two ends can be compared",
		text.Joined(sealed, "and"), programs)
}

// clientCertificates says what becomes of the client's certificate.
func (r *Report) clientCertificates(p *Pair, how How) {
	shown, passed := leafAt(p.Ends.Client, endpoint.Client), leafAt(p.Ends.Server, endpoint.Client)
	_, farMessage := certificateOf(p.Ends.Server, endpoint.Client)
	asked := p.Ends.Server.ClientAuth
	switch {
	case passed != nil && shown != nil && bytes.Equal(passed.Raw, shown.Raw):
		p.found(KeyShared, how, "", "the server was shown the client's own certificate, %s: what ends TLS has its key, too", chain.Name(shown))
	case passed != nil:
		said := "no certificate of the client's was seen"
		if shown != nil {
			said = "the client showed " + chain.Name(shown)
		}
		p.found(ClientCertificate, how, ownFix, "the server knows what is in between, and not the client: it was shown %s; %s", chain.Name(passed), said)
	case shown != nil && asked && farMessage != nil:
		p.found(ClientCertificate, how, endedFix, "the certificate of the client, %s, does not get to the server: the server asked for one and got none", chain.Name(shown))
	case shown != nil && p.Ends.Server.AskedForNone():
		p.found(ClientCertificate, how, endedFix, "the certificate of the client, %s, does not get to the server, which asked for none", chain.Name(shown))
	case asked && farMessage != nil:
		p.found(ClientCertificate, how, endedFix, "the server asked for a client certificate and got none: what ends TLS shows none of its own")
	}
}

// whyNoCertificate says why the server's certificate cannot be seen at one end,
// or at both, as a clause.
func (r *Report) whyNoCertificate(p *Pair) string {
	const (
		encrypted = "TLS 1.3 encrypts certificates, and there are no keys for %s"
		resumed   = "without certificates an earlier session was resumed in %s"
		lacking   = "there is none in %s"
	)
	streams := make(map[string][]string)
	for side, end := range p.Ends.All() {
		c, why := *end, lacking
		switch {
		case leafAt(c, endpoint.Server) != nil:
			continue
		case c.Progress().Hidden && c.Version >= tlswire.VersionTLS13:
			why = encrypted
		case c.Resumption != tlsdecrypt.FullHandshake:
			why = resumed
		}
		streams[why] = append(streams[why], r.stream(p, side))
	}
	var clauses []string
	for _, why := range []string{encrypted, resumed, lacking} {
		if in := streams[why]; len(in) > 0 {
			clauses = append(clauses, fmt.Sprintf(why, text.Joined(in, "and")))
		}
	}
	return text.Joined(clauses, "and")
}

// leafAt returns the certificate that a side showed on a connection; nil: none
// is to be seen.
func leafAt(c *tlsdecrypt.Connection, side endpoint.Side) *x509.Certificate {
	ders, _ := certificateOf(c, side)
	if len(ders) == 0 {
		return nil
	}
	leaf, err := tlswire.ParseCertificate(ders[0])
	if err != nil {
		return nil
	}
	return leaf
}

// sameNames reports whether two certificates are for the same hosts.
func sameNames(a, b *x509.Certificate) bool {
	names := func(c *x509.Certificate) []string {
		all := slices.Clone(c.DNSNames)
		for _, ip := range c.IPAddresses {
			all = append(all, ip.String())
		}
		if len(all) == 0 {
			all = append(all, c.Subject.CommonName)
		}
		slices.Sort(all)
		return all
	}
	return slices.Equal(names(a), names(b))
}
