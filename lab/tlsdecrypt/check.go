package tlsdecrypt

import (
	"bytes"
	"crypto/hmac"
	"fmt"
	"hash"
	"slices"

	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
)

// Check looks after what the two sides claimed: it recomputes transcript
// hashes, verifies signatures, MACs and chains, and notes the results in the
// Checks of the messages that make the claims. It may be called once the
// connection has ended; the second time it does nothing. t may be nil: then
// chains are not checked.
func (c *Connection) Check(t *Trust) {
	if c.checked {
		return
	}
	c.checked = true
	if t == nil {
		t = &Trust{}
	}
	alert := c.Verdict().Alert
	for _, hs := range c.handshakes {
		k := checker{c: c, hs: hs, trust: t, alert: alert}
		if hs.tls13() {
			k.tls13()
		} else if hs.version != 0 {
			k.tls12()
		}
	}
}

// checker checks one handshake.
type checker struct {
	c          *Connection
	hs         *handshake
	trust      *Trust
	alert      *Message          // that ended the connection, or nil
	transcript []byte            // the messages so far
	messages   int               // in it
	shown      [3]*shownIdentity // by tlswire.Side: whose certificate was shown
	asked      [3]authorities    // by tlswire.Side: of whom the other one wants a certificate
}

// note adds a check. Its text may hold names that a peer made up, which must not harm a terminal.
func note(m *Message, subject string, r Result, format string, args ...any) {
	m.Checks = append(m.Checks, Check{Subject: subject, Result: r, Text: text.Clean(fmt.Sprintf(format, args...))})
}

// partial notes that a claim cannot be checked, if so.
func (k *checker) partial(m *Message, subject string) bool {
	partial := k.hs.partial && k.messages >= k.hs.wholeUpTo
	if partial {
		note(m, subject, Unknown, "Cannot be checked: some message of the handshake before this one was not seen.")
	}
	return partial
}

// tls13 checks a handshake of TLS 1.3 and the authentications after it.
func (k *checker) tls13() {
	h := hashOf(k.hs.suite.Info())
	if h == nil {
		return
	}
	for i, m := range k.hs.transcript {
		k.message(h, m, k.hs.secrets[m.From], m.From.String()+"_handshake_traffic_secret")
		k.join(m)
		if i == 0 && len(k.hs.transcript) > 1 && k.hs.transcript[1].Handshake.IsHelloRetryRequest() {
			k.transcript = messageHash(h, k.transcript) // RFC 8446 4.4.1
		}
	}
	k.excuseECH()
	whole := k.transcript
	for _, p := range k.hs.posts {
		k.transcript = slices.Clip(whole) // RFC 8446 4.4: the handshake, then this exchange alone
		for _, m := range p.messages {
			k.message(h, m, p.secret, "client_application_traffic_secret")
			k.join(m)
		}
	}
}

// join adds a message to the transcript.
func (k *checker) join(m *Message) {
	k.transcript = append(k.transcript, m.Handshake.Raw...)
	k.messages++
}

// messageHash is the message that stands for the first ClientHello.
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
	body := m.Handshake.Body
	if m.Inner != nil {
		body = m.Inner.Body
	}
	k.ask(m.From, body)
	switch body := body.(type) {
	case *tlswire.ClientHello:
		if psk, ok := tlswire.Lookup[*tlswire.OfferedPSKs](body.Extensions, tlswire.ExtensionPreSharedKey); ok && len(psk.Binders) > 0 {
			note(m, "binder", Unknown, "Cannot be checked: the binder is a checksum under a secret that key logs do not have (RFC 8446 4.2.11.2).")
		}
	case *tlswire.Certificate:
		k.certificate(m, body)
	case *tlswire.CertificateVerify:
		if !k.partial(m, "signature") {
			sum := digest(h, k.transcript)
			k.signature(m, &body.DigitallySigned, signedTLS13(m.From, sum), fmt.Sprintf("the transcript hash %x…", sum[:4]))
		}
	case *tlswire.Finished:
		if k.partial(m, "verify_data") {
			return
		}
		if baseKey == nil {
			note(m, "verify_data", Unknown, "Cannot be checked: %s is not known.", baseName)
			return
		}
		sum := digest(h, k.transcript)
		k.verifyData(m, body.VerifyData, finishedTLS13(h, baseKey, sum), sum, "finished_key, which comes from "+baseName)
	}
}

// signedTLS13 is what a CertificateVerify of TLS 1.3 signs (RFC 8446 4.4.3).
func signedTLS13(sender tlswire.Side, transcriptHash []byte) []byte {
	b := bytes.Repeat([]byte{0x20}, 64)
	b = append(b, "TLS 1.3, "+sender.String()+" CertificateVerify\x00"...)
	return append(b, transcriptHash...)
}

func (k *checker) verifyData(m *Message, got, want, sum []byte, key string) {
	if hmac.Equal(got, want) {
		note(m, "verify_data", Holds, "The checksum holds: computed anew over the transcript hash %x… with %s, it is the same %x….", sum[:4], key, want[:4])
		return
	}
	note(m, "verify_data", Fails, "The checksum fails: over the transcript hash %x… with %s it is %x…, and not %x…: some message of the handshake is not what was sent.",
		sum[:4], key, want[:4], got[:min(4, len(got))])
}

// tls12 checks a handshake of TLS 1.2 or before.
func (k *checker) tls12() {
	for _, m := range k.hs.transcript {
		k.ask(m.From, m.Handshake.Body)
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
			if !k.partial(m, "signature") {
				k.signature(m, &body.DigitallySigned, k.transcript, fmt.Sprintf("the %d bytes of handshake before it", len(k.transcript)))
			}
		case *tlswire.Finished:
			k.finishedTLS12(m, body)
		}
		k.join(m)
	}
}

func (k *checker) finishedTLS12(m *Message, body *tlswire.Finished) {
	info := k.hs.suite.Info()
	p := prfOf(k.hs.version, info)
	switch {
	case k.partial(m, "verify_data"):
	case k.hs.master == nil || p == nil:
		note(m, "verify_data", Unknown, "Cannot be checked: master_secret is not known.")
	default:
		sum := handshakeHash(k.hs.version, info, k.transcript)
		k.verifyData(m, body.VerifyData, finishedTLS12(p, k.hs.master, m.From, sum), sum, "the PRF under master_secret")
	}
}

// signature checks that a side signed content with the key of its certificate.
func (k *checker) signature(m *Message, s *tlswire.DigitallySigned, content []byte, what string) {
	id := k.shown[m.From]
	scheme := s.Algorithm.String()
	if s.Legacy {
		scheme = "the algorithm of its key"
	}
	switch {
	case id == nil:
		note(m, "signature", Unknown, "Cannot be checked: the certificate of the %v was not seen.", m.From)
		return
	case id.key == nil:
		note(m, "signature", Unknown, "Cannot be checked: the public key of %s cannot be read here.", id.name)
		return
	}
	err := verifySignature(id.key, s, content)
	switch {
	case err == nil:
		note(m, "signature", Holds, "The signature holds: the private key of %s signed %s with %s.", id.name, what, scheme)
	case err == errScheme:
		note(m, "signature", Unknown, "Cannot be checked: signatures with %s, or by keys like that of %s, are not known here.", scheme, id.name)
	default:
		note(m, "signature", Fails, "The signature fails: it is not one by the private key of %s over %s with %s.", id.name, what, scheme)
	}
}
