package certfile

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
)

// NSS writes PKCS#12 in BER, with lengths that are not known in advance, and
// others write more parts into it than package pkcs12 takes. Here such a file
// is written anew.

var errBER = errors.New("damaged BER")

// maxDepth bounds how deep BER is nested.
const maxDepth = 32

// toDER rewrites BER (X.690 section 8) with definite lengths (section 10.1),
// and octet strings in one piece (section 10.2).
func toDER(ber []byte) ([]byte, error) {

	der, rest, err := element(ber, 0)
	if err == nil && len(rest) > 0 {
		err = errBER
	}
	return der, err
}

// element rewrites the first element.
func element(ber []byte, depth int) (der, rest []byte, err error) {
	if len(ber) < 2 || depth > maxDepth || ber[0]&0x1f == 0x1f {
		return nil, nil, errBER
	}
	const constructed = 0x20
	tag, content, rest, isDefinite := ber[0], []byte(nil), ber[2:], true
	switch length := int(ber[1]); {
	case length == 0x80:
		isDefinite = false
	case length > 0x80:
		n := length & 0x7f
		if n > 4 || n > len(rest) {
			return nil, nil, errBER
		}
		length = 0
		for _, b := range rest[:n] {
			length = length<<8 | int(b)
		}
		if rest = rest[n:]; length > len(rest) {
			return nil, nil, errBER
		}
		content, rest = rest[:length], rest[length:]
	case length > len(rest):
		return nil, nil, errBER
	default:
		content, rest = rest[:length], rest[length:]
	}
	if tag&constructed == 0 {
		if !isDefinite {
			return nil, nil, errBER
		}
		return encoded(tag, content), rest, nil
	}
	var parts [][]byte
	if isDefinite {
		parts, _, err = children(content, depth, true)
	} else {
		parts, rest, err = children(rest, depth, false)
	}
	if err != nil {
		return nil, nil, err
	}
	return joinChildren(tag, parts), rest, nil
}

// children rewrites elements, to the end or to the mark of an end.
func children(ber []byte, depth int, isDefinite bool) (all [][]byte, rest []byte, err error) {
	for {
		switch {
		case isDefinite && len(ber) == 0:
			return all, nil, nil
		case !isDefinite && len(ber) >= 2 && ber[0] == 0 && ber[1] == 0:
			return all, ber[2:], nil
		}
		var one []byte
		if one, ber, err = element(ber, depth+1); err != nil {
			return nil, nil, err
		}
		all = append(all, one)
	}
}

// The tags of what is joined.
const (
	tagOctets   = 0x04
	tagSequence = 0x30
	tagOID      = 0x06
	tagZero     = 0xa0 // [0], constructed
)

// joinChildren writes a constructed element. The pieces of an octet string are
// joined, and those of encryptedContent, which is [0] IMPLICIT OCTET STRING and
// the third field of EncryptedContentInfo (RFC 5652 section 6.1).
func joinChildren(tag byte, children [][]byte) []byte {
	if tag == tagOctets|0x20 {
		return encoded(tagOctets, joinOctets(children))
	}
	if tag == tagSequence && len(children) == 3 && children[0][0] == tagOID && children[1][0] == tagSequence && children[2][0] == tagZero {
		var pieces asn1.RawValue
		if _, err := asn1.Unmarshal(children[2], &pieces); err == nil {
			var parts [][]byte
			for rest := pieces.Bytes; len(rest) > 0; {
				var part asn1.RawValue
				if rest, err = asn1.Unmarshal(rest, &part); err != nil || part.FullBytes[0] != tagOctets {
					parts = nil
					break
				}
				parts = append(parts, part.FullBytes)
			}
			if parts != nil {
				children[2] = encoded(tagZero&^0x20, joinOctets(parts))
			}
		}
	}
	var content []byte
	for _, child := range children {
		content = append(content, child...)
	}
	return encoded(tag, content)
}

func joinOctets(pieces [][]byte) (all []byte) {
	for _, piece := range pieces {
		var octets asn1.RawValue
		if _, err := asn1.Unmarshal(piece, &octets); err == nil {
			all = append(all, octets.Bytes...)
		}
	}
	return all
}

