package tlsdecrypt

import (
	"encoding/hex"
	"fmt"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// Term is a value in the arithmetic of a handshake, and how it comes about.
type Term struct {
	Name   string `json:"name"`
	How    string `json:"how,omitempty"`   // a formula, with the names of other terms
	Value  string `json:"value,omitempty"` // in hexadecimal; "": not known, or hidden
	Secret bool   `json:"secret,omitempty"`
	Note   string `json:"note,omitempty"`
	Terms  []Term `json:"terms,omitempty"` // what is made from it
}

// Hidden returns terms without the values of secrets.
func Hidden(terms []Term) []Term {
	hidden := make([]Term, len(terms))
	for i, t := range terms {
		if t.Secret {
			t.Value = ""
		}
		t.Terms = Hidden(t.Terms)
		hidden[i] = t
	}
	return hidden
}

// Arithmetic returns the key schedule of a connection's last handshake with the
// values that it had, secrets among them, and what its signatures and Finished
// cover; nil: the handshake did not come to that, or its hash is not known
// here.
func (c *Connection) Arithmetic() []Term {
	if len(c.handshakes) == 0 {
		return nil
	}
	hs := c.handshakes[len(c.handshakes)-1]
	info := hs.suite.Info()
	switch {
	case hs.tls13() && hashOf(info) != nil:
		return hs.arithmeticTLS13(info)
	case !hs.tls13() && hs.version >= tlswire.VersionTLS10 && prfOf(hs.version, info) != nil:
		return hs.arithmeticTLS12(prfOf(hs.version, info), info)
	}
	return nil
}

// covered is the transcript before a message.
type covered struct {
	message *Message
	bytes   []byte
	upTo    string // its last message
}

// coverage returns what stands before each message, and at the end the whole.
func (hs *handshake) coverage(first func([]byte) []byte) (all []covered) {
	var transcript []byte
	upTo := ""
	for i, m := range hs.transcript {
		all = append(all, covered{m, transcript[:len(transcript):len(transcript)], upTo})
		transcript = append(transcript[:len(transcript):len(transcript)], m.Handshake.Raw...)
		if i == 0 && hs.retried() {
			transcript = first(transcript)
		}
		upTo = fmt.Sprintf("the %v's %s", m.From, m.Handshake.Name())
	}
	return append(all, covered{nil, transcript, upTo})
}

// before returns what stands before the first message of a kind from a side; ok
// is false if there is none.
func before(all []covered, from endpoint.Side, t tlswire.HandshakeType) (c covered, ok bool) {
	for _, c := range all {
		if c.message != nil && c.message.From == from && c.message.Handshake.Type == t {
			return c, true
		}
	}
	return covered{}, false
}

// after returns what ends with the first message of a kind from a side.
func after(all []covered, from endpoint.Side, t tlswire.HandshakeType) (c covered, ok bool) {
	for i, c := range all {
		if m := c.message; m != nil && m.From == from && m.Handshake.Type == t && !m.Handshake.IsHelloRetryRequest() {
			return all[i+1], true
		}
	}
	return covered{}, false
}

func public(name, how string, value []byte) Term {
	return Term{Name: name, How: how, Value: hex.EncodeToString(value)}
}

func secret(name, how string, value []byte, terms ...Term) Term {
	t := Term{Name: name, How: how, Value: hex.EncodeToString(value), Secret: true, Terms: terms}
	if value == nil {
		t.Note, t.Terms = "not known here", nil
	}
	return t
}

// unlogged is a secret that stays in the two programs.
func unlogged(name, how string, terms ...Term) Term {
	return Term{Name: name, How: how, Secret: true, Note: "stays in the two programs: key logs do not have it (RFC 9850 section 2)", Terms: terms}
}

// arithmeticTLS13 is the key schedule of RFC 9846 section 7.1.
func (hs *handshake) arithmeticTLS13(info *tlswire.SuiteInfo) (terms []Term) {
	h := hashOf(info)
	all := hs.coverage(func(b []byte) []byte { return messageHash(h, b) })
	hash := func(c covered) Term {
		return public("transcript hash up to "+c.upTo, fmt.Sprintf("%s of the %d bytes of handshake so far", info.Hash, len(c.bytes)), digest(h, c.bytes))
	}
	expand := func(base, name, label string, length int, value []byte, terms ...Term) Term {
		if value != nil {
			value = expandLabel(hs.version, value, label, nil, length)
		}
		return secret(name, fmt.Sprintf(`HKDF-Expand-Label(%s, "%s", "", %d)`, base, label, length), value, terms...)
	}
	traffic := func(from string, side endpoint.Side, kind, label string, value []byte, c covered, more ...Term) Term {
		name := side.String() + "_" + kind
		how := fmt.Sprintf(`Derive-Secret(%s, "%c %s traffic", transcript hash up to %s)`, from, side.String()[0], label, c.upTo)
		return secret(name, how, value, append([]Term{expand(name, "key", "key", info.KeyLen, value), expand(name, "iv", "iv", info.FixedIVLen, value)}, more...)...)
	}
	hello, ok := after(all, endpoint.Server, tlswire.TypeServerHello)
	if !ok {
		return nil
	}
	terms = append(terms, hash(hello))
	var handshake, application []Term
	for _, side := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		base := *hs.secrets.Of(side)
		var more []Term
		if c, ok := before(all, side, tlswire.TypeFinished); ok {
			sum := Term{Name: "verify_data", How: "HMAC(finished_key, transcript hash up to " + c.upTo + ")", Note: fmt.Sprintf("what the %v's Finished must have", side)}
			if base != nil {
				sum.Value = hex.EncodeToString(finishedTLS13(hs.version, base, digest(h, c.bytes)))
			}
			more = append(more, expand(side.String()+"_handshake_traffic_secret", "finished_key", "finished", hashLen(info), base, sum))
		}
		handshake = append(handshake, traffic("Handshake Secret", side, "handshake_traffic_secret", "hs", base, hello, more...))
	}
	terms = append(terms, unlogged("Handshake Secret", "HKDF-Extract(Derive-Secret(Early Secret, \"derived\", \"\"), the shared secret of the key shares)", handshake...))
	if done, ok := after(all, endpoint.Server, tlswire.TypeFinished); ok {
		terms = append(terms, hash(done))
		for _, side := range []endpoint.Side{endpoint.Client, endpoint.Server} {
			application = append(application, traffic("Master Secret", side, "application_traffic_secret_0", "ap", *hs.application.Of(side), done))
		}
		terms = append(terms, unlogged("Master Secret", "HKDF-Extract(Derive-Secret(Handshake Secret, \"derived\", \"\"), 0)", application...))
	}
	for _, side := range []endpoint.Side{endpoint.Server, endpoint.Client} {
		if c, ok := before(all, side, tlswire.TypeCertificateVerify); ok {
			signed := public(fmt.Sprintf("what the %v signs", side), fmt.Sprintf(`64 blanks, "TLS 1.3, %v CertificateVerify", a zero byte, and the transcript hash up to %s`, side, c.upTo), signedTLS13(side, digest(h, c.bytes)))
			signed.Note = "RFC 9846 section 4.5.2"
			terms = append(terms, hash(c), signed)
		}
	}
	for _, side := range []endpoint.Side{endpoint.Server, endpoint.Client} {
		if c, ok := before(all, side, tlswire.TypeFinished); ok {
			terms = append(terms, hash(c), sent(c))
		}
	}
	return terms
}

