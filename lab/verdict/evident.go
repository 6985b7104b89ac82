package verdict

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// What the capture itself shows of a possible cause. Such a cause comes before
// those that nothing speaks for.

// evident returns what the capture shows that speaks for a cause of a refusal by
// a side, as a clause; "": nothing.
func (w *wire) evident(s *suspect, by endpoint.Side) string {
	other := w.shown.Of(by.Other())
	if other.leaf == nil {
		return ""
	}
	whose := "the " + by.Other().String() + "'s certificate"
	switch s {
	case weakKey, weakSignature:
		if weak := other.weak(by.Other(), s.code); weak != nil {
			return weak.Of(whose, other.leaf)
		}
	case unknownCA:
		if gap := chain.GapIn(chain.Question{DERs: other.ders, Of: by.Other()}); gap != nil {
			return gap.Issuer() + ", which issued " + chain.Name(gap.Below) + ", was not sent along: " + gap.Instead()
		}
	case chainTooLong:
		path, ok := chain.PathOf(chain.Question{DERs: other.ders, Of: by.Other()})
		if !ok || by != endpoint.Server {
			return ""
		}
		if n := path.Between(); n > 1 {
			return fmt.Sprintf("%s was sent with %d intermediate CAs, which may be more than the server allows: nginx takes 1 unless ssl_verify_depth is %d, Apache none unless SSLVerifyDepth is %d", whose, n, n, n+1)
		}
	case noSAN:
		if !hasNames(other) {
			return whose + " has no subject alternative name, and newer programs do not go by its common name"
		}
	case crlStale:
		for _, doubt := range other.doubts {
			if doubt.Code == chain.CRLStale {
				return doubt.Text
			}
		}
	case wrongUsage:
		if chain.Forbids(other.leaf, usageOf(by.Other())) {
			return whose + " is not for authenticating a " + by.Other().String() + " (extended key usage)"
		}
	case wrongHost:
		if w.ServerName != "" && hasNames(other) && other.leaf.VerifyHostname(w.ServerName) != nil && !w.mayHideName() {
			return whose + " is not for " + w.ServerName + ", which the client called (server_name)"
		}
		if host := w.ProxiedHost(); w.namesNoHost() && host != "" && hasNames(other) && other.leaf.VerifyHostname(host) != nil {
			return whose + " is not for " + host + ", which the client asked the proxy for"
		}
		if w.namesNoHost() && hasNames(other) && w.isCalledByAddress() {
			said := "the client named no host (server_name), as one does that calls an IP address, and "
			if m := w.misnomer(); m != nil {
				return said + "in the server's certificate " + m.Name + " is a DNS name: clients look for an address among the IP addresses"
			}
			if w.Server.Addr().IsLoopback() && !slices.ContainsFunc(other.leaf.DNSNames, isDotless) {
				return fmt.Sprintf("the client named no host (server_name), as one does that calls an IP address, or in Java a name without a dot (localhost), and the server's certificate has neither %v nor such a name", w.Server.Addr().Unmap())
			}
			return fmt.Sprintf("%s%v is not in the server's certificate", said, w.Server.Addr().Unmap())
		}
	}
	return ""
}

// isDotless reports whether the name of a host has no dot: Java sends no
// server_name for those.
func isDotless(name string) bool { return !strings.Contains(name, ".") }

// weak returns what is weak in a chain and has a code; nil: nothing.
func (c *certificate) weak(of endpoint.Side, code Code) *chain.Fault {
	for _, weak := range chain.Weaknesses(chain.Question{DERs: c.ders, Of: of}) {
		if weak.Code == code {
			return weak
		}
	}
	return nil
}

// hasNames reports whether a certificate has names of hosts that count (RFC 9525
// section 6.3).
func hasNames(c *certificate) bool { return len(c.leaf.DNSNames)+len(c.leaf.IPAddresses) > 0 }

// hasCAsAbove reports whether CAs that are no roots were sent along.
func (c *certificate) hasCAsAbove() bool {
	if c.leaf == nil || len(c.ders) < 2 {
		return false
	}
	return slices.ContainsFunc(c.ders[1:], func(der []byte) bool {
		cert, err := tlswire.ParseCertificate(der)
		return err == nil && !chain.IsSelfIssued(cert)
	})
}

// isCalledByAddress reports whether the client named no host, as one does that
// calls an IP address (RFC 6066 section 3), and the server's certificate is not
// for its address.
func (w *wire) isCalledByAddress() bool {
	leaf := w.shown.Server.leaf
	return w.calledHost() == "" && leaf != nil && w.Server.IsValid() && leaf.VerifyHostname(w.Server.Addr().Unmap().String()) != nil
}

