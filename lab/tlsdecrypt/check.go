package tlsdecrypt

import (
	"bytes"
	"crypto/hmac"
	"crypto/rsa"
	"fmt"
	"hash"
	"slices"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
)

// Check verifies what the two sides claim: it recomputes transcript
// hashes, verifies signatures, MACs and chains, and stores the results in the
// Checks of the messages that make the claims. It may be called once the
// connection has ended; the second time it does nothing. t may be nil: then
// chains are not checked.
func (c *Connection) Check(t *chain.Trust) {
	if c.checked {
		return
	}
	c.checked = true
	if t == nil {
		t = &chain.Trust{}
	}
	progress := c.Progress()
	for _, hs := range c.handshakes {
		k := checker{c: c, hs: hs, trust: t, progress: progress, ordered: hs.ordered()}
		if hs.tls13() {
			k.tls13()
		} else if hs.version != 0 {
			k.tls12()
		} else {
			k.versionless()
		}
	}
}

// checker checks one handshake.
type checker struct {
	c          *Connection
	hs         *handshake
	trust      *chain.Trust
	progress   Progress
	transcript []byte                        // the messages so far
	post       *postHandshake                // that is checked after the handshake, or nil
	messages   int                           // in it
	ordered    int                           // the first messages of the handshake that are in order
	shown      endpoint.Pair[*shownIdentity] // whose certificate was shown
	asked      endpoint.Pair[authorities]    // the CAs that the peer named
}

// note adds a check. It cleans the text, which may contain names that a peer
// has chosen, for a terminal.
func note(m *Message, subject string, r Result, format string, args ...any) {
	m.Checks = append(m.Checks, Check{Subject: subject, Result: r, Text: text.Clean(fmt.Sprintf(format, args...))})
}

// unknown notes that a claim cannot be checked, and why.
func unknown(m *Message, subject, why string, args ...any) {
	note(m, subject, Unknown, "Cannot be checked: "+why+".", args...)
}

// fails notes that a claim did not verify: it is wrong, or what it covers was
// not seen as the two sides did.
func (k *checker) fails(m *Message, subject, format string, args ...any) {
	if why := k.doubt(); why != "" {
		unknown(m, subject, "%s", why)
		return
	}
	note(m, subject, Fails, format, args...)
}

// tls13 checks a handshake of TLS 1.3 and the authentications after it.
func (k *checker) tls13() {
	h := hashOf(k.hs.suite.Info())
	for i, m := range k.hs.transcript {
		if h == nil {
			unknownHash(m, k.hs.suite)
			continue
		}
		k.message(h, m, *k.hs.secrets.Of(m.From), m.From.String()+"_handshake_traffic_secret")
		k.join(m)
		if i == 0 && k.hs.retried() {
			k.transcript = messageHash(h, k.transcript) // RFC 9846 section 4.1
		}
	}
	if h == nil {
		return
	}
	whole := k.transcript
	for _, p := range k.hs.posts {
		k.post = p
		k.transcript = slices.Clip(whole) // RFC 9846 section 4.5: the handshake, then this exchange alone
		for _, m := range p.messages {
			k.message(h, m, p.secret, "client_application_traffic_secret")
			k.join(m)
		}
	}
}

// versionless notes what cannot be checked without ServerHello.
func (k *checker) versionless() {
	const why = "ServerHello is not in the capture, and so the version of TLS is not known"
	for _, m := range k.hs.transcript {
		switch m.Handshake.Type {
		case tlswire.TypeCertificate:
			unknown(m, "chain", why)
		case tlswire.TypeCertificateVerify, tlswire.TypeServerKeyExchange:
			unknown(m, "signature", why)
		}
	}
}

// unknownHash notes that the claims of a message cannot be checked for want of
// a hash.
func unknownHash(m *Message, suite tlswire.CipherSuite) {
	switch m.Handshake.Body.(type) {
	case *tlswire.CertificateVerify:
		unknown(m, "signature", "the hash of %v is not known here", suite)
	case *tlswire.Finished:
		unknown(m, "verify_data", "the hash of %v is not known here", suite)
	}
}

// join adds a message to the transcript.
func (k *checker) join(m *Message) {
	k.transcript = append(k.transcript, m.Handshake.Raw...)
	k.messages++
}

// messageHash returns the message that replaces the first ClientHello in the
// transcript.
func messageHash(h func() hash.Hash, hello []byte) []byte {
	sum := digest(h, hello)
	return append([]byte{byte(tlswire.TypeMessageHash), 0, 0, byte(len(sum))}, sum...)
}

func digest(h func() hash.Hash, b []byte) []byte {
	d := h()
	d.Write(b)
	return d.Sum(nil)
}

