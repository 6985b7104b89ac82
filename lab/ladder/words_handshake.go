package ladder

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// handshake says what a handshake message is for.
func (s *story) handshake(m *tlsdecrypt.Message) string {
	p := s.party(m.From)
	switch body := m.Body().(type) {
	case *tlswire.ClientHello:
		if m.From == endpoint.Server {
			return "What the client had sent, back again."
		}
		return s.clientHello(body)
	case *tlswire.ServerHello:
		if body.IsHelloRetryRequest() {
			return helloRetryRequest(body.Extensions)
		}
		return s.serverHello(body)
	case *tlswire.HelloRetryRequest:
		return helloRetryRequest(body.Extensions)
	case *tlswire.EncryptedExtensions:
		if alpn, ok := tlswire.Lookup[*tlswire.ProtocolNameList](body.Extensions, tlswire.ExtensionALPN); ok && len(alpn.Protocols) == 1 {
			return fmt.Sprintf("Chooses %s from the client's offers.", protocol(alpn.Protocols[0]))
		}
		if len(body.Extensions) == 0 {
			return "Empty: nothing more to agree on."
		}
		return "Answers the client's other wishes."
	case *tlswire.CertificateRequest:
		cas, _ := tlswire.Lookup[*tlswire.CertificateAuthorities](body.Extensions, tlswire.ExtensionCertificateAuthorities)
		if cas == nil {
			return s.certificateRequest(nil)
		}
		return s.certificateRequest(cas.Authorities)
	case *tlswire.CertificateRequestTLS12:
		return s.certificateRequest(body.CertificateAuthorities)
	case *tlswire.Certificate:
		return s.certificate(p, m, len(body.Entries))
	case *tlswire.CertificateTLS12:
		return s.certificate(p, m, len(body.Certificates))
	case *tlswire.RawPublicKeyTLS12:
		return bareKey
	case *tlswire.CertificateVerify:
		return fmt.Sprintf("Signs all of the above with the private key of %s%s. %s", p.signer(), by(body.DigitallySigned), proof)
	case *tlswire.ServerKeyExchange:
		return s.serverKeyExchange(body)
	case *tlswire.ClientKeyExchange:
		if body.KeyExchange == tlswire.KeyExchangeRSA {
			return "A secret, encrypted with the server's public key: whoever has the private key, now or later, can read all of this."
		}
		if body.KeyExchange == tlswire.KeyExchangePSK {
			return "Names the key that both sides were given. All keys come from it: whoever has it, now or later, can read all of this."
		}
		return "The client's half of the key agreement. From the two halves each side computes the same secret, and nobody else can."
	case *tlswire.ServerHelloDone:
		return "The server has said its part and waits for the client."
	case *tlswire.Finished:
		if s.client.finished && s.server.finished {
			return fmt.Sprintf("The same from the %s: its checksum over all of the above.", m.From)
		}
		return "A checksum over all of the above, under the new keys: nobody has changed a byte on the way."
	case *tlswire.NewSessionTicket:
		return s.ticket(body.Lifetime)
	case *tlswire.NewSessionTicketTLS12:
		return s.ticket(body.LifetimeHint)
	case *tlswire.KeyUpdate:
		return s.keyUpdate(m, body)
	case *tlswire.EndOfEarlyData:
		return "The early data ends here; the handshake goes on with its own keys."
	}
	return plain(m.Handshake.Purpose())
}

func (s *story) clientHello(hello *tlswire.ClientHello) string {
	var shares []string
	if x, ok := tlswire.KeyShare[*tlswire.KeyShareClientHello](hello.Extensions); ok {
		for _, share := range x.Shares {
			if !share.Group.IsGREASE() {
				shares = append(shares, share.Group.String())
			}
		}
	}
	if s.hellos > 1 && s.c.Retried && !s.server.finished {
		return fmt.Sprintf("The same offer once more, now with the key share that was asked for: %s.", listed(shares))
	}
	if len(shares) > 0 {
		shares[0] = s.explain(shares[0])
	}
	offer := tlswire.OfferOf(hello)
	var said strings.Builder
	if s.again {
		said.WriteString("A new handshake on the same connection. ")
	}
	if x, ok := tlswire.Lookup[*tlswire.ServerNameList](hello.Extensions, tlswire.ExtensionServerName); ok && len(x.Names) > 0 {
		fmt.Fprintf(&said, "Wants to talk to %q. ", short(x.Names[0].Name))
	} else if s.failed() && !ok {
		said.WriteString("Names no host (server_name), as one that calls an IP address. ")
	}
	fmt.Fprintf(&said, "Offers %s, with %s", listed(versionsOf(offer)), text.Counted(len(offer.CipherSuites), "cipher suite"))
	if len(shares) > 0 {
		fmt.Fprintf(&said, ", and %s for %s", plural(len(shares), "a key share", "key shares"), listed(shares))
	}
	if len(offer.ALPN) > 0 {
		var protocols []string
		for _, p := range offer.ALPN {
			protocols = append(protocols, protocol(p))
		}
		fmt.Fprintf(&said, "; would speak %s", strings.Join(protocols[:min(4, len(protocols))], " or "))
	}
	said.WriteString(".")
	said.WriteString(s.narrow(hello))
	psk, hasPSK := tlswire.Lookup[*tlswire.OfferedPSKs](hello.Extensions, tlswire.ExtensionPreSharedKey)
	ticket, hasTicket := tlswire.Lookup[*tlswire.SessionTicket](hello.Extensions, tlswire.ExtensionSessionTicket)
	switch {
	case hasPSK && psk.AreTickets():
		said.WriteString(" Brings the ticket of an earlier session, and a proof (the binder) that it has the secret that goes with it.")
	case hasPSK:
		said.WriteString(" Names a key that both sides were given beforehand (PSK), with a proof (the binder) that it has it.")
	case hasTicket && len(ticket.Ticket) > 0:
		said.WriteString(" Brings a ticket of an earlier session, to take it up again.")
	}
	if tlswire.Has(hello.Extensions, tlswire.ExtensionEncryptedClientHello) {
		said.WriteString(" Another ClientHello, with the true name, may be encrypted in this one (ECH).")
	}
	if tlswire.Has(hello.Extensions, tlswire.ExtensionEarlyData) {
		said.WriteString(" Sends its first data at once, before any answer.")
	}
	return said.String()
}

