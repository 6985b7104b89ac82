package probe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/starttls"
)

// target is a server in one of its configurations.
type target struct {
	program, name string // "right" is right
	start         func(t testing.TB, p *pki) (port string)
	wrong, warned string // what the probe finds, in the order of the names
	protocol      string // "": HTTP
}

const crlWarned = "client-of-intermediate client-other-subject" // a CRL of each CA is wanted

// The faults that are let in where any chain will do, or one that leads to no
// known CA.
var (
	anyChain = without(allFaults, "client-key-mismatch")
	ignored  = without(anyChain, "client-name-constraint", "client-unknown-critical") // by HAProxy, whose crt-ignore-err has the errors up to 63
	noCA     = "client-missing-intermediate client-of-server-ca look-alike-ca no-client-cert revoked-client self-signed-client untrusted-client-forced"
)

// nearTargets are those of every run.
var nearTargets = []target{
	goTarget("right", func(p *pki, c *tls.Config) { c.VerifyPeerCertificate = p.notRevoked }, "", goLets),
	goTarget("right, TLS 1.2", func(p *pki, c *tls.Config) { c.VerifyPeerCertificate, c.MaxVersion = p.notRevoked, tls.VersionTLS12 }, "", goLets),
	goTarget("right, HTTP/2 alone", func(p *pki, c *tls.Config) { c.VerifyPeerCertificate, c.NextProtos = p.notRevoked, []string{"h2"} }, "", goLets),
	goTarget("no CRL", func(*pki, *tls.Config) {}, "revoked-client", goLets),
	goTarget("VerifyClientCertIfGiven", func(_ *pki, c *tls.Config) { c.ClientAuth = tls.VerifyClientCertIfGiven }, "no-client-cert revoked-client", goLets),
	goTarget("RequireAnyClientCert", func(_ *pki, c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }, anyChain, goLets),
	goTarget("no ClientAuth", func(_ *pki, c *tls.Config) { c.ClientAuth = tls.NoClientCert }, "no-client-cert server-does-not-ask", ""),
	goTarget("the CA for servers, too", func(p *pki, c *tls.Config) { c.ClientCAs = p.pool("client-ca", "server-ca") }, "client-of-server-ca revoked-client", goLets),
	goTarget("any extended key usage", func(p *pki, c *tls.Config) {
		c.ClientAuth, c.VerifyPeerCertificate = tls.RequireAnyClientCert, p.anyUsage
	}, "client-wrong-eku revoked-client", goLets),
	goTarget("the wrong CA, and the right one", func(p *pki, c *tls.Config) { c.ClientCAs = p.pool("client-ca", "other-ca") }, "revoked-client", goLets),

	nginxTarget("right", "ssl_verify_client on; ssl_client_certificate CA; ssl_crl CRL;", "", crlWarned),
	nginxTarget("no ssl_crl", "ssl_verify_client on; ssl_client_certificate CA;", "revoked-client", opensslLets),
	nginxTarget("depth 0", "ssl_verify_client on; ssl_verify_depth 0; ssl_client_certificate CA;", "revoked-client", crlWarned),
	nginxTarget("optional", "ssl_verify_client optional; ssl_client_certificate CA; ssl_crl CRL;", "no-client-cert", crlWarned),
	nginxTarget("optional_no_ca", "ssl_verify_client optional_no_ca; ssl_client_certificate CA;", noCA, opensslLets),
	nginxTarget("depth 1", "ssl_verify_client on; ssl_verify_depth 1; ssl_client_certificate CA;", "revoked-client", opensslLets),
	nginxTarget("off", "", "no-client-cert server-does-not-ask", ""),
	nginxTarget("the CA for servers, too", "ssl_verify_client on; ssl_client_certificate BOTH;", "client-of-server-ca revoked-client", opensslLets),

	opensslTarget("right", "-Verify 9 -verify_return_error -CAfile CA+CRL -crl_check", "", crlWarned),
	opensslTarget("no -crl_check", "-Verify 9 -verify_return_error -CAfile CA", "revoked-client", opensslLets),
	opensslTarget("-verify", "-verify 9 -verify_return_error -CAfile CA+CRL -crl_check", "no-client-cert", crlWarned),
	opensslTarget("no -verify_return_error", "-Verify 9 -CAfile CA", anyChain, goLets),
	opensslTarget("-purpose any", "-Verify 9 -verify_return_error -CAfile CA -purpose any", "client-wrong-eku revoked-client", with(opensslLets, "ca-as-client")),
	opensslTarget("-no_check_time", "-Verify 9 -verify_return_error -CAfile CA -no_check_time", "expired-client not-yet-valid-client revoked-client", opensslLets),
}

