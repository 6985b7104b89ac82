package probe

import (
	"cmp"
	"embed"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"mtlslab.example/lab/lab/scenario"
)

//go:embed cases/*.yaml
var ownCases embed.FS

// Case is one thing that is tried.
type Case struct {
	Name  string
	Title string // one line
	// Lesson is the scenario to learn it from; "": there is none.
	Lesson string

	// Of what must not be let in.
	lets Judgement // what it is to be let in: Wrong or Warning
	hole string    // what that means, in a sentence without a full stop
	fix  string    // what to change about it

	needs  need
	script *scenario.Scenario // that makes the certificate; nil: run does it all
	run    runner             // nil: the certificate is shown, and must be refused
	all    rowRunner          // in place of run: tries all versions
	once   bool               // and not in each version
}

// need is what a case needs besides the good certificate.
type need uint

const (
	needCAKey       need = 1 << iota // the key of the CA for clients
	needServerCAKey                  // that of the CA for servers
	needRevoked
	needHeader
	needHTTP
	needBetween // CAs between the good certificate and its root
	needHosts   // further hosts of the server
	needRefusal // of clients without a certificate
)

// What to change about a server that lets in too many.
const (
	fixRequire = "have the server require a certificate (nginx: ssl_verify_client on, Apache: SSLVerifyClient require, HAProxy: verify required, Python: CERT_REQUIRED, Node: requestCert and rejectUnauthorized, Java: setNeedClientAuth, Go: RequireAndVerifyClientCert, PostgreSQL: clientcert=verify-ca)"
	fixVerify  = "have the server check the chain, and refuse what does not hold (nginx: ssl_verify_client on, not optional_no_ca; Apache: require, not optional_no_ca; HAProxy: no crt-ignore-err; Node: rejectUnauthorized; Go: RequireAndVerifyClientCert, not RequireAnyClientCert; OpenSSL: -verify_return_error)"
	fixDates   = "have the server check the dates (HAProxy: no crt-ignore-err, OpenSSL: no X509_V_FLAG_NO_CHECK_TIME), and look at its clock"
	fixUsage   = "have the server check the extended key usage clientAuth (OpenSSL does under its default purpose; Go: KeyUsages in VerifyOptions; Java: the trust manager's checkClientTrusted)"
	fixCRL     = "give the server the CRL, and load it again after each change (nginx: ssl_crl, Apache: SSLCARevocationFile and SSLCARevocationCheck chain, HAProxy: crl-file, PostgreSQL: ssl_crl_file, OpenSSL: -CRL and -crl_check, Python: load_verify_locations with the CRL and verify_flags |= VERIFY_CRL_CHECK_LEAF, Node: crl, Go: VerifyConnection that looks into an x509.RevocationList, Java: PKIXRevocationChecker with a CertStore of CRLs)"
)

// cases returns all, in the order in which they are told.
var cases = sync.OnceValue(func() []*Case {
	all := []*Case{
		{Name: "untrusted-client-forced", hole: "a certificate of a CA that nobody knows is enough", fix: fixVerify},
		{Name: "self-signed-client", hole: "a certificate that signs itself is enough, which anybody can make with any name", fix: fixVerify},
		{Name: "look-alike-ca", hole: "the server knows its CA by the name alone: anybody can make a CA of that name", fix: fixVerify},
		{Name: "client-key-mismatch", run: runImpostor, hole: "the server does not check the signature in CertificateVerify: the certificate, which is no secret, is enough without its key", fix: "use a TLS library for the handshake as it is: RFC 9846 section 4.5.2 has no exception"},
		{Name: "expired-client", needs: needCAKey, hole: "a certificate that ended years ago is still enough", fix: fixDates},
		{Name: "not-yet-valid-client", needs: needCAKey, hole: "a certificate that is valid only from 2090 on is enough", fix: fixDates},
		{Name: "client-wrong-eku", needs: needCAKey, hole: "a certificate for servers is enough: whoever runs a server of this CA is a client, too", fix: fixUsage},
		{Name: "client-of-intermediate", Lesson: "long-chain", needs: needCAKey, run: runLongChain},
		{Name: "client-missing-intermediate", needs: needCAKey, hole: "the CA between was never sent, and the server cannot have checked its signature", fix: fixVerify},
		{Name: "client-of-a-client", Lesson: "intermediate-not-a-ca", needs: needCAKey, hole: "whoever has a certificate can make others, with any name"},
		{Name: "client-path-length", Lesson: "path-length-exceeded", needs: needCAKey, hole: "a CA that may only issue certificates can make other CAs"},
		{Name: "client-name-constraint", Lesson: "name-constraint-violated", needs: needCAKey, hole: "a CA that may vouch for some names only vouches for others"},
		{Name: "client-unknown-critical", Lesson: "unknown-critical-extension", needs: needCAKey, hole: "a condition that the CA has marked as critical is ignored"},
		{Name: "client-of-server-ca", needs: needServerCAKey, hole: "the CA for servers can make clients"},
		{Name: "ca-as-client", needs: needCAKey, hole: "the CA's own certificate lets in"},
		{Name: "weak-client-key", needs: needCAKey, hole: "a certificate with an RSA key of 1024 bits lets in"},
		{Name: "client-other-subject", Lesson: "authenticated-but-not-authorised", needs: needCAKey, lets: Warning, hole: "any certificate of the CA is enough, whatever its name"},
		{Name: "revoked-client", needs: needRevoked, lets: Wrong, run: runRevoked, hole: "a certificate that is revoked is still enough", fix: fixCRL},
		{Name: "resumed-after-revocation", needs: needRevoked, all: runAfterRevocation, hole: "a session goes on although its certificate is revoked", fix: "have the server check the certificate of a session again, or drop sessions with each new CRL (nginx: ssl_session_cache off and ssl_session_tickets off, Apache: SSLSessionCache none, HAProxy: no-tls-tickets and tune.ssl.cachesize 0)"},
		{Name: "resumed-after-expiry", Lesson: "resumption-psk", needs: needCAKey, all: runExpiry, hole: "a session goes on although its certificate has expired"},
		{Name: "intermediate-as-root", Lesson: "client-missing-intermediate", needs: needBetween, run: runLeafAlone},
		{Name: "other-host", Lesson: "sni-two-certificates", needs: needHTTP | needRefusal, once: true, run: runOtherHosts},
		{Name: "host-bypass", Lesson: "misdirected-request", needs: needHTTP | needRefusal, once: true, run: runHostBypass, hole: "without a certificate, by another name, this host is answered for"},
		{Name: "session-of-another-host", Lesson: "resumption-psk", needs: needHTTP | needRefusal, run: runForeignSession, hole: "a session that another host of the server has given without a certificate is let in here"},
		{Name: "misdirected-request", needs: needHTTP | needHosts, once: true, lets: Warning, run: runMisdirected, hole: "a connection that was made for one host serves another, whose rules for certificates may differ", fix: "have the server answer 421 to a Host that is not of its connection's name, where the hosts have different rules"},
		{Name: "header-spoofed-identity", needs: needHeader | needHTTP, once: true, run: runHeader,
			hole: "the application takes the name in a header for the client's", fix: "have the proxy that ends TLS overwrite the header in every request (nginx: proxy_set_header, HAProxy: http-request set-header, Apache: RequestHeader set)"},
	}
	for _, c := range all {
		c.complete()
	}
	return all
})

