package check

import (
	"fmt"
	"slices"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
)

// usualDepth is how many CAs nginx takes between a certificate and the root
// unless ssl_verify_depth or proxy_ssl_verify_depth is set.
const usualDepth = 1

// lookAtDepth notes a chain that is longer than the usual limit of nginx. Who
// will verify it is not known, and so it is no failure. Apache counts the root
// too: it takes one CA fewer than SSLVerifyDepth says.
func (p *Pair) lookAtDepth(w *way) {
	between := 0
	for _, cert := range w.certs[1:] {
		if !chain.IsSelfIssued(cert) {
			between++
		}
	}
	if between <= usualDepth {
		return
	}
	of := sides(p.leaf())
	add := func(side endpoint.Side, nginx, apache string) {
		if slices.Contains(of, side) {
			p.Findings = append(p.Findings, Finding{Level: Note, Rule: "verify_depth", Certificate: p.Subject, File: p.CertificateFile,
				Text: fmt.Sprintf("%d CAs stand between %s and the root: an nginx that verifies it needs %s %d (1 unless set), an Apache %s %d (1 unless set)", between, p.Subject, nginx, between, apache, between+1)})
		}
	}
	add(endpoint.Client, "ssl_verify_depth", "SSLVerifyDepth")
	add(endpoint.Server, "proxy_ssl_verify_depth", "SSLProxyVerifyDepth")
}