func goTarget(name string, change func(*pki, *tls.Config), wrong, warned string) target {
	return target{"Go", name, func(t testing.TB, p *pki) string {
		c := &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}
		change(p, c)
		return p.goServer(t, c, nil)
	}, wrong, warned, ""}
}

func nginxTarget(name, directives, wrong, warned string) target {
	return target{"nginx", name, func(t testing.TB, p *pki) string {
		return p.nginx(t, strings.NewReplacer("BOTH", p.join("client-ca.pem", "server-ca.pem"), "CRL", p.file("client-ca-crl.pem"), "CA", p.file("client-ca.pem")).Replace(directives))
	}, wrong, warned, ""}
}

func opensslTarget(name, flags, wrong, warned string) target {
	return target{"OpenSSL", name, func(t testing.TB, p *pki) string {
		return p.openssl(t, strings.Fields(strings.NewReplacer("CAfile CA+CRL", "CAfile "+p.join("client-ca.pem", "client-ca-crl.pem"), "CAfile CA", "CAfile "+p.file("client-ca.pem")).Replace(flags))...)
	}, wrong, warned, ""}
}

func caddyTarget(mode, wrong, warned string) target {
	return target{"Caddy", mode, func(t testing.TB, p *pki) string { return p.caddy(t, mode, p.file("client-ca.pem")) }, wrong, warned, ""}
}

// notRevoked refuses the certificate that is revoked.
func (p *pki) notRevoked(_ [][]byte, chains [][]*x509.Certificate) error {
	if revoked := p.pair("revoked"); len(chains) > 0 && chains[0][0].Equal(revoked.Leaf) {
		return errors.New("revoked")
	}
	return nil
}

