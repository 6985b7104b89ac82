package scenario

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/fault"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// Parse reads a scenario: its first YAML document is the lesson, all others are
// certificates in the manifest's syntax. Errors are *yamldoc.Error.
func Parse(file string, document []byte) (*Scenario, error) {
	if err := checkVisible(file, string(document)); err != nil {
		return nil, err
	}
	documents, err := yamldoc.Read(file, document)
	if err != nil {
		return nil, err
	}
	if len(documents) == 0 {
		return nil, &yamldoc.Error{File: file, Line: 1, Column: 1, Problem: "the file is empty",
			Hint: "write at least name: mine and expect: {TLS 1.3: {status: 200}}; lab scenario show mtls is an example"}
	}
	s := &Scenario{File: file, Text: document, Calls: 1, Expect: map[uint16]Expectation{}}
	r := reader{documents[0]}
	if err := r.object(r.Root(), s.fields(r)); err != nil {
		return nil, err
	}
	return s, s.check(r)
}

// checkVisible refuses a document with characters that are invisible, or change
// the order of the text. lab scenario show prints a document as it is.
func checkVisible(file, document string) error {
	document = strings.TrimPrefix(document, "\ufeff") // a byte order mark
	number := 0
	for line := range strings.Lines(document) {
		number++
		for i, r := range line {
			if text.Hidden(r) && !strings.ContainsRune("\t\r\n", r) {
				return &yamldoc.Error{File: file, Line: number, Column: 1 + utf8.RuneCountInString(line[:i]),
					Problem: fmt.Sprintf("the character %U cannot be seen", r), Hint: "remove it, or write it in double quotes as " + strings.Trim(strconv.QuoteToASCII(string(r)), `"`)}
			}
		}
	}
	return nil
}

// fields are those of a scenario.
func (s *Scenario) fields(r reader) map[string]setter {
	return map[string]setter{
		"name": s.readName(r), "title": r.text(&s.Title), "topic": r.text(&s.Topic), "side": choice(r, &s.Side, named(Sides...)),
		"teaches": r.text(&s.Teaches), "reason": r.text(&s.Reason), "fix": r.text(&s.Fix), "fixes": byName(r, &s.Fixes, r.text), "evidence": r.text(&s.Evidence), "rfc": r.text(&s.RFC), "openssl": r.text(&s.OpenSSL), "may_pass": r.text(&s.MayPass), "says": byName(r, &s.Says, r.texts),
		"age": r.duration(&s.Age), "ech": r.text(&s.ECH), "calls": r.between(&s.Calls, 1, 100),
		"extensions": s.readExtensions(r),
		"files": byName(r, &s.Files, func(d *Derived) setter {
			return func(n *yaml.Node) error {
				return r.object(n, map[string]setter{"from": s.certificate(r, &d.From), "form": choice(r, &d.Form, named(forms...)), "password": r.text(&d.Password)})
			}
		}),
		"loads": list(r, &s.Loads, func(l *Load) setter {
			return func(n *yaml.Node) error { return r.object(n, l.fields(r)) }
		}),
		"seen":   r.texts(&s.Seen),
		"server": func(n *yaml.Node) error { return r.object(n, s.serverFields(r)) },
		"client": func(n *yaml.Node) error { return r.object(n, s.clientFields(r)) },
		"then": func(n *yaml.Node) error {
			s.Then = &Then{}
			return r.object(n, map[string]setter{"revoke": s.certificates(r, &s.Then.Revoke), "renew": s.certificates(r, &s.Then.Renew), "client": s.certificate(r, &s.Then.Client)})
		},
		"expect": func(n *yaml.Node) error {
			return r.object(n, map[string]setter{"TLS 1.2": s.readExpectation(r, tls.VersionTLS12), "TLS 1.3": s.readExpectation(r, tls.VersionTLS13)})
		},
	}
}

// fields are those of a load.
func (l *Load) fields(r reader) map[string]setter {
	return map[string]setter{"certificate": r.text(&l.Certificate), "key": r.text(&l.Key), "password": r.text(&l.Password),
		"lab": r.text(&l.Lab), "prints": byName(r, &l.Prints, r.text)}
}

// sideFields are those that both sides have.
func (s *Scenario) sideFields(r reader, h *Half) map[string]setter {
	suites := map[string]uint16{}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		suites[suite.Name] = suite.ID
	}
	return map[string]setter{
		"certificate": s.certificate(r, &h.Certificate), "key": s.certificate(r, &h.Key), "trust": s.authorities(r, &h.Trust),
		"chain":                choice(r, &h.Chain, named(fault.ChainLeaf, fault.ChainReversed)),
		"signature_algorithms": choices(r, &h.Signatures, signatures),
		"crl":                  choice(r, &h.CRL, named(lab.CRLSoft, lab.CRLRequire, lab.CRLOff)),
		"min_rsa_bits":         r.number(&h.MinRSABits), "check_key_usage": r.boolean(&h.KeyUsage),
		"version":       choice(r, &h.Version, named("older")),
		"cipher_suites": choices(r, &h.CipherSuites, suites), "groups": choices(r, &h.Groups, groups),
		"alpn": r.texts(&h.ALPN), "http2": r.boolean(&h.HTTP2), "timeout": r.duration(&h.Timeout),
		"flaw":           choice(r, &h.Flaw, named(fault.SHA1Signature, fault.NegativeSerial, fault.NoAuthorityKeyID)),
		"instead_of_tls": choice(r, &h.NotTLS, named(fault.PlainHTTP, fault.Garbage, fault.Silence, fault.HangUp)),
	}
}

