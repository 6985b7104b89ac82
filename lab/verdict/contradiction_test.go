package verdict

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// facts are what the messages of a connection show. They are read here once
// more, and not by the code that is tested.
type facts struct {
	versions         []tlswire.Version // that the client offers
	negotiated       tlswire.Version
	answered         bool // ServerHello was seen
	chosen           bool // or HelloRetryRequest
	asked, asksLater bool
	flight           bool // the server's first flight was read to its end
	hidden           bool
	resumed          bool
	shown            endpoint.Pair[bool]
	empty            endpoint.Pair[bool]
	leaf             endpoint.Pair[*x509.Certificate]
	inDate           endpoint.Pair[bool]
	signed           endpoint.Pair[bool] // a signature of it holds
	spoke            endpoint.Pair[bool] // it sent an alert
	psk              bool
	openAlert        bool // an alert of the client's after ServerHello of TLS 1.3 was not encrypted
	renegotiation    bool
}

func factsOf(c *tlsdecrypt.Connection) (f facts) {
	f.negotiated, f.resumed = c.Version, c.Resumption != tlsdecrypt.FullHandshake
	f.psk = strings.Contains(string(c.CipherSuite.Info().KeyExchange), "PSK")
	for _, m := range c.Messages {
		f.hidden = f.hidden || m.Encrypted
		if m.Alert != nil {
			*f.spoke.Of(m.From) = true
			f.openAlert = f.openAlert || m.From == endpoint.Client && f.answered && c.Version == tlswire.VersionTLS13 && m.Key == (tlsdecrypt.Key{})
			f.renegotiation = f.renegotiation || m.Alert.Description == tlswire.AlertNoRenegotiation
		}
		if m.Handshake == nil {
			continue
		}
		shows := func(ders [][]byte) {
			*f.shown.Of(m.From), *f.empty.Of(m.From) = len(ders) > 0, len(ders) == 0
			if len(ders) == 0 {
				return
			}
			leaf, err := x509.ParseCertificate(ders[0])
			if err == nil {
				*f.leaf.Of(m.From) = leaf
				*f.inDate.Of(m.From) = m.Time.Unix() > 0 && m.Time.After(leaf.NotBefore) && m.Time.Before(leaf.NotAfter)
			}
		}
		switch body := m.Body().(type) {
		case *tlswire.ClientHello:
			f.renegotiation = f.renegotiation || f.flight
			f.versions = []tlswire.Version{body.LegacyVersion}
			if x, ok := tlswire.Lookup[*tlswire.SupportedVersions](body.Extensions, tlswire.ExtensionSupportedVersions); ok {
				f.versions = slices.DeleteFunc(slices.Clone(x.Versions), func(v tlswire.Version) bool { return v&0x0f0f == 0x0a0a })
			}
			f.psk = f.psk || tlswire.Has(body.Extensions, tlswire.ExtensionPreSharedKey)
		case *tlswire.ServerHello:
			f.chosen = true
			f.answered = f.answered || !body.IsHelloRetryRequest()
		case *tlswire.HelloRequest:
			f.asksLater, f.renegotiation = true, true
		case *tlswire.CertificateRequest, *tlswire.CertificateRequestTLS12:
			f.asked = true
		case *tlswire.ServerHelloDone:
			f.flight = true
		case *tlswire.Finished:
			f.flight = f.flight || m.From == endpoint.Server
		case *tlswire.Certificate:
			if body.CertificateType != tlswire.CertificateTypeRawPublicKey {
				shows(body.Chain())
			}
		case *tlswire.CertificateTLS12:
			shows(body.Certificates)
		}
		for _, check := range m.Checks {
			if check.Subject == "signature" && check.Result == tlsdecrypt.Holds {
				*f.signed.Of(m.From) = true
			}
		}
	}
	return f
}

// only13 reports whether nothing but TLS 1.3 was negotiated or offered.
func (f facts) only13() bool {
	if f.negotiated != 0 {
		return f.negotiated == tlswire.VersionTLS13
	}
	return len(f.versions) > 0 && !slices.ContainsFunc(f.versions, func(v tlswire.Version) bool { return v != tlswire.VersionTLS13 })
}