// misnomer returns the name in the server's certificate that was meant for its
// address, where the client calls that; nil: there is none.
func (w *wire) misnomer() *chain.Misnomer {
	if !w.isCalledByAddress() {
		return nil
	}
	return chain.MisnomerOf(w.shown.Server.leaf, w.Server.Addr().Unmap().String())
}

// calledHost returns the host that the client called, "" if that is not known.
func (w *wire) calledHost() string { return cmp.Or(w.ServerName, w.ProxiedHost()) }

// namesNoHost reports whether ClientHello was seen, and has no server_name.
func (w *wire) namesNoHost() bool {
	return w.hello != nil && w.ServerName == "" && !tlswire.Has(w.hello.Extensions, tlswire.ExtensionServerName) && !w.mayHideName()
}

// mayHideName reports whether the true name may be in a hidden ClientHello.
func (w *wire) mayHideName() bool {
	return w.hello != nil && tlswire.Has(w.hello.Extensions, tlswire.ExtensionEncryptedClientHello)
}

// usageOf returns the extended key usage that a side's certificate must have.
func usageOf(side endpoint.Side) x509.ExtKeyUsage {
	if side == endpoint.Client {
		return x509.ExtKeyUsageClientAuth
	}
	return x509.ExtKeyUsageServerAuth
}

// leftUnsigned reports whether the server has shown its certificate, and broken
// off where it should have signed with its key.
func (w *wire) leftUnsigned(by endpoint.Side) bool {
	if by != endpoint.Server || !w.answered || !w.shown.Server.seen || w.shown.Server.empty || w.Hidden || w.Lacking {
		return false
	}
	signs := w.Version >= tlswire.VersionTLS13 || strings.HasSuffix(string(w.CipherSuite.Info().KeyExchange), "DHE")
	return signs && !slices.ContainsFunc(w.Messages, func(m *tlsdecrypt.Message) bool {
		if m.Handshake == nil {
			return false
		}
		switch m.Body().(type) {
		case *tlswire.ServerKeyExchange, *tlswire.CertificateVerify, *tlswire.ServerHelloDone, *tlswire.Finished, *tlswire.ClientKeyExchange:
			return true
		}
		return false
	})
}

// unsigned returns the cause of a server that does not sign: its key makes no
// signature that the client takes, or may make none.
func (w *wire) unsigned() *suspect {
	key := chain.Key(w.shown.Server.leaf)
	if fits := w.fittingScheme(); fits != "" {
		return &suspect{NoCommonSignature, fmt.Sprintf("the server cannot or may not sign with this key: the client takes %s, which fits the key (%s), so that it is a restriction of the server's own, or a key that it cannot use", fits, key),
			"the server's log and settings (signature algorithms, OpenSSL: SignatureAlgorithms), and where its key is kept"}
	}
	said := "the client takes no signature that the server's key can make"
	if key != "" {
		said += " (" + key + ")"
	}
	return &suspect{NoCommonSignature, said, noSignature.tell}
}

// fittingScheme names the first signature algorithm that the client takes, and
// that fits the server's key; "": there is none.
func (w *wire) fittingScheme() string {
	if w.shown.Server.leaf == nil || w.hello == nil {
		return ""
	}
	for _, scheme := range w.offer().SignatureSchemes {
		if name := scheme.String(); !strings.HasSuffix(name, "_sha1") && chain.Fits(w.shown.Server.leaf, name, w.Version >= tlswire.VersionTLS13) {
			return name
		}
	}
	return ""
}

// addEvident names in the reason of a refusal that gives none what the capture
// shows that speaks for one cause.
func (w *wire) addEvident(why *Reason, by endpoint.Side) {
	const onlyLog = ", and only its own log knows why"
	if why.Code != RefusedByCertificate || len(why.Causes) == 0 {
		return
	}
	for _, s := range []*suspect{weakKey, weakSignature, noSAN, wrongHost, wrongUsage, crlStale} {
		if said := w.evident(s, by); said != "" && why.Causes[0].Text == said {
			why.Text = strings.TrimSuffix(why.Text, onlyLog) + ", and gives no reason; yet " + said
			how := fix(s.code, by)
			if m := w.misnomer(); s == wrongHost && m != nil {
				how = m.Fix()
			}
			why.Fix = how + "; whether that is the reason, the log of the " + by.String() + " knows"
			return
		}
	}
}

// behindGood puts what is about CAs behind the rest, where a chain holds under
// the CAs that the other side is known to trust.
func behindGood(list []*suspect) []*suspect {
	aboutCA := func(s *suspect) bool { return s == unknownCA || s == lookAlikeCA || s == selfSigned }
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b *suspect) int {
		switch {
		case aboutCA(a) == aboutCA(b):
			return 0
		case aboutCA(a):
			return 1
		}
		return -1
	})
	return list
}
