package lab

import (
	"crypto/tls"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/endpoint"
)

// outOfDate are clients that were never, or will only later be, let in.
const outOfDate = `
---
subject: CN=expired-client
issuer: CN=client-ca
not_before: 2020-01-01T00:00:00Z
not_after: 2020-12-31T00:00:00Z
ext_key_usages: [ClientAuth]
---
subject: CN=early-client
issuer: CN=client-ca
not_before: 2500-01-01T00:00:00Z
not_after: 2500-12-31T00:00:00Z
ext_key_usages: [ClientAuth]
`

// A certificate outside of its dates is rejected with one alert for both cases;
// the reason distinguishes them.
func TestClientCertificateOutOfDate(t *testing.T) {
	manifest, err := os.ReadFile(filepath.Join("..", "certs.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := certgen.Parse("certs.yaml", append(manifest, outOfDate...))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "certs")
	if _, err := certgen.Generate(t.Context(), m, dir, certgen.Options{}); err != nil {
		t.Fatal(err)
	}
	r := serveRecorded(t, dir)
	addr, reported := r.Addr().String(), r.reported
	for certificate, reason := range map[string]string{
		"expired-client": "the client's certificate has expired",
		"early-client":   "the client's certificate is not valid yet",
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(certificate+" "+tls.VersionName(version), func(t *testing.T) {
				heard := make(chan *Exchange, 1)
				c, err := NewClient(ClientOptions{URL: &url.URL{Scheme: "https", Host: "localhost"}, Addr: addr}, Settings{
					Credentials: Credentials{Dir: dir, Certificate: certificate, Trust: "server-ca"},
					Version:     version,
					Journal:     &Journal{Each: func(x *Exchange) { heard <- x }},
				})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := c.Call(t.Context()); err == nil {
					t.Error("the server let it in")
				}
				x := next(t, reported)
				if x.RejectedBy != endpoint.Server || !strings.HasPrefix(x.Reason, reason) || x.Client.Certificate != "CN="+certificate {
					t.Errorf("the server reports %+v with %s", x.Verdict, x.Client.Certificate)
				}
				for side, x := range map[endpoint.Side]*Exchange{endpoint.Server: x, endpoint.Client: next(t, heard)} {
					if a := x.Alert; a == nil || a.Code != 45 || a.Name != "certificate_expired" || a.SentBy != endpoint.Server {
						t.Errorf("the %s reports alert %+v", side, a)
					}
				}
			})
		}
	}
}
