package scenario

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"regexp"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/tlswire"
)

// Parse reads a scenario: its first YAML document is the lesson, all others are
// certificates in the manifest's syntax. Errors are *certgen.ManifestError.
func Parse(file string, text []byte) (*Scenario, error) {
	documents, err := certgen.ReadDocuments(file, text)
	if err != nil {
		return nil, err
	}
	s := &Scenario{File: file, Text: text, Calls: 1, Expect: map[uint16]Expectation{}}
	r := reader{documents[0]}
	if err := r.object(r.Node(), s.fields(r)); err != nil {
		return nil, err
	}
	return s, s.check(r)
}

// fields are those of a scenario.
func (s *Scenario) fields(r reader) map[string]setter {
	return map[string]setter{
		"name": r.text(&s.Name), "title": r.text(&s.Title), "topic": r.text(&s.Topic), "side": choice(r, &s.Side, named(Sides...)),
		"teaches": r.text(&s.Teaches), "reason": r.text(&s.Reason), "fix": r.text(&s.Fix), "rfc": r.text(&s.RFC), "openssl": r.text(&s.OpenSSL), "says": r.lists(&s.Says),
		"age": r.duration(&s.Age), "ech": r.text(&s.ECH), "calls": r.number(&s.Calls),
		"extensions": s.readExtensions(r),
		"server":     func(n *yaml.Node) error { return r.object(n, s.Server.serverFields(r)) },
		"client":     func(n *yaml.Node) error { return r.object(n, s.Client.clientFields(r)) },
		"then": func(n *yaml.Node) error {
			s.Then = &Then{}
			return r.object(n, map[string]setter{"revoke": r.texts(&s.Then.Revoke), "renew": r.texts(&s.Then.Renew), "client": r.text(&s.Then.Client)})
		},
		"expect": func(n *yaml.Node) error {
			return r.object(n, map[string]setter{"TLS 1.2": s.readExpectation(r, tls.VersionTLS12), "TLS 1.3": s.readExpectation(r, tls.VersionTLS13)})
		},
	}
}

// fields are those that both sides have.
func (h *Half) fields(r reader) map[string]setter {
	suites := map[string]uint16{}
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		suites[s.Name] = s.ID
	}
	return map[string]setter{
		"certificate": r.text(&h.Certificate), "key": r.text(&h.Key), "trust": r.texts(&h.Trust),
		"chain":                choice(r, &h.Chain, named(lab.ChainLeaf, lab.ChainReversed)),
		"signature_algorithms": choices(r, &h.Signatures, signatures),
		"crl":                  choice(r, &h.CRL, named(lab.CRLSoft, lab.CRLRequire, lab.CRLOff)),
		"min_rsa_bits":         r.number(&h.MinRSABits), "check_key_usage": r.boolean(&h.KeyUsage),
		"version":       choice(r, &h.Version, named("older")),
		"cipher_suites": choices(r, &h.CipherSuites, suites), "groups": choices(r, &h.Groups, groups),
		"alpn": r.texts(&h.ALPN), "http2": r.boolean(&h.HTTP2), "timeout": r.duration(&h.Timeout),
		"instead_of_tls": choice(r, &h.Instead, named(lab.InsteadHTTP, lab.InsteadGarbage, lab.InsteadSilence, lab.InsteadHangUp)),
	}
}

func (h *Half) serverFields(r reader) map[string]setter {
	fields := h.fields(r)
	fields["also_show"], fields["allow"] = r.texts(&h.AlsoShow), r.texts(&h.Allow)
	fields["refuse_in_http"] = r.boolean(&h.RefuseInHTTP)
	return fields
}

func (h *Half) clientFields(r reader) map[string]setter {
	fields := h.fields(r)
	fields["url"], fields["server_name"], fields["header"] = r.text(&h.URL), r.text(&h.ServerName), r.header(&h.Header)
	fields["offer_cipher_suites"] = choices(r, &h.Offer, registeredSuites())
	fields["withhold"], fields["resume"], fields["key_update"] = r.boolean(&h.Withhold), r.boolean(&h.Resume), r.boolean(&h.Rekey)
	return fields
}

// readExpectation takes the verdict expected of a version.
func (s *Scenario) readExpectation(r reader, version uint16) setter {
	return func(n *yaml.Node) error {
		var e Expectation
		err := r.object(n, e.fields(r))
		s.Expect[version] = e
		return err
	}
}

