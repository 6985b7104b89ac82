package verdict

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// serverOf and clientOf are connections on which a side shows a certificate,
// and the other one sends an alert.
func serverOf(m *tlsdecrypt.Message, d tlswire.AlertDescription) *tlsdecrypt.Connection {
	return ended(talk(tlswire.VersionTLS12, hello(), serverHello(), m)(alert(endpoint.Client, d)), endpoint.Client)
}

func clientOf(m *tlsdecrypt.Message, d tlswire.AlertDescription, more ...*tlsdecrypt.Message) *tlsdecrypt.Connection {
	said := asked(talk(tlswire.VersionTLS12, hello(), serverHello(), shows(endpoint.Server, nil), m))
	return ended(said(append(slices.Clone(more), alert(endpoint.Server, d))...), endpoint.Server)
}

// An alert and the certificate together show why a side was refused.
func TestWhyByCertificate(t *testing.T) {
	leaf := newCertificate(t, nil)
	above := newCertificate(t, func(c *x509.Certificate) { c.Subject.CommonName = "between" })
	fault := func(code Code) *chain.Fault { return &chain.Fault{Code: code, Cert: leaf, Text: "is " + string(code)} }
	shown := func(faults ...*chain.Fault) *tlsdecrypt.Message {
		return checkedAs(shows(endpoint.Client, leaf.Raw), tlsdecrypt.Fails, faults...)
	}
	for name, test := range map[string]struct {
		c    *tlsdecrypt.Connection
		code Code
		want string
	}{
		"the fault that the checks found":        {clientOf(shown(fault(chain.WrongUsage)), tlswire.AlertBadCertificate), chain.WrongUsage, "the client's certificate is wrong_usage"},
		"of two the one that the alert means":    {clientOf(shown(fault(chain.WrongUsage), fault(chain.Expired)), tlswire.AlertCertificateExpired), chain.Expired, "the client's certificate is expired"},
		"the first where it means both":          {clientOf(shown(fault(chain.WrongUsage), fault(chain.Expired)), tlswire.AlertCertificateUnknown), chain.WrongUsage, "the client's certificate is wrong_usage"},
		"none that the alert cannot mean":        {clientOf(shown(fault(chain.WrongUsage)), tlswire.AlertUnknownCA), chain.UnknownCA, "the server sent unknown_ca: it does not trust the CA of the client's certificate"},
		"nor an alert that is of something else": {clientOf(shown(fault(chain.Expired)), tlswire.AlertProtocolVersion), Other, "the server sent protocol_version, although the two had agreed on TLS 1.2: to it something that came then is no TLS record, or one of another version"},
		"a certificate above":                    {clientOf(shown(&chain.Fault{Code: chain.Expired, Cert: above, Text: "has expired"}), tlswire.AlertCertificateExpired), chain.Expired, "the client's certificate leads through CN=between, which has expired"},
		"a doubt is no fault":                    {clientOf(checkedAs(shows(endpoint.Client, leaf.Raw), tlsdecrypt.Unknown, fault(chain.WrongHost)), tlswire.AlertBadCertificate), RefusedByCertificate, "the server sent bad_certificate: it refuses the client's certificate, and only its own log knows why"},
		"a signature that is wrong":              {clientOf(shown(), tlswire.AlertDecryptError, signature(endpoint.Client, tlsdecrypt.Fails)), BadSignature, "the client does not have the private key of its certificate: its signature is wrong"},
		"after a fault of the certificate":       {clientOf(shown(fault(chain.Expired)), tlswire.AlertBadCertificate, signature(endpoint.Client, tlsdecrypt.Fails)), chain.Expired, "the client's certificate is expired"},
		"before one, by an alert about both":     {clientOf(shown(fault(chain.LookAlikeCA)), tlswire.AlertDecryptError, signature(endpoint.Client, tlsdecrypt.Fails)), BadSignature, "the client does not have the private key of its certificate: its signature is wrong"},
		"a signature that was not meant":         {clientOf(shown(), tlswire.AlertProtocolVersion, signature(endpoint.Client, tlsdecrypt.Fails)), Other, "the server sent protocol_version, although the two had agreed on TLS 1.2: to it something that came then is no TLS record, or one of another version"},
		"a signature that is right":              {clientOf(shown(), tlswire.AlertDecryptError, signature(endpoint.Client, tlsdecrypt.Holds)), RefusedByCertificate, "the server sent decrypt_error, although the client has signed with the key of its certificate: the signature on that certificate must be wrong for it, or the message was changed on the way"},
		"dates that are right":                   {clientOf(shown(), tlswire.AlertCertificateExpired), RefusedByCertificate, "the server sent certificate_expired: to it the client's certificate, a CA above it or a CRL has expired, or is not valid yet; yet the dates of the certificate itself are right"},
		"no certificate":                         {clientOf(shows(endpoint.Client), tlswire.AlertHandshakeFailure), NoClientCertificate, noClientCertificate},
		"no certificate, to GnuTLS":              {clientOf(shows(endpoint.Client), tlswire.AlertDecodeError), NoClientCertificate, noClientCertificate},
		"no certificate, and another reason":     {clientOf(shows(endpoint.Client), tlswire.AlertInternalError), Other, "the server sent internal_error: something went wrong in the server itself, or a check of its own failed"},
		"nothing in common":                      {ended(talk(0, hello())(alert(endpoint.Server, tlswire.AlertHandshakeFailure)), endpoint.Server), Other, nothingInCommon},
		"a server's fault":                       {serverOf(checkedAs(shows(endpoint.Server, leaf.Raw), tlsdecrypt.Fails, fault(chain.WrongHost)), tlswire.AlertBadCertificate), chain.WrongHost, "the server's certificate is wrong_host"},
		"a server that is refused":               {serverOf(shows(endpoint.Server, leaf.Raw), tlswire.AlertUnknownCA), chain.UnknownCA, "the client sent unknown_ca: it does not trust the CA of the server's certificate"},
		"an empty certificate of a server":       {serverOf(shows(endpoint.Server), tlswire.AlertHandshakeFailure), Other, "the server sent no certificate"},
		"an empty one, as OpenSSL has it":        {serverOf(shows(endpoint.Server), tlswire.AlertDecodeError), Other, "the server sent no certificate"},
		"an empty one, and closed on it":         {ended(talk(tlswire.VersionTLS12, hello(), serverHello(), shows(endpoint.Server))(), endpoint.Client), Other, "the server sent no certificate"},
		"an empty one, and another reason":       {serverOf(shows(endpoint.Server), tlswire.AlertInternalError), Other, "the client sent internal_error: something went wrong in the client itself, or a check of its own failed"},
		"closed on a client without one":         {ended(asked(talk(tlswire.VersionTLS12, hello(), serverHello(), shows(endpoint.Client)))(), endpoint.Server), NoClientCertificate, noClientCertificate + ", and the server closed the connection without an alert"},
		"closed on a client with a fault":        {ended(asked(talk(tlswire.VersionTLS12, hello(), serverHello(), shown(fault(chain.Expired))))(), endpoint.Server), chain.Expired, "the client's certificate is expired, and the server closed the connection without an alert"},
		"closed on a wrong signature":            {ended(asked(talk(tlswire.VersionTLS12, hello(), serverHello(), shown(), signature(endpoint.Client, tlsdecrypt.Fails)))(), endpoint.Server), BadSignature, "the client does not have the private key of its certificate: its signature is wrong"},
	} {
		v := judgeWire(test.c)
		if v.Outcome != Rejected || v.Code != test.code || v.Reason != test.want {
			t.Errorf("%s: %s, %q, want %s, %q", name, brief(v), v.Reason, test.code, test.want)
		}
	}
}

