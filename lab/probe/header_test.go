package probe

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A header is believed where the page shows its name in place of the
// certificate's. A page that shows all headers believes none of them.
func TestIdentityHeader(t *testing.T) {
	p := newPKI(t)
	const header = "X-Client-Subject"
	certificate := func(r *http.Request) string { return r.TLS.PeerCertificates[0].Subject.String() }
	for name, c := range map[string]struct {
		page func(r *http.Request) string
		want Judgement
	}{
		"the certificate":                  {certificate, Right},
		"the certificate, and all headers": {func(r *http.Request) string { return fmt.Sprintln(certificate(r), r.Header) }, Right},
		"the header, or else the certificate": {func(r *http.Request) string {
			if said := r.Header.Get(header); said != "" {
				return said
			}
			return certificate(r)
		}, Wrong},
		"the header, or else nobody": {func(r *http.Request) string { return "hello " + r.Header.Get(header) }, Wrong},
		"the header and the certificate": {func(r *http.Request) string {
			return strings.Join([]string{r.Header.Get(header), certificate(r)}, " and ")
		}, Unknown},
		"all headers": {func(r *http.Request) string { return fmt.Sprint(r.Header) }, Unknown},
		"neither":     {func(*http.Request) string { return "hello" }, Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			o := p.options(p.goServer(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")},
				http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, c.page(r)) })))
			o.Only, o.IdentityHeader = []string{"header-spoofed-identity"}, header
			r := probed(t, o)
			if len(r.Findings) != 1 || r.Findings[0].Judgement != c.want {
				t.Errorf("%+v", r.Findings[0])
			}
		})
	}
}