func (s *Scenario) serverFields(r reader) map[string]setter {
	h := &s.Server
	fields := s.sideFields(r, h)
	fields["also_show"], fields["allow"] = s.certificates(r, &h.AlsoShow), r.texts(&h.Allow)
	fields["refuse_in_http"], fields["does_not_ask"] = r.boolean(&h.RefuseInHTTP), r.boolean(&h.Unasking)
	fields["strict_names"], fields["strict_host"] = r.boolean(&h.StrictNames), r.boolean(&h.StrictHost)
	fields["names_more_cas"], fields["renewed_ca"] = r.between(&h.NamedCAs, 0, 1000), s.certificate(r, &h.Renewed)
	return fields
}

func (s *Scenario) clientFields(r reader) map[string]setter {
	h := &s.Client
	fields := s.sideFields(r, h)
	fields["url"], fields["server_name"], fields["header"] = r.host(&h.URL), r.text(&h.ServerName), byName(r, &h.Header, r.text)
	fields["offer_cipher_suites"] = choices(r, &h.Offer, registeredSuites())
	fields["withhold_for_usage"] = r.boolean(&h.ByUsage)
	fields["withhold"], fields["resume"], fields["key_update"] = r.boolean(&h.Withhold), r.boolean(&h.Resume), r.boolean(&h.KeyUpdate)
	return fields
}

// readExpectation reads the verdict expected of a version.
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
	learns := map[string]verdict.Learned{"handshake": verdict.LearnedInHandshake, "first read": verdict.LearnedAtFirstRead}
	return map[string]setter{
		"rejected_by": choice(r, &e.RejectedBy, map[string]endpoint.Side{"server": endpoint.Server, "client": endpoint.Client}), "alert": choice(r, &e.Alert, alerts()),
		"code": choice(r, &e.Code, named(verdict.Codes()...)), "status": r.between(&e.Status, 100, 599), "resumed": r.boolean(&e.Resumed),
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

// signatures are the algorithms that scenarios need, by their names in
// RFC 9846 section 4.3.3.
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

// check refuses a scenario that cannot be run.
func (s *Scenario) check(r reader) error {
	switch {
	case s.Name == "":
		return r.ErrorAt(r.Root(), "add a line such as name: mine", "the scenario has no name")
	case len(s.Expect) > 0 && len(s.Loads)+len(s.Seen) > 0:
		return r.ErrorAt(r.Root(), "leave out expect:, or loads: and seen:", "what is loaded or was seen has no verdict to expect")
	case len(s.Expect)+len(s.Loads)+len(s.Seen) == 0:
		return r.ErrorAt(r.Root(), "add expect: with TLS 1.2: or TLS 1.3: in it", "the scenario expects nothing")
	}
	s.Title = cmp.Or(s.Title, s.Name)
	if s.Calls == 1 && (s.Then != nil || s.Client.Resume) {
		s.Calls = 2
	}
	return s.checkLoads(r)
}

var goodName = pattern(`^[a-z0-9][a-z0-9-]*$`)

// readName reads the name, which is not that of another scenario: their
// certificates and captures would be in the same place.
func (s *Scenario) readName(r reader) setter {
	return func(n *yaml.Node) error {
		if err := r.text(&s.Name)(n); err != nil {
			return err
		}
		if !goodName().MatchString(s.Name) {
			return r.ErrorAt(n, "write small letters, digits and hyphens", "the name %q is not one for a folder", s.Name)
		}
		builtIn, err := embedded.ReadFile("scenarios/" + s.Name + ".yaml")
		if err == nil && !bytes.Equal(builtIn, s.Text) {
			return r.ErrorAt(n, "give yours a name of its own, such as my-"+s.Name,
				"the built-in scenario is called %s too, and its certificates and captures would be overwritten", s.Name)
		}
		return nil
	}
}

// checkLoads completes the loads, and adds what programs print to what they say.
func (s *Scenario) checkLoads(r reader) error {
	for i := range s.Loads {
		l := &s.Loads[i]
		if l.Certificate == "" {
			return r.ErrorAt(r.Root(), "add certificate: client.pem to it", "one of the loads has no certificate")
		}
		l.Key, l.Lab = cmp.Or(l.Key, l.Certificate), cmp.Or(l.Lab, Loads)
		for _, file := range []*string{&l.Certificate, &l.Key} {
			if !filepath.IsLocal(*file) {
				return r.ErrorAt(r.Root(), "name a file in the scenario's folder", "%s is not in it", yamldoc.Quoted(*file))
			}
			if _, ok := s.Files[*file]; ok {
				*file = filepath.Join(filesFolder, *file)
			}
		}
		for program, prints := range l.Prints {
			if prints != Loads && !slices.Contains(s.Says[program], prints) {
				if s.Says == nil {
					s.Says = map[string][]string{}
				}
				s.Says[program] = append(s.Says[program], prints)
			}
		}
	}
	for name := range s.Files {
		if filepath.Base(name) != name || name == "." || name == ".." {
			return r.ErrorAt(r.Root(), "name a file without a folder", "%s is not one", yamldoc.Quoted(name))
		}
	}
	return nil
}
