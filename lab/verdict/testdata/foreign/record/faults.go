package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// connection is one between two programs, and what is wrong with it.
type connection struct {
	fault   string
	server  party
	client  party
	version string // that the client offers
}

// party is one of the two programs, with its settings.
type party struct {
	program  string
	pair     string // name of its certificate's file; empty: none
	key      string // that of its key, if it is not the certificate's
	crl      bool   // look at CRLs
	versions string // that it speaks
	suite    string // the only cipher suite; empty: the program's default
	name     string // of the server that the client wants
	plain    bool   // speak HTTP without TLS
	ask      string // for a client certificate: on, optional, optional_no_ca (of any CA) or off
	group    string // the only one for the key exchange; empty: the program's default
	alpn     string // the only protocol; empty: the program's default
	silent   bool   // never answer
	strict   bool   // refuse names of servers that it does not know
	status   string // of the server's answer
	http2    bool
	quiet    bool // never ask for anything
	padding  bool // pad records
	password bool // ask for a password in HTTP
}

// name is that of the capture's file, without its extension.
func (c *connection) name() string {
	name := c.fault + "." + c.server.program + "-" + c.client.program
	if c.version != "" {
		name += ".tls" + strings.ReplaceAll(c.version, ".", "")
	}
	return name
}

// faults are all that can be wrong: each changes what a good connection is.
var faults = map[string]func(*connection){
	"none":                             func(c *connection) {},
	"client-certificate-none":          func(c *connection) { c.client.pair = "" },
	"client-certificate-optional":      func(c *connection) { c.client.pair, c.server.ask = "", "optional" },
	"client-certificate-none-accepted": func(c *connection) { c.client.pair, c.server.ask = "", "optional_no_ca" },
	"client-ca-unknown-accepted":       func(c *connection) { c.client.pair, c.server.ask = "client-partner", "optional_no_ca" },
	"request-bad":                      func(c *connection) { c.server.status = "400" },
	"client-certificate-unasked":       func(c *connection) { c.server.ask, c.server.status = "off", "403" },
	"client-ca-unknown":                func(c *connection) { c.client.pair = "client-partner" },
	"client-ca-look-alike":             func(c *connection) { c.client.pair = "client-look-alike" },
	"client-self-signed":               func(c *connection) { c.client.pair = "client-self" },
	"client-expired":                   func(c *connection) { c.client.pair = "client-expired" },
	"client-issuer-expired":            func(c *connection) { c.client.pair = "client-issuer-expired" },
	"client-not-yet-valid":             func(c *connection) { c.client.pair = "client-early" },
	"client-usage-server":              func(c *connection) { c.client.pair = "client-usage" },
	"client-key-usage":                 func(c *connection) { c.client.pair = "client-key-usage" },
	"client-intermediate-missing":      func(c *connection) { c.client.pair = "client-alone" },
	"client-revoked":                   func(c *connection) { c.client.pair, c.server.crl = "client-revoked", true },
	"client-key-wrong":                 func(c *connection) { c.client.key = "client-mixed" },
	"client-key-file-wrong":            func(c *connection) { c.client.key, c.version = "client-self", "" }, // curl does not load such a pair
	"client-not-authorised":            func(c *connection) { c.server.status = "403" },
	"server-ca-unknown":                func(c *connection) { c.server.pair = "server-partner" },
	"server-ca-look-alike":             func(c *connection) { c.server.pair = "server-look-alike" },
	"server-self-signed":               func(c *connection) { c.server.pair = "server-self" },
	"server-expired":                   func(c *connection) { c.server.pair = "server-expired" },
	"server-not-yet-valid":             func(c *connection) { c.server.pair = "server-early" },
	"server-usage-client":              func(c *connection) { c.server.pair = "server-usage" },
	"server-key-usage":                 func(c *connection) { c.server.pair = "server-key-usage" },
	"server-intermediate-missing":      func(c *connection) { c.server.pair = "server-alone" },
	"server-host-wrong":                func(c *connection) { c.client.name = otherName },
	"server-name-unknown":              func(c *connection) { c.client.name, c.server.strict = otherName, true },
	"server-silent":                    func(c *connection) { c.server.silent, c.version = true, "" },
	"server-key-wrong":                 func(c *connection) { c.server.key = "server-mixed" },
	"no-common-version":                func(c *connection) { c.server.versions = map[string]string{"1.2": "1.3", "1.3": "1.2"}[c.version] },
	"no-common-alpn":                   func(c *connection) { c.client.alpn = "imap" },
	"no-common-group":                  func(c *connection) { c.client.group, c.server.group = "X25519", "secp384r1" },
	"no-common-cipher-suite":           noCommonSuite,
	"plain-http-to-tls":                func(c *connection) { c.client.plain, c.version = true, "" },
	"tls-to-plain-http":                func(c *connection) { c.server.plain, c.version = true, "" },
	"client-certificate-none-http2":    func(c *connection) { c.client.pair, c.server.http2, c.client.http2 = "", true, true },
	"client-ca-unknown-forbidden": func(c *connection) {
		c.client.pair, c.server.ask, c.server.status = "client-partner", "optional_no_ca", "403"
	},
	"server-closes-idle": func(c *connection) { c.client.quiet = true },
	"server-wants-password": func(c *connection) {
		c.client.pair, c.server.ask, c.server.status, c.server.password = "", "off", "401", true
	},
	"client-certificate-none-padded": func(c *connection) { c.client.pair, c.server.padding = "", true },
	"client-expired-http2":           func(c *connection) { c.client.pair, c.server.http2, c.client.http2 = "client-expired", true, true },
}

