package tlsdecrypt

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"mtlslab.example/lab/lab/tlswire"
)

// The errors of verification. Only errSignature means that a signature is
// wrong.
var (
	errSignature = errors.New("the signature does not verify")
	errScheme    = errors.New("a signature scheme that is not known here")
	errEncoding  = errors.New("the signature is not encoded as it must be")
	errRefused   = errors.New("a key that is refused here")
)

// minRSABits is the least size of keys that crypto/rsa accepts.
const minRSABits = 1024

// verifySignature checks a signature of TLS (RFC 9846 section 4.3.3,
// RFC 5246 section 7.4.1.4.1, RFC 4346 section 7.4.3).
func verifySignature(key crypto.PublicKey, s *tlswire.DigitallySigned, content []byte) error {
	scheme := s.Algorithm
	h := cryptoHashes[byte(scheme>>8)]
	switch key := key.(type) {
	case ed25519.PublicKey:
		if scheme != tlswire.SchemeEd25519 {
			return errScheme
		}
		return matches(ed25519.Verify(key, content, s.Signature))
	case *ecdsa.PublicKey:
		if s.Legacy {
			h = crypto.SHA1
		} else if scheme&0xff != 3 {
			return errScheme
		}
		if h == 0 || !h.Available() {
			return errScheme
		}
		if !isECDSA(s.Signature) {
			return errEncoding
		}
		return matches(ecdsa.VerifyASN1(key, sum(h, content), s.Signature))
	case *rsa.PublicKey:
		return verifyRSA(key, h, s, content)
	}
	return verifyLater(key, s, content)
}

func verifyRSA(key *rsa.PublicKey, h crypto.Hash, s *tlswire.DigitallySigned, content []byte) error {
	switch s.Algorithm {
	case tlswire.SchemeRSAPSSRSAESHA256, tlswire.SchemeRSAPSSPSSSHA256:
		return verifyPSS(key, crypto.SHA256, content, s.Signature)
	case tlswire.SchemeRSAPSSRSAESHA384, tlswire.SchemeRSAPSSPSSSHA384:
		return verifyPSS(key, crypto.SHA384, content, s.Signature)
	case tlswire.SchemeRSAPSSRSAESHA512, tlswire.SchemeRSAPSSPSSSHA512:
		return verifyPSS(key, crypto.SHA512, content, s.Signature)
	}
	if s.Legacy { // MD5 and SHA-1 of the content, one after the other (RFC 4346 section 7.4.3)
		both := append(sum(crypto.MD5, content), sum(crypto.SHA1, content)...)
		return verifyPKCS1(key, crypto.MD5SHA1, both, s.Signature)
	}
	if h == 0 || !h.Available() || s.Algorithm&0xff != 1 {
		return errScheme
	}
	return verifyPKCS1(key, h, sum(h, content), s.Signature)
}

func verifyPSS(key *rsa.PublicKey, h crypto.Hash, content, signature []byte) error {
	return rsaResult(rsa.VerifyPSS(key, h, sum(h, content), signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
}

func verifyPKCS1(key *rsa.PublicKey, h crypto.Hash, digest, signature []byte) error {
	if key.N.BitLen() < minRSABits {
		return verifyShortRSA(key, h, digest, signature)
	}
	return rsaResult(rsa.VerifyPKCS1v15(key, h, digest, signature))
}

// rsaResult distinguishes a wrong signature from a key that crypto/rsa does not
// accept.
func rsaResult(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, rsa.ErrVerification):
		return errSignature
	}
	return errRefused
}

// digestAlgorithms are the hashes of PKCS #1 v1.5 (RFC 8017 appendix B.1).
var digestAlgorithms = map[crypto.Hash]asn1.ObjectIdentifier{
	crypto.MD5: {1, 2, 840, 113549, 2, 5}, crypto.SHA1: {1, 3, 14, 3, 2, 26}, crypto.SHA224: {2, 16, 840, 1, 101, 3, 4, 2, 4},
	crypto.SHA256: {2, 16, 840, 1, 101, 3, 4, 2, 1}, crypto.SHA384: {2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA512: {2, 16, 840, 1, 101, 3, 4, 2, 3},
}

// verifyShortRSA is RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.2) for keys that
// crypto/rsa refuses because they are too short. Old captures have such keys;
// that they are weak does not make their signatures wrong.
func verifyShortRSA(key *rsa.PublicKey, h crypto.Hash, digest, signature []byte) error {
	if key.N.BitLen() < 256 || key.E < 3 || key.E%2 == 0 {
		return errRefused
	}
	info := digest // of TLS 1.0 and 1.1: both hashes as they are
	if h != crypto.MD5SHA1 {
		var err error
		if info, err = asn1.Marshal(struct {
			Algorithm pkix.AlgorithmIdentifier
			Digest    []byte
		}{pkix.AlgorithmIdentifier{Algorithm: digestAlgorithms[h], Parameters: asn1.NullRawValue}, digest}); err != nil {
			return errRefused
		}
	}
	if len(signature) != key.Size() {
		return errSignature
	}
	padding := key.Size() - len(info) - 3
	if padding < 8 {
		return errRefused // the key is too short for the hash
	}
	want := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, padding)...)
	want = append(append(want, 0), info...)
	s := new(big.Int).SetBytes(signature)
	if s.Cmp(key.N) >= 0 {
		return errSignature
	}
	got := s.Exp(s, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, key.Size()))
	return matches(bytes.Equal(got, want))
}

// isECDSA reports whether a signature is an Ecdsa-Sig-Value in DER
// (RFC 3279 section 2.2.3), with two positive numbers.
func isECDSA(signature []byte) bool {
	var r, s big.Int
	var inner cryptobyte.String
	input := cryptobyte.String(signature)
	return input.ReadASN1(&inner, cbasn1.SEQUENCE) && input.Empty() &&
		inner.ReadASN1Integer(&r) && inner.ReadASN1Integer(&s) && inner.Empty() && r.Sign() > 0 && s.Sign() > 0
}

func sum(h crypto.Hash, content []byte) []byte {
	d := h.New()
	d.Write(content)
	return d.Sum(nil)
}

// matches returns errSignature unless ok.
func matches(ok bool) error {
	if !ok {
		return errSignature
	}
	return nil
}
