package tlsdecrypt

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/peertest"
)

// link is a certificate of a chain, with its key.
type link struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// linkOf is a certificate that by issues, or a root where by is nil. The key is
// that of like, if there is one.
func linkOf(name string, by, like *link, change ...func(*x509.Certificate)) *link {
	made := &link{key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	if like != nil {
		made.key = like.key
	}
	template := &x509.Certificate{SerialNumber: must(rand.Int(rand.Reader, big.NewInt(1<<62))), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour)}
	for _, c := range change {
		c(template)
	}
	if by == nil {
		by = &link{template, made.key}
	}
	made.cert = must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, by.cert, made.key.Public(), by.key))))
	return made
}

func asCA(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
}

func asLeaf(c *x509.Certificate) {
	c.DNSNames, c.KeyUsage = []string{"localhost"}, x509.KeyUsageDigitalSignature
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
}

func over(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }

// sentChain is a chain as a side sends it.
type sentChain struct {
	name  string
	certs []*link // the leaf first
	// differ says that programs differ about it, which lab says.
	differ bool
}

// folderOfCAs are CAs that are known.
type folderOfCAs struct {
	name string
	cas  []*link
	rare bool // it takes part in full runs alone
}

// chainsAndCAs are chains from a root over a policy CA and an issuing CA, right
// and wrong in most ways, and folders with some of the CAs.
func chainsAndCAs() (sent []sentChain, folders []folderOfCAs) {
	root, stranger, twin := linkOf("root", nil, nil, asCA), linkOf("stranger", nil, nil, asCA), linkOf("root", nil, nil, asCA)
	oldRoot := linkOf("root", nil, root, asCA, over)
	policy := linkOf("policy", root, nil, asCA)
	issuing := linkOf("issuing", policy, nil, asCA)
	leaf := func(by *link, change ...func(*x509.Certificate)) *link {
		return linkOf("leaf", by, nil, append([]func(*x509.Certificate){asLeaf}, change...)...)
	}
	good := leaf(issuing)
	add := func(name string, certs ...*link) { sent = append(sent, sentChain{name: name, certs: certs}) }
	differ := func(name string, certs ...*link) {
		sent = append(sent, sentChain{name: name, certs: certs, differ: true})
	}
	between := func(name string, change ...func(*x509.Certificate)) { // an issuing CA that is changed
		ca := linkOf("issuing", policy, nil, append([]func(*x509.Certificate){asCA}, change...)...)
		add(name, leaf(ca), ca, policy)
	}
	usages := func(usages ...x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtKeyUsage = usages }
	}

	add("whole", good, issuing, policy)
	add("whole, with its root", good, issuing, policy, root)
	add("in another order", good, policy, issuing)
	add("with one too many", good, linkOf("other", stranger, nil, asCA), issuing, policy)
	add("without the issuing CA", good, policy)
	add("without the policy CA", good, issuing)
	add("alone", good)
	add("of the root", leaf(root))
	add("of a stranger", leaf(stranger))
	add("of a stranger, sent along", leaf(stranger), stranger)
	add("signed by itself", leaf(nil))
	add("a twin of the issuing CA", good, linkOf("issuing", policy, nil, asCA), policy)
	add("a twin of the root", good, issuing, policy, twin)
	add("of a twin of the root", leaf(twin))
	add("expired", leaf(issuing, over), issuing, policy)
	add("not valid yet", leaf(issuing, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }), issuing, policy)
	add("for servers alone", leaf(issuing, usages(x509.ExtKeyUsageServerAuth)), issuing, policy)
	add("for clients alone", leaf(issuing, usages(x509.ExtKeyUsageClientAuth)), issuing, policy)
	add("for neither", leaf(issuing, usages(x509.ExtKeyUsageCodeSigning)), issuing, policy)
	add("for another host", leaf(issuing, func(c *x509.Certificate) { c.DNSNames = []string{"example.org"} }), issuing, policy)
	add("without a host", leaf(issuing, func(c *x509.Certificate) { c.DNSNames = nil }), issuing, policy)
	between("the issuing CA has expired", over)
	between("the issuing CA is not valid yet", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })
	between("the issuing CA is none", func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature })
	between("the issuing CA is none, but may sign", func(c *x509.Certificate) { c.IsCA = false })
	between("the issuing CA may not sign", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })
	between("the issuing CA is for servers alone", usages(x509.ExtKeyUsageServerAuth))
	between("the issuing CA is for both", usages(x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth))
	between("the issuing CA allows no CA below it", func(c *x509.Certificate) { c.MaxPathLenZero = true })
	between("names that are permitted", func(c *x509.Certificate) {
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"localhost"}, true
	})
	between("names that are not permitted", func(c *x509.Certificate) {
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"example.org"}, true
	})
	between("names that are excluded", func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"localhost"} })
	between("addresses alone are permitted", func(c *x509.Certificate) {
		c.PermittedIPRanges = []*net.IPNet{{IP: net.IP{10, 0, 0, 0}, Mask: net.IPMask{255, 0, 0, 0}}}
	})
	short := linkOf("policy", root, nil, asCA, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	below := linkOf("issuing", short, nil, asCA)
	add("the policy CA allows no CA below it", leaf(below), below, short)
	late := linkOf("policy", root, nil, asCA, over)
	belowLate := linkOf("issuing", late, nil, asCA)
	add("the policy CA has expired", leaf(belowLate), belowLate, late)
	add("the policy CA has expired, and was renewed", leaf(belowLate), belowLate, late, linkOf("policy", root, late, asCA))
	cross := linkOf("issuing", stranger, issuing, asCA)
	differ("cross-signed", good, cross, issuing, policy)
	differ("cross-signed, the other way round", good, issuing, policy, cross)
	add("cross-signed, without one way", good, cross)
	lateCross := linkOf("issuing", stranger, issuing, asCA, over)
	add("cross-signed, one way has expired", good, lateCross, issuing, policy)
	add("cross-signed, what is left has expired", good, lateCross)
	add("of a leaf", leaf(good), good, issuing, policy)

	differ("any usage", leaf(issuing, usages(x509.ExtKeyUsageAny)), issuing, policy)
	anyUse := linkOf("issuing", policy, nil, asCA, usages(x509.ExtKeyUsageAny))
	differ("the issuing CA is for any usage", leaf(anyUse), anyUse, policy)
	differ("not for signatures", leaf(issuing, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), issuing, policy)
	differ("SHA-1", leaf(issuing, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }), issuing, policy)
	plain := linkOf("issuing", policy, nil, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	differ("the issuing CA has no basic constraints", leaf(plain), plain, policy)
	directory := linkOf("issuing", policy, nil, asCA, func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 30}, Value: onlyCountry(named("XX"))}}
	})
	differ("subjects that are not permitted", leaf(directory), directory, policy)
	hosts := linkOf("issuing", policy, nil, asCA, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.org"} })
	common := linkOf("client.example.net", hosts, nil, asLeaf, func(c *x509.Certificate) { c.DNSNames = nil })
	differ("a host in the subject that is not permitted", common, hosts, policy)

	return sent, []folderOfCAs{
		{"nothing", nil, false},
		{"root", []*link{root}, false},
		{"stranger", []*link{stranger}, true},
		{"twin of the root", []*link{twin}, true},
		{"root and its twin", []*link{twin, root}, true},
		{"root and stranger", []*link{root, stranger}, true},
		{"expired root", []*link{oldRoot}, true},
		{"all", []*link{root, policy, issuing}, false},
		{"issuing CA", []*link{issuing}, true},
		{"issuing CA and stranger", []*link{issuing, stranger}, false},
	}
}