// That the dates are right is said of dates that were looked at. The alert by
// itself does not say what has expired: text, causes and fix leave that open.
func TestWhyExpired(t *testing.T) {
	const plain = "the client sent certificate_expired: to it the server's certificate, a CA above it or a CRL has expired, or is not valid yet"
	shown := func(change func(*x509.Certificate)) *tlsdecrypt.Connection {
		return serverOf(shows(endpoint.Server, newCertificate(t, change).Raw), tlswire.AlertCertificateExpired)
	}
	timeless := shown(nil)
	for _, m := range timeless.Messages {
		m.Time = time.Time{}
	}
	hidden := ended(talk(tlswire.VersionTLS13, hello(), serverHello(), sealed(endpoint.Server, 900))(opened(alert(endpoint.Client, tlswire.AlertCertificateExpired))), endpoint.Client)
	for name, test := range map[string]struct {
		c            *tlsdecrypt.Connection
		code         Code
		want, causes string
	}{
		"in date":        {shown(nil), RefusedByCertificate, plain + "; yet the dates of the certificate itself are right", "expired not_yet_valid crl_stale"},
		"over":           {shown(func(c *x509.Certificate) { c.NotAfter = start.Add(-time.Minute) }), chain.Expired, plain, "expired not_yet_valid expired crl_stale"},
		"without times":  {timeless, chain.Expired, plain, "expired not_yet_valid expired crl_stale"},
		"not to be seen": {hidden, chain.Expired, plain, "expired not_yet_valid expired crl_stale"},
	} {
		v := judgeWire(test.c)
		if causes := strings.Join(codesOf(v.Causes), " "); v.Code != test.code || v.Reason != test.want || causes != test.causes {
			t.Errorf("%s: %s, %q, causes %s, want %s, %q, %s", name, v.Code, v.Reason, causes, test.code, test.want, test.causes)
		}
		if strings.HasPrefix(v.Fix, "renew") || !strings.Contains(v.Fix, "clock of the client") {
			t.Errorf("%s: fix %q", name, v.Fix)
		}
	}
}

