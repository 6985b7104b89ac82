package scenario

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"fmt"
	"io/fs"
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
	documents, err := Documents(file, document)
	if err != nil {
		return nil, err
	}
	if len(documents) == 0 {
		return nil, &yamldoc.Error{File: file, Line: 1, Column: 1, Problem: "the file is empty",
			Hint: "write at least name: mine and expect: {TLS 1.3: {status: 200}}; lab scenario show mtls is an example"}
	}
	s := &Scenario{File: file, Text: document, Calls: 1, Expect: map[uint16]Expectation{}}
	r := documents[0]
	if err := r.Object(r.Root(), s.fields(r)); err != nil {
		return nil, err
	}
	return s, s.check(r)
}

// Documents returns the YAML documents of a file that is shown as it is, and so
// may have no characters that cannot be seen. Errors are *yamldoc.Error.
func Documents(file string, text []byte) ([]yamldoc.Document, error) {
	if err := checkVisible(file, string(text)); err != nil {
		return nil, err
	}
	return yamldoc.Read(file, text)
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
func (s *Scenario) fields(r yamldoc.Document) map[string]yamldoc.Setter {
	return map[string]yamldoc.Setter{
		"name": s.readName(r), "title": r.Words(&s.Title), "topic": r.Words(&s.Topic), "side": yamldoc.Choice(r, &s.Side, yamldoc.Named(Sides...)),
		"teaches": r.Words(&s.Teaches), "reason": r.Words(&s.Reason), "fix": r.Words(&s.Fix), "fixes": yamldoc.ByName(r, &s.Fixes, r.Words), "evidence": r.Words(&s.Evidence), "rfc": r.Words(&s.RFC), "openssl": r.Words(&s.OpenSSL), "may_pass": r.Words(&s.MayPass), "says": yamldoc.ByName(r, &s.Says, r.ListOfWords),
		"key_type": yamldoc.Choice(r, &s.KeyType, yamldoc.Named(fault.MLDSA44, fault.MLDSA65, fault.MLDSA87)),
		"age":      r.Span(&s.Age), "ech": r.Words(&s.ECH), "calls": r.Between(&s.Calls, 1, 100),
		"extensions": s.ReadExtensions(r),
		"files": yamldoc.ByName(r, &s.Files, func(d *Derived) yamldoc.Setter {
			return func(n *yaml.Node) error {
				return r.Object(n, s.DerivedFields(r, d))
			}
		}),
		"loads": yamldoc.List(r, &s.Loads, func(l *Load) yamldoc.Setter {
			return func(n *yaml.Node) error { return r.Object(n, l.fields(r)) }
		}),
		"seen":   r.ListOfWords(&s.Seen),
		"server": func(n *yaml.Node) error { return r.Object(n, s.ServerFields(r, &s.Server)) },
		"client": func(n *yaml.Node) error { return r.Object(n, s.ClientFields(r, &s.Client)) },
		"then":   s.ReadThen(r, &s.Then),
		"expect": func(n *yaml.Node) error {
			return r.Object(n, map[string]yamldoc.Setter{"TLS 1.2": s.readExpectation(r, tls.VersionTLS12), "TLS 1.3": s.readExpectation(r, tls.VersionTLS13)})
		},
	}
}

// ReadThen reads what happens before a call.
func (s *Scenario) ReadThen(r yamldoc.Document, to **Then) yamldoc.Setter {
	return func(n *yaml.Node) error {
		then := &Then{}
		*to = then
		return r.Object(n, map[string]yamldoc.Setter{"revoke": s.Certificates(r, &then.Revoke), "renew": s.Certificates(r, &then.Renew), "client": s.certificate(r, &then.Client)})
	}
}

// DerivedFields are those of a file that is made from a certificate.
func (s *Scenario) DerivedFields(r yamldoc.Document, d *Derived) map[string]yamldoc.Setter {
	return map[string]yamldoc.Setter{"from": s.certificate(r, &d.From), "form": yamldoc.Choice(r, &d.Form, yamldoc.Named(forms...)), "password": r.Words(&d.Password)}
}

// fields are those of a load.
func (l *Load) fields(r yamldoc.Document) map[string]yamldoc.Setter {
	return map[string]yamldoc.Setter{"certificate": r.Words(&l.Certificate), "key": r.Words(&l.Key), "password": r.Words(&l.Password),
		"lab": r.Words(&l.Lab), "prints": yamldoc.ByName(r, &l.Prints, r.Words)}
}

// sideFields are those that both sides have.
func (s *Scenario) sideFields(r yamldoc.Document, h *Half) map[string]yamldoc.Setter {
	suites := map[string]uint16{}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		suites[suite.Name] = suite.ID
	}
	return map[string]yamldoc.Setter{
		"certificate": s.certificate(r, &h.Certificate), "key": s.certificate(r, &h.Key), "trust": s.authorities(r, &h.Trust),
		"chain":                yamldoc.Choice(r, &h.Chain, chains),
		"signature_algorithms": yamldoc.Choices(r, &h.Signatures, signatures),
		"crl":                  yamldoc.Choice(r, &h.CRL, yamldoc.Named(lab.CRLSoft, lab.CRLRequire, lab.CRLOff)),
		"min_rsa_bits":         r.Number(&h.MinRSABits), "check_key_usage": r.Boolean(&h.KeyUsage),
		"version":       yamldoc.Choice(r, &h.Version, yamldoc.Named("older")),
		"cipher_suites": yamldoc.Choices(r, &h.CipherSuites, suites), "groups": yamldoc.Choices(r, &h.Groups, groups),
		"alpn": r.ListOfWords(&h.ALPN), "http2": r.Boolean(&h.HTTP2), "timeout": r.Span(&h.Timeout),
		"flaw":           yamldoc.Choice(r, &h.Flaw, yamldoc.Named(fault.SHA1Signature, fault.NegativeSerial, fault.NoAuthorityKeyID)),
		"instead_of_tls": yamldoc.Choice(r, &h.NotTLS, yamldoc.Named(fault.PlainHTTP, fault.Garbage, fault.Silence, fault.HangUp)),
	}
}