func named(country string) pkix.RDNSequence {
	return pkix.Name{Country: []string{country}}.ToRDNSequence()
}

// onlyCountry is a NameConstraints that permits subjects alone that begin with
// a name (RFC 5280 section 4.2.1.10).
func onlyCountry(name pkix.RDNSequence) []byte {
	type subtree struct {
		Base asn1.RawValue
	}
	directoryName := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: must(asn1.Marshal(name))}
	return must(asn1.Marshal(struct {
		Permitted []subtree `asn1:"tag:0"`
	}{[]subtree{{directoryName}}}))
}

// checkOf records a handshake in which a side shows a chain that the other
// takes, whatever it is, and returns the check of that chain.
func checkOf(t *testing.T, side endpoint.Side, shown tls.Certificate, trust *chain.Trust) (check Check) {
	t.Helper()
	server, client := lenient(), clientConfig()
	client.InsecureSkipVerify = true
	if side == endpoint.Client {
		client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown, nil }
	} else {
		server.Certificates = []tls.Certificate{shown}
	}
	server.ClientCAs = nil // it names no CA
	c := record(t, server, client).dissect(t, Options{})
	c.Check(trust)
	for _, m := range c.Messages {
		if k := m.CheckOf("chain"); k != nil && m.From == side {
			check = *k
		}
	}
	return check
}