// A fault that is open has causes, one that is proven has none.
func TestWhyOpenFault(t *testing.T) {
	leaf := newCertificate(t, nil)
	for open, want := range map[bool]bool{true: true, false: false} {
		f := &chain.Fault{Code: chain.UnknownCA, Cert: leaf, Text: "leads elsewhere", Reported: open}
		v := judgeWire(clientOf(checkedAs(shows(endpoint.Client, leaf.Raw), tlsdecrypt.Fails, f), tlswire.AlertUnknownCA))
		if v.Code != chain.UnknownCA || len(v.Causes) > 0 != want {
			t.Errorf("open %v: %s, causes %v", open, v.Code, v.Causes)
		}
	}
}

// codesOf are the codes of causes.
func codesOf(causes []Cause) (codes []string) {
	for _, c := range causes {
		codes = append(codes, string(c.Code))
	}
	return codes
}

// The likeliest cause comes first, and what the capture rules out is left out.
func TestCauses(t *testing.T) {
	at := func(change func(*x509.Certificate)) *tlsdecrypt.Message {
		return shows(endpoint.Server, newCertificate(t, change).Raw)
	}
	ofClient := func(change func(*x509.Certificate)) *tlsdecrypt.Message {
		return shows(endpoint.Client, newCertificate(t, change).Raw)
	}
	named := func(c *tlsdecrypt.Connection, name string) *tlsdecrypt.Connection {
		c.ServerName = name
		return c
	}
	timeless := func(c *tlsdecrypt.Connection) *tlsdecrypt.Connection {
		for _, m := range c.Messages {
			m.Time = time.Time{}
		}
		return c
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	short := newCertificate(t, nil)
	short.PublicKey = &weak.PublicKey
	hidden := asked(talk(tlswire.VersionTLS13, hello(), serverHello(), sealed(endpoint.Server, 900)))
	for name, test := range map[string]struct {
		c    *tlsdecrypt.Connection
		want string
	}{
		"a good server certificate, for the name":    {named(serverOf(at(nil), tlswire.AlertBadCertificate), "example.org"), "unknown_ca look_alike_ca revoked bad_signature"},
		"for another name":                           {named(serverOf(at(nil), tlswire.AlertBadCertificate), "example.net"), "wrong_host unknown_ca look_alike_ca revoked bad_signature"},
		"for a name that is not known":               {serverOf(at(nil), tlswire.AlertBadCertificate), "unknown_ca look_alike_ca wrong_host revoked bad_signature"},
		"without names":                              {serverOf(at(func(c *x509.Certificate) { c.DNSNames = nil }), tlswire.AlertBadCertificate), "no_san unknown_ca look_alike_ca revoked bad_signature"},
		"for an address":                             {named(serverOf(at(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, []net.IP{{192, 0, 2, 1}} }), tlswire.AlertBadCertificate), "example.org"), "wrong_host unknown_ca look_alike_ca revoked bad_signature"},
		"for a client alone":                         {named(serverOf(at(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), tlswire.AlertBadCertificate), "example.org"), "wrong_usage unknown_ca look_alike_ca revoked bad_signature"},
		"for any use: a CA above may restrict it":    {named(serverOf(at(func(c *x509.Certificate) { c.ExtKeyUsage = nil }), tlswire.AlertBadCertificate), "example.org"), "unknown_ca look_alike_ca wrong_usage revoked bad_signature"},
		"signed by itself":                           {named(serverOf(at(func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "ca"} }), tlswire.AlertBadCertificate), "example.org"), "unknown_ca look_alike_ca self_signed bad_signature"},
		"a capture without times":                    {named(timeless(serverOf(at(nil), tlswire.AlertBadCertificate)), "example.org"), "unknown_ca look_alike_ca expired not_yet_valid revoked bad_signature"},
		"a signature that holds":                     {named(ended(talk(tlswire.VersionTLS12, hello(), serverHello(), at(nil), signature(endpoint.Server, tlsdecrypt.Holds))(alert(endpoint.Client, tlswire.AlertCertificateUnknown)), endpoint.Client), "example.org"), "unknown_ca look_alike_ca revoked"},
		"a client's certificate":                     {clientOf(ofClient(nil), tlswire.AlertBadCertificate), "look_alike_ca unknown_ca revoked bad_signature crl_missing crl_stale"},
		"of a server alone":                          {clientOf(ofClient(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), tlswire.AlertAccessDenied), "wrong_usage look_alike_ca unknown_ca revoked bad_signature crl_missing crl_stale"},
		"a client's that is hidden":                  {ended(hidden(alert(endpoint.Server, tlswire.AlertBadCertificate)), endpoint.Server), "no_client_certificate unknown_ca look_alike_ca expired not_yet_valid wrong_usage self_signed revoked bad_signature weak_key crl_missing crl_stale"},
		"a server's that is hidden":                  {ended(hidden(alert(endpoint.Client, tlswire.AlertBadCertificate)), endpoint.Client), "unknown_ca look_alike_ca wrong_host no_san expired not_yet_valid wrong_usage self_signed revoked bad_signature weak_key"},
		"unknown_ca of a server":                     {clientOf(ofClient(nil), tlswire.AlertUnknownCA), "look_alike_ca unknown_ca path_too_long crl_missing"},
		"unknown_ca of a client":                     {serverOf(at(nil), tlswire.AlertUnknownCA), "unknown_ca look_alike_ca"},
		"unsupported_certificate, and all is well":   {serverOf(at(nil), tlswire.AlertUnsupportedCertificate), ""},
		"a key that is not for signatures":           {serverOf(at(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), tlswire.AlertUnsupportedCertificate), "wrong_key_usage"},
		"a key without usages":                       {serverOf(at(func(c *x509.Certificate) { c.KeyUsage = 0 }), tlswire.AlertUnsupportedCertificate), ""},
		"certificate_expired, with right dates":      {serverOf(at(nil), tlswire.AlertCertificateExpired), "expired not_yet_valid crl_stale"},
		"the same, of a client's":                    {clientOf(ofClient(nil), tlswire.AlertCertificateExpired), "expired crl_stale not_yet_valid"},
		"decrypt_error":                              {serverOf(at(nil), tlswire.AlertDecryptError), "bad_signature look_alike_ca"},
		"handshake_failure before an answer":         {ended(talk(0, hello())(alert(endpoint.Server, tlswire.AlertHandshakeFailure)), endpoint.Server), "no_common_cipher_suite no_common_group no_common_signature_algorithm no_common_version"},
		"handshake_failure of a server":              {clientOf(ofClient(nil), tlswire.AlertHandshakeFailure), "unknown_ca no_common_signature_algorithm"},
		"handshake_failure of it, the client hidden": {ended(hidden(alert(endpoint.Server, tlswire.AlertHandshakeFailure)), endpoint.Server), "unknown_ca wrong_usage no_common_signature_algorithm"},
		"handshake_failure of a client":              {serverOf(at(nil), tlswire.AlertHandshakeFailure), "unknown_ca no_common_group"},
		"closed on the server's certificate":         {ended(talk(tlswire.VersionTLS12, hello(), serverHello(), at(nil))(), endpoint.Client), "unknown_ca look_alike_ca wrong_host revoked bad_signature"},
		"closed on the client's certificate":         {ended(talk(tlswire.VersionTLS12, hello(), serverHello(), at(nil), ofClient(nil))(), endpoint.Server), "look_alike_ca unknown_ca revoked bad_signature crl_missing crl_stale"},
		"closed before a certificate":                {ended(talk(tlswire.VersionTLS12, hello(), serverHello())(), endpoint.Server), ""},
		"internal_error has none":                    {serverOf(at(nil), tlswire.AlertInternalError), ""},
	} {
		if got := strings.Join(codesOf(judgeWire(test.c).Causes), " "); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	for bits, want := range map[*x509.Certificate]bool{short: false, newCertificate(t, nil): true} {
		w := &wire{Connection: &tlsdecrypt.Connection{}}
		w.shown.Server = certificate{seen: true, leaf: bits}
		if got := w.rulesOut(weakKey, endpoint.Client, tlswire.AlertBadCertificate); got != want {
			t.Errorf("a weak key is ruled out: %v, want %v", got, want)
		}
	}
}