// complete adds what the scenario of the case says.
func (c *Case) complete() {
	s, err := scenario.Find(c.Name)
	if err != nil {
		text, err := fs.ReadFile(ownCases, path.Join("cases", c.Name+".yaml"))
		if err != nil {
			panic("probe: no scenario is called " + c.Name) // a mistake in the table
		}
		if s, err = scenario.Parse(c.Name+".yaml", text); err != nil {
			panic(err)
		}
		c.fix = cmp.Or(c.fix, strings.ToLower(s.Fix[:1])+strings.TrimSuffix(s.Fix[1:], "."))
	} else {
		c.Lesson = cmp.Or(c.Lesson, c.Name)
	}
	c.Title = s.Title
	if c.lets == "" {
		if c.lets = Wrong; s.MayPass != "" {
			c.lets, c.hole = Warning, joinNonEmpty(c.hole, s.MayPass)
		}
	}
	if c.run == nil && c.all == nil || c.needs&needCAKey != 0 {
		c.script = s
	}
}

// The names of the controls, which are cases too.
const (
	goodCase   = "mtls"
	noneCase   = "no-client-cert"
	askCase    = "server-does-not-ask"
	mintedCase = "probe-certificate"

	mintedTitle = "A good certificate that the probe has made"
)

// notTried are the scenarios about clients that a probe cannot try, and why.
var notTried = []struct{ name, reason string }{
	{"untrusted-client-withheld", "on the wire the same as " + noneCase},
	{"client-withheld-for-eku", "on the wire the same as " + noneCase},
	{"public-cert-without-client-auth", "needs the key of a public CA; client-wrong-eku is the same under yours"},
	{"missing-crl", "needs a change of the server's files"},
	{"stale-crl", "needs a change of the server's files"},
	{"revoked-intermediate", "needs a CA that the server's CRL has, and its key"},
}

// Entry is a case by its name, and what it is in one line.
type Entry struct{ Name, Title string }

// Catalogue returns the cases of lab probe server in their order: the controls,
// those that are tried, and those that cannot be.
func Catalogue() []Entry {
	all := []Entry{
		{offersCase, "What the server offers: versions, suites, groups, ALPN, its chain"},
		{goodCase, "The good certificate, which must be let in"},
		{askCase, titleOf(askCase)}, {noneCase, titleOf(noneCase)}, {mintedCase, mintedTitle},
	}
	for _, c := range cases() {
		all = append(all, Entry{c.Name, c.Title})
	}
	for _, c := range notTried {
		all = append(all, Entry{c.name, titleOf(c.name) + " (not tried: " + c.reason + ")"})
	}
	return all
}

// CaseNames returns the names of the catalogue.
func CaseNames() (names []string) {
	for _, e := range Catalogue() {
		names = append(names, e.Name)
	}
	return names
}

// isChosen reports whether --only and --skip leave a case.
func (o *ServerOptions) isChosen(name string) bool {
	return (len(o.Only) == 0 || slices.Contains(o.Only, name)) && !slices.Contains(o.Skip, name)
}