// sent is the checksum that a Finished has.
func sent(c covered) Term {
	t := Term{Name: fmt.Sprintf("the %v's Finished has", c.message.From), Note: "as it was sent"}
	if body, ok := c.message.Handshake.Body.(*tlswire.Finished); ok {
		t.Value = hex.EncodeToString(body.VerifyData)
	}
	return t
}

// arithmeticTLS12 is the key schedule of RFC 5246 sections 6.3 and 8.1, and of
// RFC 7627.
func (hs *handshake) arithmeticTLS12(p prf, info *tlswire.SuiteInfo) (terms []Term) {
	all := hs.coverage(func(b []byte) []byte { return b })
	how := `PRF(pre_master_secret, "master secret", the client's random and the server's)`
	switch {
	case hs.resumed:
		how = "that of the earlier session"
	case hs.extendedMaster:
		how = `PRF(pre_master_secret, "extended master secret", session_hash)`
		if c, ok := after(all, endpoint.Client, tlswire.TypeClientKeyExchange); ok {
			terms = append(terms, public("session_hash", fmt.Sprintf("hash of the %d bytes of handshake up to %s (RFC 7627 section 3)", len(c.bytes), c.upTo), handshakeHash(hs.version, info, c.bytes)))
		}
	}
	var made []Term
	for _, side := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		if hs.master == nil {
			break
		}
		macKey, key, iv := hs.writeKeys(p, side)
		for _, part := range []struct {
			name  string
			value []byte
		}{{"MAC_key", macKey}, {"key", key}, {"IV", iv}} {
			if len(part.value) > 0 {
				made = append(made, secret(fmt.Sprintf("%v_write_%s", side, part.name), `a part of PRF(master_secret, "key expansion", the server's random and the client's)`, part.value))
			}
		}
	}
	for _, side := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		if c, ok := before(all, side, tlswire.TypeFinished); ok && hs.master != nil {
			sum := public(fmt.Sprintf("verify_data of the %v", side), fmt.Sprintf(`PRF(master_secret, "%v finished", hash of the %d bytes of handshake up to %s)`, side, len(c.bytes), c.upTo),
				finishedTLS12(p, hs.master, side, handshakeHash(hs.version, info, c.bytes)))
			sum.Note = fmt.Sprintf("what the %v's Finished must have", side)
			made = append(made, sum)
		}
	}
	terms = append(terms, secret("master_secret", how, hs.master, made...))
	for _, side := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		if c, ok := before(all, side, tlswire.TypeFinished); ok {
			hash := public("hash up to "+c.upTo, fmt.Sprintf("hash of the %d bytes of handshake so far", len(c.bytes)), handshakeHash(hs.version, info, c.bytes))
			terms = append(terms, hash, sent(c))
		}
	}
	if c, ok := before(all, endpoint.Client, tlswire.TypeCertificateVerify); ok {
		signed := Term{Name: "what the client signs", How: fmt.Sprintf("the %d bytes of handshake up to %s", len(c.bytes), c.upTo), Note: "RFC 5246 section 7.4.8"}
		terms = append(terms, signed)
	}
	return terms
}
