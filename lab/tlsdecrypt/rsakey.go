package tlsdecrypt

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
)

// RSAKeyUse is whether the private keys of [Options] decrypted a connection.
type RSAKeyUse string

// The uses, or why there was none.
const (
	RSAKeyUnused   RSAKeyUse = "" // there was none, or nothing to decrypt, or the key log had the secret
	RSAKeyOpened   RSAKeyUse = "opened"
	RSAForward     RSAKeyUse = "forward secrecy"
	RSAResumed     RSAKeyUse = "a resumed session"
	RSAOtherKey    RSAKeyUse = "the certificate of another key"
	RSANotSeen     RSAKeyUse = "messages that are missing"
	RSAUnsupported RSAKeyUse = "a key exchange or version that is not supported"
)

// rsaKeyUse returns whether the RSA keys decrypt a handshake, and a text if
// they do not.
func (s *secrets) rsaKeyUse(hs *handshake, c *Connection) (use RSAKeyUse, why string) {
	switch {
	case len(s.shared.options.RSAKeys) == 0:
		return RSAKeyUnused, ""
	case hs.version == 0 && slices.ContainsFunc(c.Messages, func(m *Message) bool { return m.Encrypted }):
		return RSANotSeen, "the handshake is not in the capture"
	case hs.version == 0:
		return RSAKeyUnused, ""
	}
	kx := hs.suite.Info().KeyExchange
	_, exchanged := find[*tlswire.ClientKeyExchange](hs)
	leaf, shown := hs.serverLeaf()
	switch {
	case hs.byRSAKey:
		return RSAKeyOpened, ""
	case hs.master != nil || s.any(hs):
		return RSAKeyUnused, ""
	case hs.tls13():
		return RSAForward, "TLS 1.3 always has forward secrecy: only a key log opens it"
	case hs.resumed:
		return RSAResumed, "the session was resumed, and its secret is that of an earlier connection, which has to be in the capture too"
	case hs.version == tlswire.VersionSSL30:
		return RSAUnsupported, errSSL30.Error()
	case kx != tlswire.KeyExchangeRSA && kx.ForwardSecret():
		return RSAForward, fmt.Sprintf("%v has forward secrecy (%s): only a key log opens it", hs.suite, kx)
	case kx != tlswire.KeyExchangeRSA:
		return RSAUnsupported, fmt.Sprintf("the key exchange of %v is not RSA", hs.suite)
	case hs.clientRandom == nil:
		return RSANotSeen, "ClientHello, whose random is needed, is not in the capture"
	case shown && !s.hasKeyOf(leaf):
		return RSAOtherKey, fmt.Sprintf("it is not the key of the server's certificate (%s)", chain.Name(leaf))
	case !exchanged:
		return RSANotSeen, "ClientKeyExchange, which has the secret, is not in the capture"
	case !shown:
		return RSAOtherKey, "it does not decrypt the secret in ClientKeyExchange: it may be the key of another server"
	}
	return RSAUnsupported, "the secret in ClientKeyExchange does not decrypt with it, although it is the key of the server's certificate"
}

// serverLeaf is the server's certificate in TLS 1.2, if it was seen and parses.
func (hs *handshake) serverLeaf() (*x509.Certificate, bool) {
	for _, m := range hs.transcript {
		if body, ok := m.Handshake.Body.(*tlswire.CertificateTLS12); ok && m.From == endpoint.Server && len(body.Certificates) > 0 {
			leaf, err := tlswire.ParseCertificate(body.Certificates[0])
			return leaf, err == nil
		}
	}
	return nil, false
}

// hasKeyOf reports whether one of the RSA keys is that of a certificate.
func (s *secrets) hasKeyOf(leaf *x509.Certificate) bool {
	return slices.ContainsFunc(s.shared.options.RSAKeys, func(key *rsa.PrivateKey) bool { return key.PublicKey.Equal(leaf.PublicKey) })
}

// premaster returns the premaster secret of an RSA key exchange
// (RFC 5246 section 7.4.7.1), or nil.
func (s *secrets) premaster(hs *handshake) []byte {
	cke, ok := find[*tlswire.ClientKeyExchange](hs)
	if !ok || hs.clientRandom == nil || cke.KeyExchange != tlswire.KeyExchangeRSA || len(cke.EncryptedPreMasterSecret) < 8 {
		return nil
	}
	if found := s.find(keylog.LabelRSA, cke.EncryptedPreMasterSecret[:8]); len(found) == masterLen {
		return found
	}
	leaf, shown := hs.serverLeaf()
	for _, key := range s.shared.options.RSAKeys {
		if shown && !key.PublicKey.Equal(leaf.PublicKey) {
			continue
		}
		if found := decryptPremaster(key, cke.EncryptedPreMasterSecret); found != nil {
			hs.byRSAKey = true
			return found
		}
	}
	return nil
}

// decryptPremaster opens an EncryptedPreMasterSecret
// (RFC 5246 section 7.4.7.1), and returns nil when that is not one for the key.
func decryptPremaster(key *rsa.PrivateKey, encrypted []byte) []byte {
	var secret []byte
	if key.N.BitLen() < minRSABits {
		secret = decryptShortRSA(key, encrypted)
	} else {
		//lint:ignore SA1019 TLS 1.2 uses it, and no peer learns here whether it failed
		secret, _ = rsa.DecryptPKCS1v15(nil, key, encrypted)
	}
	if len(secret) != masterLen || secret[0] != 3 {
		return nil
	}
	return secret
}

// decryptShortRSA is RSAES-PKCS1-v1_5 (RFC 8017 section 7.2.2) for keys that
// crypto/rsa refuses because they are too short.
func decryptShortRSA(key *rsa.PrivateKey, encrypted []byte) []byte {
	c := new(big.Int).SetBytes(encrypted)
	if key.D == nil || key.N.Sign() <= 0 || c.Cmp(key.N) >= 0 {
		return nil
	}
	padded := c.Exp(c, key.D, key.N).FillBytes(make([]byte, key.Size()))
	if len(padded) < 2 || padded[0] != 0 || padded[1] != 2 {
		return nil
	}
	if end := bytes.IndexByte(padded[2:], 0); end >= 8 {
		return padded[2+end+1:]
	}
	return nil
}