// fields are those of a verdict.
func (e *Expectation) fields(r reader) map[string]setter {
	learns := map[string]lab.Learned{"handshake": lab.LearnedInHandshake, "first read": lab.LearnedAtFirstRead}
	return map[string]setter{
		"rejected_by": choice(r, &e.RejectedBy, named(lab.ServerSide, lab.ClientSide)), "alert": choice(r, &e.Alert, alerts()),
		"code": r.text((*string)(&e.Code)), "status": r.number(&e.Status), "resumed": r.boolean(&e.Resumed),
		"server_learns": choice(r, &e.ServerLearns, learns), "client_learns": choice(r, &e.ClientLearns, learns),
		"cipher_suite": r.text(&e.CipherSuite), "group": r.text(&e.Group), "alpn": r.text(&e.ALPN), "server": r.text(&e.Server),
	}
}

// registeredSuites are all of IANA's registry, by their names.
var registeredSuites = sync.OnceValue(func() map[string]uint16 {
	names := map[string]uint16{}
	for id := range tlswire.CipherSuite(0xffff) {
		if name := id.String(); strings.HasPrefix(name, "TLS_") {
			names[name] = uint16(id)
		}
	}
	return names
})

// signatures are the algorithms that scenarios need, by their names in RFC 8446
// section 4.2.3.
var signatures = map[string]tls.SignatureScheme{
	"ecdsa_sha1": tls.ECDSAWithSHA1, "ecdsa_secp256r1_sha256": tls.ECDSAWithP256AndSHA256, "ecdsa_secp384r1_sha384": tls.ECDSAWithP384AndSHA384,
	"rsa_pkcs1_sha1": tls.PKCS1WithSHA1, "rsa_pkcs1_sha256": tls.PKCS1WithSHA256, "rsa_pss_rsae_sha256": tls.PSSWithSHA256, "ed25519": tls.Ed25519,
}

// groups are those that Go knows, by their names in IANA's registry.
var groups = map[string]tls.CurveID{
	"secp256r1": tls.CurveP256, "secp384r1": tls.CurveP384, "secp521r1": tls.CurveP521, "x25519": tls.X25519, "X25519MLKEM768": tls.X25519MLKEM768,
}

// alerts are the names of those that can be expected.
func alerts() map[string]string {
	names := map[string]string{"none": ""}
	for code := range tlswire.AlertDescription(255) {
		names[code.String()] = code.String()
	}
	return names
}

var goodName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// check refuses a scenario that cannot be told or run.
func (s *Scenario) check(r reader) error {
	root := r.Node()
	for _, text := range []struct{ field, value string }{{"name", s.Name}, {"title", s.Title}, {"side", s.Side}, {"topic", s.Topic}, {"teaches", s.Teaches}, {"reason", s.Reason}} {
		if text.value == "" {
			return r.ErrorAt(root, "add a line such as "+text.field+": …", "the scenario has no %s", text.field)
		}
	}
	switch {
	case !goodName.MatchString(s.Name):
		return r.ErrorAt(root, "write small letters, digits and hyphens", "the name %q is not one for a folder", s.Name)
	case len(s.Expect) == 0:
		return r.ErrorAt(root, "add expect: with TLS 1.2: or TLS 1.3: in it", "the scenario expects nothing")
	case s.Calls < 1:
		return r.ErrorAt(root, "write calls: 1 or more", "the scenario has no calls")
	}
	if s.Calls == 1 && (s.Then != nil || s.Client.Resume) {
		s.Calls = 2
	}
	return nil
}

// readExtensions takes what the manifest has no fields for, by certificate.
func (s *Scenario) readExtensions(r reader) setter {
	return func(n *yaml.Node) error {
		s.Extensions = map[string][]pkix.Extension{}
		return r.each(n, func(key, value *yaml.Node) error {
			var x extensions
			if err := x.read(r, value); err != nil {
				return err
			}
			der, err := x.marshal()
			if err != nil {
				return r.ErrorAt(value, "write path_length, ca: false, or permitted and excluded host names", "these cannot be encoded: %v", err)
			}
			s.Extensions[key.Value] = der
			return nil
		})
	}
}