// versionsOf lists the versions that a client offers: "TLS 1.3", "1.2".
func versionsOf(offer tlswire.Offer) []string {
	versions := tlswire.Names(offer.Versions)
	for i := range versions[min(1, len(versions)):] {
		versions[i+1] = strings.TrimPrefix(versions[i+1], "TLS ")
	}
	return versions
}

// explain says once what a group is that has a long name.
func (s *story) explain(group string) string {
	if !strings.HasSuffix(group, "MLKEM768") || s.explained {
		return group
	}
	s.explained = true
	return group + " (a key agreement that also resists quantum computers)"
}

func helloRetryRequest(extensions []tlswire.Extension) string {
	if x, ok := tlswire.KeyShare[*tlswire.KeyShareHelloRetryRequest](extensions); ok {
		return fmt.Sprintf("Can use none of these key shares: asks for one for %s.", x.SelectedGroup)
	}
	return "Asks the client to say hello once more, with the cookie it is given here."
}

func (s *story) serverHello(hello *tlswire.ServerHello) string {
	said := fmt.Sprintf("Picks %s, %s", hello.Version(), hello.CipherSuite)
	if x, ok := tlswire.KeyShare[*tlswire.KeyShareServerHello](hello.Extensions); ok {
		said += fmt.Sprintf(" and %s, and sends its own key share", s.explain(x.Share.Group.String()))
	}
	if x, ok := tlswire.Lookup[*tlswire.ProtocolNameList](hello.Extensions, tlswire.ExtensionALPN); ok && len(x.Protocols) == 1 {
		said += ". Will speak " + protocol(x.Protocols[0])
	}
	said += "."
	switch {
	case !s.tls13():
	case hello.CipherSuite.Info().Cipher == "NULL":
		said += " From here on everything but ChangeCipherSpec has a checksum, and nothing is encrypted."
	default:
		said += " From here on everything but ChangeCipherSpec is encrypted."
	}
	switch {
	case s.c.ByGivenKey():
		switch kx := hello.CipherSuite.Info().KeyExchange; {
		case s.tls13():
			said += " Takes the key that both sides were given: no certificates."
		case kx == tlswire.KeyExchangeRSAPSK: // it shows a certificate, too
			said += " Wants the client to name a key that both sides were given."
		default:
			said += " Wants the client to name a key that both sides were given: no certificates."
		}
	case s.c.Resumption != tlsdecrypt.FullHandshake:
		said += " Takes up the earlier session: no certificates this time."
	}
	return said
}

func (s *story) certificateRequest(names []tlswire.DistinguishedName) string {
	s.named = ""
	if len(names) == 0 {
		return "\"Show me your certificate.\" If the client shows one, TLS is mutual. The server does not say whose certificates it takes."
	}
	var cas []string
	for _, n := range names[:min(len(names), 3)] {
		cas = append(cas, short(n.String()))
	}
	if more := len(names) - len(cas); more > 0 {
		cas = append(cas, fmt.Sprintf("%d more", more))
	}
	s.named = text.Joined(cas, "or")
	return fmt.Sprintf("\"Show me a certificate issued under %s.\" If the client shows one, TLS is mutual.", text.Joined(cas, "or"))
}

const bareKey = "A bare public key, which the other side must know beforehand; no CA has signed it."