func encoded(tag byte, content []byte) []byte {
	n := len(content)
	head := []byte{tag}
	switch {
	case n < 0x80:
		head = append(head, byte(n))
	case n < 0x100:
		head = append(head, 0x81, byte(n))
	case n < 0x10000:
		head = append(head, 0x82, byte(n>>8), byte(n))
	default:
		head = append(head, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(head, content...)
}

// pfx is PFX, contentInfo is ContentInfo, macData is MacData (RFC 7292 section
// 4).
type (
	pfx struct {
		Version int
		Safe    contentInfo
		MAC     macData
	}
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
	}
	macData struct {
		MAC struct {
			Algorithm pkix.AlgorithmIdentifier
			Digest    []byte
		}
		Salt       []byte
		Iterations int `asn1:"optional,default:1"`
	}
)

var (
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidPBMAC1     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 14}
	oidHMACSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
)

// rewritten returns a PFX in DER with two parts, one of which may be empty, and
// a MAC of its own under the password, which opened the original: that is in
// DER but for what its MAC is over.
func rewritten(der []byte, password string) ([]byte, error) {
	var in struct {
		Version int
		Safe    contentInfo
		MAC     asn1.RawValue `asn1:"optional"`
	}
	var content []byte
	if _, err := asn1.Unmarshal(der, &in); err != nil {
		return nil, err
	}
	if _, err := asn1.Unmarshal(in.Safe.Content.Bytes, &content); err != nil {
		return nil, err
	}
	safe, err := rewrittenSafe(content)
	if err != nil {
		return nil, err
	}
	out := pfx{Version: in.Version, Safe: contentInfo{Type: oidData}}
	out.Safe.Content = explicit(encoded(tagOctets, safe))
	if err := out.MAC.sign(safe, password); err != nil {
		return nil, err
	}
	return asn1.Marshal(out)
}

func explicit(der []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: der}
}

// rewrittenSafe rewrites an AuthenticatedSafe.
func rewrittenSafe(ber []byte) ([]byte, error) {
	der, err := toDER(ber)
	if err != nil {
		return nil, err
	}
	var parts []contentInfo
	if _, err := asn1.Unmarshal(der, &parts); err != nil {
		return nil, err
	}
	for i := range parts {
		var bags []byte
		if !parts[i].Type.Equal(oidData) {
			parts[i].Content = explicit(parts[i].Content.Bytes)
			continue
		}
		if _, err := asn1.Unmarshal(parts[i].Content.Bytes, &bags); err != nil {
			return nil, err
		}
		if bags, err = toDER(bags); err != nil {
			return nil, err
		}
		parts[i].Content = explicit(encoded(tagOctets, bags))
	}
	if len(parts) == 1 {
		parts = append(parts, contentInfo{Type: oidData, Content: explicit(encoded(tagOctets, encoded(tagSequence, nil)))})
	}
	return asn1.Marshal(parts)
}

// sign makes the MAC: PBMAC1 (RFC 9579), under a key that is good enough for a
// file that is not kept.
func (m *macData) sign(message []byte, password string) error {
	const iterations, size = 1, 32
	m.Salt, m.Iterations = []byte("unused"), iterations
	key, err := pbkdf2.Key(sha256.New, password, m.Salt, iterations, size)
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(message)
	m.MAC.Digest = mac.Sum(nil)
	sha := pkix.AlgorithmIdentifier{Algorithm: oidHMACSHA256}
	derivation, err := asn1.Marshal(pbkdf2Parameters{Salt: m.Salt, Iterations: iterations, KeyLength: size, PRF: sha})
	if err != nil {
		return err
	}
	parameters, err := asn1.Marshal(struct{ Derivation, MAC pkix.AlgorithmIdentifier }{
		pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2, Parameters: asn1.RawValue{FullBytes: derivation}}, sha})
	m.MAC.Algorithm = pkix.AlgorithmIdentifier{Algorithm: oidPBMAC1, Parameters: asn1.RawValue{FullBytes: parameters}}
	return err
}