// ServerFields are those of the settings of a server, which are kept in h.
func (s *Scenario) ServerFields(r yamldoc.Document, h *Half) map[string]yamldoc.Setter {
	fields := s.sideFields(r, h)
	fields["also_show"], fields["allow"] = s.Certificates(r, &h.AlsoShow), r.ListOfWords(&h.Allow)
	fields["refuse_in_http"], fields["does_not_ask"] = r.Boolean(&h.RefuseInHTTP), r.Boolean(&h.Unasking)
	fields["trust_sessions"] = r.Boolean(&h.TrustSessions)
	fields["strict_names"], fields["strict_host"] = r.Boolean(&h.StrictNames), r.Boolean(&h.StrictHost)
	fields["names_more_cas"], fields["renewed_ca"] = r.Between(&h.NamedCAs, 0, 1000), s.certificate(r, &h.Renewed)
	return fields
}

// ClientFields are those of a client: see ServerFields.
func (s *Scenario) ClientFields(r yamldoc.Document, h *Half) map[string]yamldoc.Setter {
	fields := s.sideFields(r, h)
	fields["url"], fields["server_name"], fields["header"] = r.Host(&h.URL), r.Words(&h.ServerName), yamldoc.ByName(r, &h.Header, r.Words)
	fields["offer_cipher_suites"] = yamldoc.Choices(r, &h.Offer, registeredSuites())
	fields["withhold_for_usage"] = r.Boolean(&h.ByUsage)
	fields["withhold"], fields["resume"], fields["key_update"] = r.Boolean(&h.Withhold), r.Boolean(&h.Resume), r.Boolean(&h.KeyUpdate)
	return fields
}

// chains are the values of chain.
var chains = map[string]fault.Chain{"full": "", "leaf": fault.ChainLeaf, "reversed": fault.ChainReversed}

// readExpectation reads the verdict expected of a version.
func (s *Scenario) readExpectation(r yamldoc.Document, version uint16) yamldoc.Setter {
	return func(n *yaml.Node) error {
		var e Expectation
		err := r.Object(n, e.fields(r))
		s.Expect[version] = e
		return err
	}
}

// fields are those of a verdict.
func (e *Expectation) fields(r yamldoc.Document) map[string]yamldoc.Setter {
	learns := map[string]verdict.Learned{"handshake": verdict.LearnedInHandshake, "first read": verdict.LearnedAtFirstRead}
	return map[string]yamldoc.Setter{
		"rejected_by": yamldoc.Choice(r, &e.RejectedBy, map[string]endpoint.Side{"server": endpoint.Server, "client": endpoint.Client}), "alert": yamldoc.Choice(r, &e.Alert, Alerts()),
		"code": yamldoc.Choice(r, &e.Code, yamldoc.Named(verdict.Codes()...)), "status": r.Between(&e.Status, 100, 599), "resumed": r.Boolean(&e.Resumed),
		"server_learns": yamldoc.Choice(r, &e.ServerLearns, learns), "client_learns": yamldoc.Choice(r, &e.ClientLearns, learns),
		"cipher_suite": r.Words(&e.CipherSuite), "group": r.Words(&e.Group), "alpn": r.Words(&e.ALPN), "server": r.Words(&e.Server),
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

// Alerts are the names of those that can be expected.
func Alerts() map[string]string {
	names := map[string]string{"none": ""}
	for code := range tlswire.AlertDescription(255) {
		names[code.String()] = code.String()
	}
	return names
}

// check refuses a scenario that cannot be run.
func (s *Scenario) check(r yamldoc.Document) error {
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

var goodName = text.Pattern(`^[a-z0-9][a-z0-9-]*$`)

// readName reads the name, which is not that of another scenario: their
// certificates and captures would be in the same place.
func (s *Scenario) readName(r yamldoc.Document) yamldoc.Setter {
	return func(n *yaml.Node) error {
		if err := r.Words(&s.Name)(n); err != nil {
			return err
		}
		if !goodName().MatchString(s.Name) {
			return r.ErrorAt(n, "write small letters, digits and hyphens", "the name %q is not one for a folder", s.Name)
		}
		builtIn, err := fs.ReadFile(embedded(), "scenarios/"+s.Name+".yaml")
		if err == nil && !bytes.Equal(builtIn, s.Text) {
			return r.ErrorAt(n, "give yours a name of its own, such as my-"+s.Name,
				"the built-in scenario is called %s too, and its certificates and captures would be overwritten", s.Name)
		}
		return nil
	}
}

// checkLoads completes the loads, and adds what programs print to what they
// say.
func (s *Scenario) checkLoads(r yamldoc.Document) error {
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