// referee runs openssl verify on a chain under CAs, of which an intermediate is
// one, too, and returns the numbers of its errors.
func referee(t *testing.T, side endpoint.Side, sent, cas []*link) (errs []int) {
	t.Helper()
	dir := t.TempDir()
	file := func(name string, links []*link) string {
		var b bytes.Buffer
		for _, l := range links {
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: l.cert.Raw})
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	args := []string{"verify", "-no-CAstore", "-no-CApath", "-partial_chain", "-purpose", "ssl" + side.String()}
	if len(cas) > 0 {
		args = append(args, "-CAfile", file("cas.pem", cas))
	} else {
		args = append(args, "-no-CAfile")
	}
	if len(sent) > 1 {
		args = append(args, "-untrusted", file("sent.pem", sent[1:]))
	}
	if side == endpoint.Server {
		args = append(args, "-verify_hostname", "localhost")
	}
	out, err := exec.Command("openssl", append(args, file("leaf.pem", sent[:1]))...).CombinedOutput()
	for _, number := range regexp.MustCompile(`error (\d+) at`).FindAllSubmatch(out, -1) {
		errs = append(errs, must(strconv.Atoi(string(number[1]))))
	}
	if (err != nil) != (len(errs) > 0) || err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatalf("openssl verify: %v\n%s", err, out)
	}
	return errs
}

// OpenSSL's errors that say that a CA is not at hand: X509_V_ERR_UNABLE_TO_GET_
// ISSUER_CERT, DEPTH_ZERO_SELF_SIGNED_CERT, SELF_SIGNED_CERT_IN_CHAIN,
// UNABLE_TO_GET_ISSUER_CERT_LOCALLY, UNABLE_TO_VERIFY_LEAF_SIGNATURE; or that
// there is one of its name, CERT_SIGNATURE_FAILURE.
var noCAAtHand = []int{2, 7, 18, 19, 20, 21}

// Where lab says that a chain holds or fails, OpenSSL does; and lab says so
// wherever the CAs are at hand.
func TestChainAsOpenSSL(t *testing.T) {
	peertest.Need(t, "openssl")
	chains, folders := chainsAndCAs()
	for _, side := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		for _, folder := range folders {
			if folder.rare && !peertest.Full() {
				continue
			}
			trust := inFolder(folder.cas...)
			for _, sent := range chains {
				got := checkOf(t, side, shownAs(sent.certs...), trust)
				errs := referee(t, side, sent.certs, folder.cas)
				isNoCA := slices.ContainsFunc(errs, func(n int) bool { return slices.Contains(noCAAtHand, n) })
				wrong := ""
				switch {
				case got.Result == Holds && len(errs) > 0:
					wrong = "OpenSSL fails"
				case got.Result == Fails && len(errs) == 0:
					wrong = "OpenSSL succeeds"
				case got.Result == Unknown && !isNoCA && !sent.differ:
					wrong = "OpenSSL knows"
				}
				if wrong != "" {
					t.Errorf("%v, %s, under %s: %s: %v; lab: %s: %s", side, sent.name, folder.name, wrong, errs, got.Result, got.Text)
				}
			}
		}
	}
}