// unasked reports whether the client was not asked for a certificate when it
// was refused.
func (f facts) unasked() bool {
	return !f.asked && (f.flight && !f.asksLater && !f.hidden || !f.chosen && !f.hidden && len(f.versions) > 0)
}

// contradictions are what a verdict claims or suggests that the messages show
// to be otherwise.
func contradictions(c *tlsdecrypt.Connection, v Verdict) (wrong []string) {
	f := factsOf(c)
	by := v.RejectedBy
	switch {
	case by != endpoint.Unknown:
	case v.Alert != nil:
		by = v.Alert.SentBy
	default:
		by = endpoint.Server
	}
	other := by.Other()
	leaf := *f.leaf.Of(other)
	said := strings.ToLower(strings.Join([]string{v.Reason, v.Fix}, " | "))
	for _, cause := range v.Causes {
		said += " | " + strings.ToLower(cause.Text+": "+cause.Tell)
	}
	says := func(words string) bool { return strings.Contains(said, words) }
	complain := func(is bool, what string) {
		if is {
			wrong = append(wrong, what)
		}
	}
	complain(says("tls 1.2") && f.only13() && !strings.Contains(v.Fix, "older version") && !says("once with tls 1.2"), "speaks of TLS 1.2, and there was TLS 1.3 alone")
	complain((says("sent no certificate") || says("got none")) && f.shown.Client && by == endpoint.Server && !says("although the client has sent one"), "the client has sent a certificate")
	complain(says("never asked") && f.asked, "the server has asked")
	complain(says("pre-shared key") && !f.psk && len(f.versions) > 0 && !says("psk_key_exchange_modes") && !says("may have none") && !says("has named none"), "no pre-shared key was offered")
	complain(says("renegotiat") && !f.renegotiation, "there was no renegotiation")
	complain(says("bad record mac") && !f.openAlert, "the alert was encrypted")
	complain(says("intermediate certificate was not sent") && leaf != nil && bytes.Equal(leaf.RawIssuer, leaf.RawSubject), "nothing stands above that certificate")
	complain(says("without an alert") && v.RejectedBy != endpoint.Unknown && *f.spoke.Of(v.RejectedBy) && c.EndedBy == v.RejectedBy, "it has sent an alert")
	complain((says("keys are missing") || says("is encrypted")) && !f.hidden, "nothing is hidden")
	complain(v.Code == NoClientCertificate && (f.shown.Client || f.unasked() && !f.resumed), "code no_client_certificate")
	complain(v.Code == RefusedByCertificate && by == endpoint.Server && f.unasked() && !f.resumed && v.Outcome == Rejected, "code certificate_refused, and nobody was asked")
	complain(v.Code == NotAsked && f.asked, "code certificate_not_requested")
	for _, cause := range v.Causes {
		no := func(is bool, why string) {
			if is {
				wrong = append(wrong, fmt.Sprintf("cause %s (%s): %s", cause.Code, cause.Text, why))
			}
		}
		aboutOffers := slices.Contains([]Code{NoCommonCipherSuite, NoCommonGroup, NoCommonSignature, NoCommonVersion, UnrecognizedName}, cause.Code)
		beforeTLS := cause.Code == SpokeNoTLS || cause.Code == ProxyHeader
		no(beforeTLS && *f.spoke.Of(endpoint.Server), "the server speaks TLS")
		no(!aboutOffers && !beforeTLS && cause.Code != NotAuthorised && cause.Code != NoClientCertificate && by == endpoint.Server && (f.unasked() && !f.resumed || f.empty.Client), "the client has shown no certificate")
		no(!aboutOffers && by == endpoint.Client && !f.chosen && !f.hidden && !f.resumed, "the server has shown none")
		switch cause.Code {
		case NoClientCertificate:
			no(by == endpoint.Client || f.shown.Client || f.unasked() || f.resumed, "it has sent one, or was not asked")
		case NoCommonVersion, NoCommonCipherSuite:
			no(f.chosen, "the server has chosen")
		case NoCommonGroup:
			no(c.Group != 0, "a group was agreed on")
		case BadSignature:
			no(*f.signed.Of(other), "its signature holds")
		case chain.Expired, chain.NotYetValid:
			no(*f.inDate.Of(other) && !strings.Contains(cause.Text, "above") && !strings.Contains(cause.Text, "clock is wrong"), "its dates are right")
		case chain.WrongHost:
			no(leaf != nil && c.ServerName != "" && leaf.VerifyHostname(c.ServerName) == nil, "it is for that host")
		case chain.NoSAN:
			no(leaf != nil && len(leaf.DNSNames) > 0, "it has names")
		case chain.SelfSigned:
			no(leaf != nil && !bytes.Equal(leaf.RawIssuer, leaf.RawSubject), "another has issued it")
		case chain.WeakKey:
			if leaf != nil {
				key, ok := leaf.PublicKey.(*rsa.PublicKey)
				no(!ok || key.N.BitLen() >= 2048, "its key is long enough")
			}
		}
	}
	return wrong
}

