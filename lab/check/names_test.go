package check

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/peertest"
)

// issue makes a certificate of a CA of the folder, with its key, in the files
// NAME.pem and NAME-key.pem.
func (b *bench) issue(name, issuer string, change func(*x509.Certificate)) *x509.Certificate {
	b.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		b.t.Fatal(err)
	}
	b.write(name+"-key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return b.issueTo(key.Public(), name, issuer, change)
}

// issueTo is issue for a key that there is.
func (b *bench) issueTo(key crypto.PublicKey, name, issuer string, change func(*x509.Certificate)) *x509.Certificate {
	b.t.Helper()
	ca, err := tls.LoadX509KeyPair(b.in(issuer+".pem"), b.in(issuer+"-key.pem"))
	if err != nil {
		b.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Leaf, key, ca.PrivateKey)
	if err != nil {
		b.t.Fatal(err)
	}
	b.write(name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		b.t.Fatal(err)
	}
	return cert
}

// misnamed makes certificates with names that nobody looks for.
func misnamed(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, pki)
	for name, names := range map[string][]string{"by-address": {"localhost", "127.0.0.1", "::1"}, "by-both": {"127.0.0.1"}, "by-port": {"localhost:8443"},
		"by-url": {"https://localhost/"}, "by-range": {"10.0.0.0/8", "localhost"}, "for-clients": {"127.0.0.1"}} {
		b.issue(name, "root", func(c *x509.Certificate) {
			c.DNSNames = names
			switch name {
			case "by-both":
				c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
			case "for-clients":
				c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
			}
		})
	}
	return b
}

// A name that no client looks for is wrong in the files already, unless the
// certificate has it in the right way, too, or is for clients alone.
func TestNamesThatNobodyLooksFor(t *testing.T) {
	b := misnamed(t)
	for name, want := range map[string][]string{
		"by-address": {"address_as_dns_name: CN=by-address is not for 127.0.0.1: 127.0.0.1 is in it as a DNS name, and clients look for an address among the IP addresses",
			"address_as_dns_name: CN=by-address is not for ::1: ::1 is in it as a DNS name, and clients look for an address among the IP addresses"},
		"by-both":     nil,
		"by-port":     {"no_host_name: CN=by-port is not for localhost: localhost:8443 is in it as a DNS name, and clients look for the host alone, localhost"},
		"by-url":      {"no_host_name: CN=by-url is not for localhost: https://localhost/ is in it as a DNS name, and clients look for the host alone, localhost"},
		"by-range":    {"address_as_dns_name: CN=by-range is not for 10.0.0.0: 10.0.0.0/8 is in it as a DNS name, and clients look for an address among the IP addresses"},
		"for-clients": nil,
	} {
		var got []string
		for _, f := range b.look(nil, name+".pem", name+"-key.pem").Findings() {
			got = append(got, f.Rule+": "+f.Text)
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: %q", name, got)
		}
	}
	// In the handshake the reason is the same.
	server, err := b.look(nil, "by-address.pem", "by-address-key.pem", "root.pem").Side(endpoint.Server, nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := b.look(nil, "client.pem", "client-key.pem", "root.pem").Side(endpoint.Client, nil)
	if err != nil {
		t.Fatal(err)
	}
	met, err := Meet(context.Background(), server, client, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range met {
		if h.Exchange.Reason != "the server's certificate is not for 127.0.0.1: 127.0.0.1 is in it as a DNS name, and clients look for an address among the IP addresses" ||
			!strings.Contains(h.Exchange.Fix, "again with IP:127.0.0.1") {
			t.Errorf("%s; %s", h.Exchange.Reason, h.Exchange.Fix)
		}
	}
}

// Clients do not find an address among the DNS names.
func TestWhoRefusesMisnomers(t *testing.T) {
	peertest.Need(t, "python3")
	b := misnamed(t)
	for name, host := range map[string]string{"by-address": "127.0.0.1", "by-port": "localhost"} {
		out := b.prints("python3", "-c", `import ssl,sys
cert, host = sys.argv[1:]
server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context(cafile='root.pem')
client.verify_flags &= ~0x20
server.load_cert_chain(cert+'.pem', cert+'-key.pem')
a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
c, s = client.wrap_bio(a, b, server_hostname=host), server.wrap_bio(b, a, server_side=True)
try:
    for _ in range(4):
        for side in (c, s):
            try: side.do_handshake()
            except ssl.SSLWantReadError: pass
    print('accepted')
except ssl.SSLCertVerificationError as e: print(e)`, name, host)
		if !strings.Contains(out, "certificate is not valid for '"+host+"'") {
			t.Errorf("%s: %s", name, out)
		}
		out = b.prints("openssl", "verify", "-CAfile", "root.pem", map[bool]string{true: "-verify_ip", false: "-verify_hostname"}[host == "127.0.0.1"], host, name+".pem")
		if !strings.Contains(out, "mismatch") {
			t.Errorf("openssl, %s: %s", name, out)
		}
	}
}