// message checks one message of TLS 1.3, before it joins the transcript.
func (k *checker) message(h func() hash.Hash, m *Message, baseKey []byte, baseName string) {
	k.ask(m)
	switch body := m.Body().(type) {
	case *tlswire.ClientHello:
		if psk, ok := tlswire.Lookup[*tlswire.OfferedPSKs](body.Extensions, tlswire.ExtensionPreSharedKey); ok && len(psk.Binders) > 0 {
			unknown(m, "binder", "the binder is a checksum under a secret that key logs do not have (RFC 9846 section 4.3.11.2)")
		}
	case *tlswire.Certificate:
		k.certificate(m, body)
	case *tlswire.CertificateVerify:
		sum := digest(h, k.transcript)
		k.signature(m, &body.DigitallySigned, signedTLS13(m.From, sum), fmt.Sprintf("the transcript hash %x…", sum[:4]))
	case *tlswire.Finished:
		if baseKey == nil || m.Key.Secret != baseName { // which opened the record, and so is right
			unknown(m, "verify_data", "%s is not known", baseName)
			return
		}
		sum := digest(h, k.transcript)
		k.verifyData(m, body.VerifyData, finishedTLS13(k.hs.version, baseKey, sum), sum, "finished_key, which comes from "+baseName)
	}
}

// signedTLS13 is what a CertificateVerify of TLS 1.3 signs
// (RFC 9846 section 4.5.2).
func signedTLS13(sender endpoint.Side, transcriptHash []byte) []byte {
	b := bytes.Repeat([]byte{0x20}, 64)
	b = append(b, "TLS 1.3, "+sender.String()+" CertificateVerify\x00"...)
	return append(b, transcriptHash...)
}

func (k *checker) verifyData(m *Message, got, want, sum []byte, key string) {
	if hmac.Equal(got, want) {
		note(m, "verify_data", Holds, "The checksum holds: computed anew over the transcript hash %x… with %s, it is the same %x….", sum[:4], key, want[:4])
		return
	}
	k.fails(m, "verify_data", "The checksum fails: over the transcript hash %x… with %s it is %x…, and not %x…: some message of the handshake is not what was sent.",
		sum[:4], key, want[:4], got[:min(4, len(got))])
}

// tls12 checks a handshake of TLS 1.2 or before.
func (k *checker) tls12() {
	for _, m := range k.hs.transcript {
		k.ask(m)
		switch body := m.Handshake.Body.(type) {
		case *tlswire.CertificateTLS12:
			k.chain(m, body.Certificates)
		case *tlswire.RawPublicKeyTLS12:
			k.bareKey(m, body.PublicKeyInfo)
		case *tlswire.ServerKeyExchange:
			if body.Signed != nil {
				signed := append(bytes.Clone(k.hs.clientRandom), k.hs.serverRandom...)
				k.signature(m, body.Signed, append(signed, body.Params...), "both randoms and the parameters of the key agreement")
			}
		case *tlswire.CertificateVerify:
			k.signature(m, &body.DigitallySigned, k.transcript, fmt.Sprintf("the %d bytes of handshake before it", len(k.transcript)))
		case *tlswire.Finished:
			k.finishedTLS12(m, body)
		}
		k.join(m)
	}
}

func (k *checker) finishedTLS12(m *Message, body *tlswire.Finished) {
	info := k.hs.suite.Info()
	p := prfOf(k.hs.version, info)
	if k.hs.master == nil || p == nil || m.Key.Secret != masterSecret { // which opened the record, and so is right
		unknown(m, "verify_data", "master_secret is not known")
		return
	}
	sum := handshakeHash(k.hs.version, info, k.transcript)
	k.verifyData(m, body.VerifyData, finishedTLS12(p, k.hs.master, m.From, sum), sum, "the PRF under master_secret")
}

// signature checks that a side signed content with the key of its certificate.
func (k *checker) signature(m *Message, s *tlswire.DigitallySigned, content []byte, what string) {
	id := *k.shown.Of(m.From)
	scheme := s.Algorithm.String()
	if s.Legacy {
		scheme = "the algorithm of its key"
	}
	switch {
	case id == nil:
		unknown(m, "signature", "the certificate of the %v was not seen", m.From)
		return
	case id.key == nil && id.algorithm != "":
		unknown(m, "signature", "the key of %s is %s", id.name, tlswire.Unverifiable(id.algorithm))
		return
	case id.key == nil:
		unknown(m, "signature", "the public key of %s cannot be read here", id.name)
		return
	}
	weak := ""
	if key, ok := id.key.(*rsa.PublicKey); ok && key.N.BitLen() < minRSABits {
		weak = fmt.Sprintf(", although its key has %d bits alone, which others can break", key.N.BitLen())
	}
	switch err := verifySignature(id.key, s, content); err {
	case nil:
		note(m, "signature", Holds, "The signature holds%s: the private key of %s signed %s with %s.", weak, id.name, what, scheme)
	case errScheme:
		unknown(m, "signature", "signatures with %s, or by keys like that of %s, are not known here", scheme, id.name)
	case errEncoding:
		unknown(m, "signature", "it is not a signature in DER (RFC 5480 section 2.2, RFC 9846 section 4.3.3)")
	case errRefused:
		unknown(m, "signature", "the RSA key of %s is not one that is taken here%s", id.name, weak)
	default:
		k.fails(m, "signature", "The signature fails: it is not one by the private key of %s over %s with %s.", id.name, what, scheme)
	}
}