// Nothing that is said of a connection of other programs, with its keys, without
// and with the CAs of both sides, is otherwise in its messages.
func TestNothingContradicted(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "foreign", "*.pcap"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	if data := os.Getenv("LAB_TESTDATA"); data != "" {
		more, err := filepath.Glob(filepath.Join(data, "captures", "*.pcap*"))
		if err != nil || len(more) == 0 {
			t.Error(more, err)
		}
		files = append(files, more...)
	}
	known := &chain.Trust{}
	for _, name := range []string{"root", "server-ca", "client-ca"} {
		b, err := os.ReadFile(filepath.Join("testdata", "foreign", "certs", name+".pem"))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(b)
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		known.CAs = append(known.CAs, chain.NamedCA{Name: name, Certificate: cert})
	}
	connections := 0
	for _, file := range files {
		keys := strings.TrimSuffix(file, filepath.Ext(file)) + ".keys"
		for how, try := range map[string]struct {
			keys  string
			trust *chain.Trust
		}{"keys": {keys, &chain.Trust{}}, "no keys": {"", &chain.Trust{}}, "CAs": {keys, known}} {
			for _, c := range connectionsIn(t, file, try.keys) {
				connections++
				v := Of(c, func() *chain.Trust { return try.trust })
				for _, wrong := range contradictions(c, v) {
					t.Errorf("%s, %s, stream %d: %s\n\t%s; %q; fix %q", filepath.Base(file), how, c.Number, wrong, brief(v), v.Reason, v.Fix)
				}
			}
		}
	}
	t.Logf("%d verdicts", connections)
}