// Every cause that may be named has words, which name both sides right.
func TestCausesHaveWords(t *testing.T) {
	descriptions := []tlswire.AlertDescription{0}
	for d := range 256 {
		descriptions = append(descriptions, tlswire.AlertDescription(d))
	}
	for _, d := range descriptions {
		for _, by := range []endpoint.Side{endpoint.Server, endpoint.Client} {
			for _, answered := range []bool{true, false} {
				list := suspects(d, by, answered)
				for i, s := range list {
					if s.text == "" || s.tell == "" || fixes[s.code] == "" {
						t.Errorf("%v by %v: %+v lacks words", d, by, s)
					}
					if slices.Contains(list[:i], s) {
						t.Errorf("%v by %v: %q twice", d, by, s.text)
					}
				}
			}
		}
	}
	for by, want := range map[endpoint.Side]Cause{
		endpoint.Server: {chain.UnknownCA, "the server does not trust the CA of the client's certificate, or an intermediate certificate was not sent along", "openssl verify -CAfile CA.pem -untrusted CHAIN.pem CERT.pem, with the CA that the server trusts"},
		endpoint.Client: {chain.UnknownCA, "the client does not trust the CA of the server's certificate, or an intermediate certificate was not sent along", "openssl verify -CAfile CA.pem -untrusted CHAIN.pem CERT.pem, with the CA that the client trusts"},
	} {
		w := &wire{Connection: &tlsdecrypt.Connection{}, answered: true}
		w.Hidden = true
		causes := w.causes(by)
		if !slices.Contains(causes, want) {
			t.Errorf("%v, want %v", causes, want)
		}
		for _, c := range causes {
			if strings.ContainsAny(c.Text+c.Tell, "{}") {
				t.Errorf("%v", c)
			}
		}
	}
}