// certificate is about a party's certificate, at the time of the message.
func (s *story) certificate(p *party, m *tlsdecrypt.Message, n int) string {
	if n == 0 {
		return fmt.Sprintf("Empty: the %s has no certificate to show that would fit%s.", m.From, s.withheld(m.From))
	}
	if p.bare {
		return bareKey
	}
	if p.leaf == nil {
		return "A certificate that cannot be read."
	}
	said := p.subject() + weakness(p.leaf)
	if names := altNames(p.leaf); len(names) > 0 {
		said += ", for " + listed(names)
	}
	issuer := short(dn.Issuer(p.leaf))
	switch {
	case issuer == "":
		issuer = "an authority without a name"
	case chain.IsSelfIssued(p.leaf):
		issuer = "itself"
	}
	said += ", issued by " + issuer
	switch {
	case m.Time.Unix() <= 0: // the capture does not say when it was made
		said += ", valid until " + p.leaf.NotAfter.UTC().Format(time.DateOnly)
	case m.Time.After(p.leaf.NotAfter):
		said += ", EXPIRED on " + p.leaf.NotAfter.UTC().Format(time.DateOnly)
	case m.Time.Before(p.leaf.NotBefore):
		said += ", NOT VALID before " + p.leaf.NotBefore.UTC().Format(time.DateOnly)
	default:
		said += ", valid until " + p.leaf.NotAfter.UTC().Format(time.DateOnly)
	}
	return said + along(m) + "."
}

// along says what was sent along with a certificate.
func along(m *tlsdecrypt.Message) string {
	ders, _ := m.Certificates()
	if len(ders) < 2 {
		return ""
	}
	leading, others := chain.Above(chain.Question{DERs: ders, Of: m.From})
	switch {
	case others == 0:
		return fmt.Sprintf("; with %s above it", text.Counted(leading, "certificate"))
	case leading == 0:
		return fmt.Sprintf("; with %s that did not issue it", text.Counted(others, "certificate"))
	}
	return fmt.Sprintf("; with %s above it, and %d that did not issue what is below", text.Counted(leading, "certificate"), others)
}

func altNames(cert *x509.Certificate) []string {
	var names []string
	for _, n := range cert.DNSNames {
		if _, err := netip.ParseAddr(n); err == nil {
			n += " (a DNS name)" // and not an address
		}
		names = append(names, short(n))
	}
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	for _, n := range cert.EmailAddresses {
		names = append(names, short(n))
	}
	for _, u := range cert.URIs {
		names = append(names, short(u.String()))
	}
	const few = 3
	if more := len(names) - few; more > 0 {
		names = append(names[:few:few], fmt.Sprintf("%d more", more))
	}
	return names
}

func (s *story) serverKeyExchange(body *tlswire.ServerKeyExchange) string {
	what := "The server's half of the key agreement"
	if body.ECDH.Curve != 0 {
		what += fmt.Sprintf(" on %s", body.ECDH.Curve)
	}
	switch {
	case body.Signed == nil && s.c.CipherSuite.Info().Authentication == "anon":
		return what + ". Nobody signs it: the client cannot tell who the server is."
	case body.Signed == nil:
		return what + ". It is not signed: the key that both sides have from before proves who it is."
	}
	return fmt.Sprintf("%s, signed with the private key of %s%s. %s", what, s.server.signer(), by(*body.Signed), proof)
}

// signer names whose key made a signature.
func (p party) signer() string {
	if subject := p.subject(); subject != "" {
		return subject
	}
	return "a certificate that was not seen"
}

// proof is what a signature is good for.
const proof = "Anybody can copy a certificate, but not the key."

func by(s tlswire.DigitallySigned) string {
	if s.Legacy {
		return ""
	}
	return fmt.Sprintf(" (%s)", s.Algorithm)
}

func (s *story) ticket(lifetime tlswire.Seconds) string {
	switch {
	case s.tickets > 1:
		return "One more ticket, for another connection."
	case lifetime == 0:
		return "A ticket: with it the client can come back faster, without showing certificates again."
	}
	return fmt.Sprintf("A ticket, good for %s: with it the client can come back faster, without showing certificates again.", lasting(lifetime))
}

func lasting(s tlswire.Seconds) string {
	switch {
	case s%86400 == 0:
		return text.Counted(int(s/86400), "day")
	case s%3600 == 0:
		return text.Counted(int(s/3600), "hour")
	case s%60 == 0:
		return text.Counted(int(s/60), "minute")
	}
	return text.Counted(int(s), "second")
}

func (s *story) changeCipherSpec(m *tlsdecrypt.Message) string {
	if s.c.Version == 0 && !s.c.Retried {
		return fmt.Sprintf("If this is TLS 1.2 or before, all that the %s sends after this is encrypted; in TLS 1.3 it means nothing. ServerHello, which would show it, was not seen.", m.From)
	}
	if s.tls13() || s.c.Version == 0 {
		if s.client.ciphered && s.server.ciphered {
			return "Means nothing here either."
		}
		return "Means nothing; old firewalls and the like on the way expect to see it."
	}
	if s.c.CipherSuite.Info().Cipher == "NULL" {
		return fmt.Sprintf("All that the %s sends after this has a checksum, and is not encrypted.", m.From)
	}
	return fmt.Sprintf("All that the %s sends after this is encrypted.", m.From)
}
