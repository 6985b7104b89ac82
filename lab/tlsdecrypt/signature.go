package tlsdecrypt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"

	"mtlslab.example/lab/lab/tlswire"
)

var (
	errScheme    = errors.New("a signature scheme that is not known here")
	errSignature = errors.New("the signature does not verify")
)

// verifySignature checks a signature of TLS (RFC 8446 4.2.3, RFC 5246 7.4.1.4.1,
// RFC 4346 7.4.3). It returns errScheme when it has no way to tell.
func verifySignature(key crypto.PublicKey, s *tlswire.DigitallySigned, content []byte) error {
	scheme := s.Algorithm
	h := cryptoHashes[byte(scheme>>8)]
	switch key := key.(type) {
	case ed25519.PublicKey:
		if scheme != tlswire.SchemeEd25519 {
			return errScheme
		}
		return verdict(ed25519.Verify(key, content, s.Signature))
	case *ecdsa.PublicKey:
		if s.Legacy {
			h = crypto.SHA1
		} else if scheme&0xff != 3 {
			return errScheme
		}
		if h == 0 || !h.Available() {
			return errScheme
		}
		return verdict(ecdsa.VerifyASN1(key, sum(h, content), s.Signature))
	case *rsa.PublicKey:
		switch scheme {
		case tlswire.SchemeRSAPSSRSAESHA256, tlswire.SchemeRSAPSSPSSSHA256:
			return verifyPSS(key, crypto.SHA256, content, s.Signature)
		case tlswire.SchemeRSAPSSRSAESHA384, tlswire.SchemeRSAPSSPSSSHA384:
			return verifyPSS(key, crypto.SHA384, content, s.Signature)
		case tlswire.SchemeRSAPSSRSAESHA512, tlswire.SchemeRSAPSSPSSSHA512:
			return verifyPSS(key, crypto.SHA512, content, s.Signature)
		}
		if s.Legacy { // MD5 and SHA-1 of the content, one after the other (RFC 4346 7.4.3)
			both := append(sum(crypto.MD5, content), sum(crypto.SHA1, content)...)
			return rsa.VerifyPKCS1v15(key, crypto.MD5SHA1, both, s.Signature)
		}
		if h == 0 || !h.Available() || scheme&0xff != 1 {
			return errScheme
		}
		return rsa.VerifyPKCS1v15(key, h, sum(h, content), s.Signature)
	}
	return errScheme
}

func verifyPSS(key *rsa.PublicKey, h crypto.Hash, content, signature []byte) error {
	return rsa.VerifyPSS(key, h, sum(h, content), signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
}

func sum(h crypto.Hash, content []byte) []byte {
	d := h.New()
	d.Write(content)
	return d.Sum(nil)
}

func verdict(ok bool) error {
	if !ok {
		return errSignature
	}
	return nil
}