func noCommonSuite(c *connection) {
	switch {
	case c.version == "1.2":
		c.server.suite, c.client.suite = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
	case c.client.program == "python": // has no choice in TLS 1.3
		c.server.suite = "TLS_AES_128_CCM_SHA256"
	default:
		c.server.suite, c.client.suite = "TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"
	}
}

// pairs of server and client.
var pairs = [][2]string{{"nginx", "curl"}, {"java", "openssl"}, {"node", "python"}, {"gnutls", "gnutls"}, {"openssl", "java"}, {"nginx", "openssl"}, {"openssl", "curl"},
	{"gnutls", "openssl"}, {"openssl", "gnutls"}}

// instead are programs that take another's place: gnutls-serv refuses to load a
// pair that does not match, and not all speak without TLS.
var instead = []struct {
	fault   string
	replace func(*connection)
}{
	{"server-key-wrong gnutls-gnutls", func(c *connection) { c.server.program = "openssl" }},
	{"tls-to-plain-http gnutls-gnutls", func(c *connection) { c.server.program = "nginx" }},
	{"tls-to-plain-http openssl-java", func(c *connection) { c.server.program = "nginx" }},
	{"plain-http-to-tls java-openssl", func(c *connection) { c.client.program = "curl" }},
	{"plain-http-to-tls gnutls-gnutls", func(c *connection) { c.client.program = "curl" }},
}

// usual are the pairs for all faults but those in only: others have no such
// setting, or answer as they do to a fault beside it.
const usual = "nginx-curl java-openssl node-python gnutls-gnutls openssl-java"

var only = map[string]string{
	"client-certificate-optional":      "nginx-curl",
	"client-certificate-unasked":       "nginx-curl node-python",
	"client-certificate-none-http2":    "nginx-curl",
	"client-expired-http2":             "nginx-curl",
	"client-key-file-wrong":            "nginx-curl",
	"client-certificate-none-accepted": "nginx-curl",
	"client-ca-unknown-accepted":       "nginx-curl",
	"client-ca-unknown-forbidden":      "nginx-curl",
	"client-certificate-none-padded":   "openssl-curl",
	"client-issuer-expired":            "nginx-curl openssl-java",
	"server-closes-idle":               "nginx-openssl",
	"server-wants-password":            "nginx-curl",
	"request-bad":                      "nginx-curl",
	"client-not-authorised":            "nginx-curl java-openssl node-python",
	"server-name-unknown":              "nginx-curl",
	"server-silent":                    "node-python",
	"no-common-alpn":                   "nginx-openssl",
	"no-common-group":                  "nginx-openssl",
	"client-key-usage":                 "gnutls-openssl",
	"server-key-usage":                 "openssl-gnutls",
}

func cases() (all []*connection) {
	for _, pair := range pairs {
		for _, fault := range slices.Sorted(maps.Keys(faults)) {
			if !strings.Contains(cmp.Or(only[fault], usual), pair[0]+"-"+pair[1]) {
				continue
			}
			for _, version := range []string{"1.2", "1.3"} {
				c := &connection{fault: fault, version: version,
					server: party{program: pair[0], pair: "server", versions: "1.2 1.3", status: "200", ask: "on"},
					client: party{program: pair[1], pair: "client", versions: version, name: serverName}}
				faults[fault](c)
				for _, i := range instead {
					if i.fault == fault+" "+pair[0]+"-"+pair[1] {
						i.replace(c)
					}
				}
				if c.version != "" || version == "1.3" {
					all = append(all, c)
				}
			}
		}
	}
	return all
}

func (p *party) keyFile() string {
	switch {
	case p.key != "":
		return p.key + "-key.pem"
	case p.pair == "":
		return ""
	}
	return strings.TrimSuffix(p.pair, "-alone") + "-key.pem"
}

func (p *party) chainFile() string {
	if p.pair == "" {
		return ""
	}
	return p.pair + ".pem"
}
