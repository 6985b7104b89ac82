package probe

import (
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
)

// Request is what a server's CertificateRequest says (RFC 9846 section 4.4.2,
// RFC 5246 section 7.4.4).
type Request struct {
	CAs     []string `json:"cas"`               // names of the CAs; none: any
	Schemes []string `json:"signature_schemes"` // that the client may sign with

	raw []tlswire.DistinguishedName
}

// requestOf returns the CertificateRequest of an exchange, nil if there was
// none.
func requestOf(x *lab.Exchange) *Request {
	if x == nil || x.Wire == nil {
		return nil
	}
	for _, m := range x.Wire.Messages {
		if m.From != endpoint.Server || m.Handshake == nil {
			continue
		}
		r := &Request{CAs: []string{}}
		var schemes []tlswire.SignatureScheme
		switch body := m.Handshake.Body.(type) {
		case *tlswire.CertificateRequest:
			if cas, ok := tlswire.Lookup[*tlswire.CertificateAuthorities](body.Extensions, tlswire.ExtensionCertificateAuthorities); ok {
				r.raw = cas.Authorities
			}
			if list, ok := tlswire.Lookup[*tlswire.SignatureSchemeList](body.Extensions, tlswire.ExtensionSignatureAlgorithms); ok {
				schemes = list.Schemes
			}
		case *tlswire.CertificateRequestTLS12:
			r.raw, schemes = body.CertificateAuthorities, body.SignatureAlgorithms
		default:
			continue
		}
		for _, name := range r.raw {
			r.CAs = append(r.CAs, name.String())
		}
		r.Schemes = tlswire.Names(schemes)
		return r
	}
	return nil
}

// String says what is asked for.
func (r *Request) String() string {
	if r == nil {
		return "no certificate"
	}
	cas := "any CA"
	if len(r.CAs) > 0 {
		cas = text.Few(r.CAs, 5)
	}
	return "a certificate of " + cas + ", with " + text.Counted(len(r.Schemes), "signature scheme")
}