// connectionsIn reads a capture with a key log; "": none.
func connectionsIn(t *testing.T, file, keys string) (all []*tlsdecrypt.Connection) {
	t.Helper()
	secrets := &keylog.Store{}
	if b, err := os.ReadFile(keys); err == nil {
		for line := range bytes.Lines(b) {
			if entry, err := keylog.ParseLine(bytes.TrimSpace(line)); err == nil {
				secrets.Add(entry)
			}
		}
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := tlsdecrypt.New(tlsdecrypt.Options{Secrets: secrets, Done: func(c *tlsdecrypt.Connection) { all = append(all, c) }})
	_ = capture.Read(f, capture.ReadOptions{Sink: d})
	d.Close()
	return all
}

// Nor is anything that is said of the connections that could be: each alert, of
// each side and level, after each part of a handshake.
func TestNothingContradictedOfAny(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	leaf := newCertificate(t, nil)
	self := newCertificate(t, func(c *x509.Certificate) { c.Subject.CommonName = "ca" })
	hello13 := said(client, &tlswire.ClientHello{LegacyVersion: tlswire.VersionTLS12, CipherSuites: suites, Extensions: []tlswire.Extension{
		{Type: tlswire.ExtensionSupportedVersions, Body: &tlswire.SupportedVersions{Versions: []tlswire.Version{tlswire.VersionTLS13}}},
		{Type: tlswire.ExtensionSupportedGroups, Body: &tlswire.NamedGroupList{Groups: []tlswire.NamedGroup{tlswire.GroupX25519}}},
		{Type: tlswire.ExtensionSignatureAlgorithms, Body: &tlswire.SignatureSchemeList{Schemes: []tlswire.SignatureScheme{tlswire.SchemeEd25519}}}}})
	request13 := said(server, &tlswire.CertificateRequest{})
	request12, done := said(server, &tlswire.CertificateRequestTLS12{}), said(server, &tlswire.ServerHelloDone{})
	tried := 0
	for name, begin := range map[string]struct {
		version tlswire.Version
		asked   bool
		said    []*tlsdecrypt.Message
	}{
		"nothing":                   {0, false, nil},
		"hello":                     {0, false, []*tlsdecrypt.Message{hello()}},
		"hello of 1.3":              {0, false, []*tlsdecrypt.Message{hello13}},
		"ServerHello":               {tlswire.VersionTLS12, false, []*tlsdecrypt.Message{hello(), serverHello()}},
		"1.2, unasked":              {tlswire.VersionTLS12, false, []*tlsdecrypt.Message{hello(), serverHello(), shows(server, leaf.Raw), done}},
		"1.2, asked":                {tlswire.VersionTLS12, true, []*tlsdecrypt.Message{hello(), serverHello(), shows(server, leaf.Raw), request12, done}},
		"1.2, none sent":            {tlswire.VersionTLS12, true, []*tlsdecrypt.Message{hello(), serverHello(), shows(server, leaf.Raw), request12, done, shows12(client)}},
		"1.2, one sent":             {tlswire.VersionTLS12, true, []*tlsdecrypt.Message{hello(), serverHello(), shows(server, leaf.Raw), request12, done, shows12(client, leaf.Raw), signature(client, tlsdecrypt.Holds)}},
		"1.2, signed by itself":     {tlswire.VersionTLS12, true, []*tlsdecrypt.Message{hello(), serverHello(), shows(server, self.Raw), request12, done, shows12(client, self.Raw)}},
		"1.3, hidden":               {tlswire.VersionTLS13, false, []*tlsdecrypt.Message{hello13, serverHello(), sealed(server, 900), sealed(client, 100)}},
		"1.3, unasked":              {tlswire.VersionTLS13, false, []*tlsdecrypt.Message{hello13, serverHello(), shows(server, leaf.Raw), signature(server, tlsdecrypt.Holds), finished(server)}},
		"1.3, unasked, and success": {tlswire.VersionTLS13, false, []*tlsdecrypt.Message{hello13, serverHello(), shows(server, leaf.Raw), finished(server), finished(client)}},
		"1.3, asked":                {tlswire.VersionTLS13, true, []*tlsdecrypt.Message{hello13, serverHello(), request13, shows(server, leaf.Raw), finished(server)}},
		"1.3, none sent":            {tlswire.VersionTLS13, true, []*tlsdecrypt.Message{hello13, serverHello(), request13, shows(server, leaf.Raw), finished(server), shows(client), finished(client)}},
		"1.3, one sent":             {tlswire.VersionTLS13, true, []*tlsdecrypt.Message{hello13, serverHello(), request13, shows(server, leaf.Raw), finished(server), shows(client, leaf.Raw), signature(client, tlsdecrypt.Holds), finished(client)}},
	} {
		for n := range 257 { // the last is none
			for _, by := range []endpoint.Side{server, client} {
				for _, say := range []func(endpoint.Side, tlswire.AlertDescription) *tlsdecrypt.Message{alert, warning} {
					var more []*tlsdecrypt.Message
					if n < 256 {
						more = append(more, say(by, tlswire.AlertDescription(n)))
					}
					c := talk(begin.version, begin.said...)(more...)
					c.ClientAuth = begin.asked
					if begin.version == tlswire.VersionTLS12 {
						c.CipherSuite, c.Group = 0xc02f, tlswire.GroupX25519
					}
					tried++
					v := judgeWire(ended(c, by))
					for _, wrong := range contradictions(c, v) {
						t.Errorf("%s, %v of the %v: %s\n\t%s; %q; fix %q", name, tlswire.AlertDescription(n), by, wrong, brief(v), v.Reason, v.Fix)
					}
					if v.Code != "" && v.Fix == "" || strings.Contains(v.Reason, "%!") {
						t.Errorf("%s, %v of the %v: %s, %q without a fix", name, tlswire.AlertDescription(n), by, brief(v), v.Reason)
					}
				}
			}
		}
	}
	t.Logf("%d verdicts", tried)
}

// shows12 is a Certificate of TLS 1.2.
func shows12(from endpoint.Side, ders ...[]byte) *tlsdecrypt.Message {
	return said(from, &tlswire.CertificateTLS12{Certificates: ders})
}