// anyUsage verifies a chain for any extended key usage.
func (p *pki) anyUsage(ders [][]byte, _ [][]*x509.Certificate) error {
	between := x509.NewCertPool()
	var chain []*x509.Certificate
	for _, der := range ders {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		between.AddCert(c)
		chain = append(chain, c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: p.pool("client-ca"), Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err
}

// farTargets are those that only the full run has.
var farTargets = []target{
	{"Apache", "right", func(t testing.TB, p *pki) string {
		return p.apache(t, "SSLVerifyClient require\nSSLVerifyDepth 2\nSSLCARevocationFile "+p.file("client-ca-crl.pem")+"\nSSLCARevocationCheck chain")
	}, "", crlWarned, ""},
	{"Apache", "no CRL", func(t testing.TB, p *pki) string { return p.apache(t, "SSLVerifyClient require\nSSLVerifyDepth 2") }, "revoked-client", opensslLets, ""},
	{"Apache", "depth 1", func(t testing.TB, p *pki) string { return p.apache(t, "SSLVerifyClient require\nSSLVerifyDepth 1") }, "revoked-client", crlWarned, ""},
	{"Apache", "optional", func(t testing.TB, p *pki) string { return p.apache(t, "SSLVerifyClient optional\nSSLVerifyDepth 2") }, "no-client-cert revoked-client", opensslLets, ""},
	{"Apache", "optional_no_ca", func(t testing.TB, p *pki) string {
		return p.apache(t, "SSLVerifyClient optional_no_ca\nSSLVerifyDepth 2")
	}, noCA, opensslLets, ""},
	{"Apache", "the CA for servers, too", func(t testing.TB, p *pki) string {
		return p.apache(t, "SSLVerifyClient require\nSSLVerifyDepth 2\nSSLCACertificateFile "+p.join("client-ca.pem", "server-ca.pem"))
	}, "client-of-server-ca revoked-client", opensslLets, ""},
	{"Apache", "none", func(t testing.TB, p *pki) string { return p.apache(t, "SSLVerifyClient none") }, "no-client-cert server-does-not-ask", "", ""},
	{"HAProxy", "right", func(t testing.TB, p *pki) string {
		return p.haproxy(t, "verify required ca-file "+p.file("client-ca.pem")+" crl-file "+p.file("client-ca-crl.pem"))
	}, "", crlWarned, ""},
	{"HAProxy", "no CRL", func(t testing.TB, p *pki) string {
		return p.haproxy(t, "verify required ca-file "+p.file("client-ca.pem"))
	}, "revoked-client", opensslLets, ""},
	{"HAProxy", "optional", func(t testing.TB, p *pki) string {
		return p.haproxy(t, "verify optional ca-file "+p.file("client-ca.pem"))
	}, "no-client-cert revoked-client", opensslLets, ""},
	{"HAProxy", "crt-ignore-err all", func(t testing.TB, p *pki) string {
		return p.haproxy(t, "verify required crt-ignore-err all ca-ignore-err all ca-file "+p.file("client-ca.pem"))
	}, ignored, goLets, ""},
	{"HAProxy", "crt-ignore-err 26", func(t testing.TB, p *pki) string {
		return p.haproxy(t, "verify required crt-ignore-err 26 ca-file "+p.file("client-ca.pem"))
	}, "client-wrong-eku revoked-client", with(opensslLets, "ca-as-client"), ""},
	{"HAProxy", "the CA for servers, too", func(t testing.TB, p *pki) string {
		return p.haproxy(t, "verify required ca-file "+p.join("client-ca.pem", "server-ca.pem"))
	}, "client-of-server-ca revoked-client", opensslLets, ""},
	{"HAProxy", "no verify", func(t testing.TB, p *pki) string { return p.haproxy(t, "") }, "no-client-cert server-does-not-ask", "", ""},
	{"stunnel", "right", func(t testing.TB, p *pki) string {
		return p.stunnel(t, "verifyChain = yes\nrequireCert = yes\nCAfile = "+p.file("client-ca.pem")+"\nCRLfile = "+p.file("client-ca-crl.pem"))
	}, "", crlWarned, ""},
	{"stunnel", "requireCert alone", func(t testing.TB, p *pki) string {
		return p.stunnel(t, "requireCert = yes\nCAfile = "+p.file("client-ca.pem"))
	}, anyChain, goLets, ""},
	{"stunnel", "the CA for servers, too", func(t testing.TB, p *pki) string {
		return p.stunnel(t, "verifyChain = yes\nrequireCert = yes\nCAfile = "+p.join("client-ca.pem", "server-ca.pem"))
	}, "client-of-server-ca revoked-client", opensslLets, ""},
	{"stunnel", "verify = 1", func(t testing.TB, p *pki) string {
		return p.stunnel(t, "verify = 1\nCAfile = "+p.file("client-ca.pem"))
	}, "no-client-cert revoked-client", opensslLets, ""},
	{"Python", "right", func(t testing.TB, p *pki) string {
		return p.python(t, "crl", p.join("client-ca.pem", "client-ca-crl.pem"))
	}, "", crlWarned, ""},
	{"Python", "CERT_REQUIRED, no CRL", func(t testing.TB, p *pki) string { return p.python(t, "required", p.file("client-ca.pem")) }, "revoked-client", opensslLets, ""},
	{"Python", "CERT_OPTIONAL", func(t testing.TB, p *pki) string { return p.python(t, "optional", p.file("client-ca.pem")) }, "no-client-cert revoked-client", opensslLets, ""},
	{"Python", "the CA for servers, too", func(t testing.TB, p *pki) string {
		return p.python(t, "required", p.join("client-ca.pem", "server-ca.pem"))
	}, "client-of-server-ca revoked-client", opensslLets, ""},
	{"Python", "create_default_context alone", func(t testing.TB, p *pki) string { return p.python(t, "default", p.file("client-ca.pem")) }, "no-client-cert server-does-not-ask", "", ""},
	{"Node.js", "right", func(t testing.TB, p *pki) string {
		return p.node(t, "required", p.file("client-ca.pem"), p.file("client-ca-crl.pem"))
	}, "", with(crlWarned, "weak-client-key"), ""},
	{"Node.js", "no CRL", func(t testing.TB, p *pki) string { return p.node(t, "required", p.file("client-ca.pem")) }, "revoked-client", with(opensslLets, "weak-client-key"), ""},
	{"Node.js", "rejectUnauthorized: false", func(t testing.TB, p *pki) string { return p.node(t, "unauthorized", p.file("client-ca.pem")) }, with(anyChain, "no-client-cert"), goLets, ""},
	{"Node.js", "the CA for servers, too", func(t testing.TB, p *pki) string {
		return p.node(t, "required", p.join("client-ca.pem", "server-ca.pem"))
	}, "client-of-server-ca revoked-client", with(opensslLets, "weak-client-key"), ""},
	{"Node.js", "no requestCert", func(t testing.TB, p *pki) string { return p.node(t, "silent", p.file("client-ca.pem")) }, "no-client-cert server-does-not-ask", "", ""},
	{"Java", "setNeedClientAuth, no CRL", func(t testing.TB, p *pki) string { return p.java(t, "need", "client-ca") }, "revoked-client", goLets, ""},
	{"Java", "setWantClientAuth", func(t testing.TB, p *pki) string { return p.java(t, "want", "client-ca") }, "no-client-cert revoked-client", goLets, ""},
	{"Java", "all-trusting manager", func(t testing.TB, p *pki) string { return p.java(t, "all-trusting", "client-ca") }, anyChain, goLets, ""},
	{"Java", "the CA for servers, too", func(t testing.TB, p *pki) string { return p.java(t, "need", "client-ca", "server-ca") }, "client-of-server-ca revoked-client", goLets, ""},
	{"Java", "neither", func(t testing.TB, p *pki) string { return p.java(t, "silent", "client-ca") }, "no-client-cert server-does-not-ask", "", ""},
	{"PostgreSQL", "right", func(t testing.TB, p *pki) string {
		return p.postgres(t, "hostssl all all all cert", "ssl_crl_file=client-ca-crl.pem")
	}, "", "client-of-intermediate", "postgres"},
	{"PostgreSQL", "verify-ca, no CRL", func(t testing.TB, p *pki) string {
		return p.postgres(t, "hostssl all all all trust clientcert=verify-ca")
	}, "revoked-client", opensslLets, "postgres"},
	{"PostgreSQL", "the CA for servers, too", func(t testing.TB, p *pki) string {
		return p.postgres(t, "hostssl all all all cert", "ssl_ca_file=client-ca.pem+server-ca.pem")
	}, "client-of-server-ca", "", "postgres"},
	{"PostgreSQL", "no clientcert", func(t testing.TB, p *pki) string { return p.postgres(t, "hostssl all all all trust") }, "no-client-cert revoked-client", opensslLets, "postgres"},
	caddyTarget("require_and_verify", "revoked-client", goLets),
	caddyTarget("verify_if_given", "no-client-cert revoked-client", goLets),
	caddyTarget("require", anyChain, goLets),
	caddyTarget("request", with(anyChain, noneCase), goLets),
}

// TestTargets probes servers of several makers, right and wrong: every
// misconfiguration is found, and nothing right is blamed.
func TestTargets(t *testing.T) {
	p := newPKI(t)
	all := nearTargets
	if peertest.Full() {
		all = append(all, farTargets...)
	}
	for _, target := range all {
		t.Run(target.program+" "+target.name, func(t *testing.T) {
			o := p.options(target.start(t, p))
			if target.protocol != "" {
				o.Target.StartTLS(starttls.Find(target.protocol), starttls.Session{Host: "localhost", User: "client"})
			}
			r := probed(t, o)
			want(t, r, target.wrong, target.warned)
			if says := strings.Join(r.Diagnosis, "; "); !strings.Contains(says, target.diagnosis()) {
				t.Errorf("diagnosis: %s\nshould be: %s", says, target.diagnosis())
			}
			if strings.HasPrefix(target.name, "right") && (target.wrong != "" || r.Exit() != ExitRight) {
				t.Errorf("exit status %d", r.Exit())
			}
		})
	}
}

// A server that trusts another CA cannot be judged, and the verdict says why.
func TestWrongCA(t *testing.T) {
	p := newPKI(t)
	other := p.file("other-ca.pem")
	servers := map[string]func(t *testing.T) string{
		"Go": func(t *testing.T) string {
			return p.goServer(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("other-ca")}, nil)
		},
		"nginx": func(t *testing.T) string {
			return p.nginx(t, "ssl_verify_client on; ssl_client_certificate "+other+";")
		},
		"OpenSSL": func(t *testing.T) string {
			return p.openssl(t, "-Verify", "9", "-verify_return_error", "-CAfile", other)
		},
	}
	if peertest.Full() {
		maps.Copy(servers, map[string]func(t *testing.T) string{
			"Apache": func(t *testing.T) string {
				return p.apache(t, "SSLVerifyClient require\nSSLCACertificateFile "+other)
			},
			"HAProxy": func(t *testing.T) string { return p.haproxy(t, "verify required ca-file "+other) },
			"stunnel": func(t *testing.T) string {
				return p.stunnel(t, "verifyChain = yes\nrequireCert = yes\nCAfile = "+other)
			},
			"Python":  func(t *testing.T) string { return p.python(t, "required", other) },
			"Node.js": func(t *testing.T) string { return p.node(t, "required", other) },
			"Java":    func(t *testing.T) string { return p.java(t, "need", "other-ca") },
			"Caddy":   func(t *testing.T) string { return p.caddy(t, "require_and_verify", other) },
			"PostgreSQL": func(t *testing.T) string {
				return p.postgres(t, "hostssl all all all cert", "ssl_ca_file=other-ca.pem")
			},
		})
	}
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			o := p.options(start(t))
			if name == "PostgreSQL" {
				o.Target.StartTLS(starttls.Find("postgres"), starttls.Session{Host: "localhost", User: "client"})
			}
			r := probed(t, o)
			if r.Exit() != ExitUnknown || len(r.Findings) != 0 || !strings.HasPrefix(r.Error, "the good certificate is not let in: ") || r.Hint == "" {
				t.Errorf("exit status %d, %d findings: %s (%s)", r.Exit(), len(r.Findings), r.Error, r.Hint)
			}
			if name == "Go" && (!strings.Contains(r.Error, "CN=other-ca") || !strings.Contains(r.Hint, "use a certificate of a CA that the server trusts")) {
				t.Errorf("%s (%s)", r.Error, r.Hint)
			}
			t.Log(r.Error)
		})
	}
}

// diagnosis returns what the probe must say of a target.
func (t target) diagnosis() string {
	has := func(name string) bool { return strings.Contains(t.wrong+" "+t.warned, name) }
	switch {
	case has("server-does-not-ask"):
		return "it never asks for a certificate"
	case has("no-client-cert"):
		return "a certificate is optional"
	case t.wrong == anyChain, t.wrong == ignored:
		return "any certificate is enough"
	case has("expired-client"):
		return "dates are not checked"
	case has("client-wrong-eku"):
		return "the extended key usage is not checked"
	case has("client-of-server-ca"):
		return "it trusts the CA for servers"
	case has("revoked-client"):
		return "no CRL is looked at"
	case has("client-of-intermediate"):
		return "longer chains are refused"
	}
	return ""
}