// What the client offered is named where the server finds it wanting.
func TestWhyNamesOffers(t *testing.T) {
	versions := tlswire.Extension{Type: tlswire.ExtensionSupportedVersions, Body: &tlswire.SupportedVersions{Versions: []tlswire.Version{0x0a0a, tlswire.VersionTLS12, tlswire.VersionTLS11}}}
	alpn := tlswire.Extension{Type: tlswire.ExtensionALPN, Body: &tlswire.ProtocolNameList{Protocols: []string{"h2", "spdy/3"}}}
	name := tlswire.Extension{Type: tlswire.ExtensionServerName, Body: &tlswire.ServerNameList{Names: []tlswire.ServerName{{Name: "example.net"}}}}
	for d, want := range map[tlswire.AlertDescription]string{
		tlswire.AlertProtocolVersion:       "the server sent protocol_version: it does not speak the client's version of TLS: the client offers TLS 1.2, TLS 1.1",
		tlswire.AlertNoApplicationProtocol: "the server sent no_application_protocol: it speaks no protocol that the client offers: h2, spdy/3",
		tlswire.AlertUnrecognizedName:      "the server sent unrecognized_name: it has no host of the name that the client asked for: example.net",
		tlswire.AlertInsufficientSecurity:  "the server sent insufficient_security: what the client offers is too weak for it",
	} {
		c := read(t, sends(endpoint.Client, helloOf(versions, alpn, name)), sends(endpoint.Server, recordOf(tlswire.ContentTypeAlert, []byte{2, byte(d)})))
		if v := judgeWire(c); v.Reason != want {
			t.Errorf("%q, want %q", v.Reason, want)
		}
	}
	// With two versions on offer, another one than the server's is not the cause.
	c := read(t, sends(endpoint.Client, helloOf(versions)), sends(endpoint.Server, recordOf(tlswire.ContentTypeAlert, []byte{2, byte(tlswire.AlertHandshakeFailure)})))
	if got := codesOf(judgeWire(c).Causes); slices.Contains(got, string(NoCommonVersion)) || len(got) != 3 {
		t.Error(got)
	}
	c = read(t, sends(endpoint.Client, helloOf()), sends(endpoint.Server, recordOf(tlswire.ContentTypeAlert, []byte{2, byte(tlswire.AlertHandshakeFailure)})))
	if got := codesOf(judgeWire(c).Causes); !slices.Contains(got, string(NoCommonVersion)) {
		t.Error(got)
	}
}
