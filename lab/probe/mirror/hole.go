package mirror

import (
	"slices"

	"mtlslab.example/lab/lab/probe"
)

// kind is what a client fails to do that accepts a fault.
type kind int

const (
	certificates kind = iota // it does not verify them, or not all of them
	names                    // it does not compare the host
	versions                 // it speaks one that is too old
	protocols                // it goes on without TLS
	revocation               // it does not look at the CRL that it has
)

func (f *Fault) kind() kind {
	switch {
	case !f.speaksTLS():
		return protocols
	case f.lesson.Server.Version != "":
		return versions
	case f.NeedsCRL():
		return revocation
	case slices.Contains([]string{"wrong-host", "ip-address-not-in-san", "cn-only"}, f.Name):
		return names
	}
	return certificates
}

// fix returns what to change in the client.
func (k kind) fix() string {
	return [...]string{
		certificates: "verify the server's certificate in full (RFC 5280 section 6); what turns that off is curl -k, wget --no-check-certificate, openssl s_client without -verify_return_error, Python CERT_NONE, Node.js rejectUnauthorized: false, a TrustManager of one's own in Java, Go InsecureSkipVerify",
		names:        "compare the host that is called with the certificate: Python check_hostname = True, openssl s_client -verify_hostname HOST, Java setEndpointIdentificationAlgorithm(\"HTTPS\"), no checkServerIdentity of one's own in Node.js",
		versions:     "set the lowest version to TLS 1.2 (RFC 8996)",
		protocols:    "take nothing but TLS from a server that is called by https",
		revocation:   "have the client check the CRL that it is given: curl --crlfile, openssl s_client -CRL and -crl_check, Python verify_flags |= VERIFY_CRL_CHECK_LEAF, Node.js crl, Go VerifyConnection that looks into an x509.RevocationList, Java PKIXRevocationChecker with a CertStore of CRLs",
	}[k]
}

// Hole is what a client fails to do, as findings show it.
type Hole struct {
	What  string   // as in "it accepts any certificate"
	Cases []string // that it accepted and must refuse
	Fix   string
}

// Lesson returns the name of the scenario that shows the hole best.
func (h *Hole) Lesson() string {
	if slices.Contains(h.Cases, "untrusted-server") {
		return "untrusted-server"
	}
	return h.Cases[0]
}

// Holes sums up what a client accepted that it must refuse.
func Holes(faults []*Fault, findings []*probe.Finding) (holes []Hole) {
	taken := map[string]bool{}
	for _, f := range findings {
		if f.Judgement == probe.Wrong && f.Result == probe.Took {
			taken[f.Case] = true
		}
	}
	for k := range kind(revocation + 1) {
		hole := Hole{Fix: k.fix()}
		isAny := true // it accepts all that can be accepted
		for _, f := range faults {
			switch {
			case f.IsControl() || f.kind() != k || f.MayPass != "":
			case taken[f.Name]:
				hole.Cases = append(hole.Cases, f.Name)
			case f.Name != "reversed-chain": // which fails without verification, too: the key is another
				isAny = false
			}
		}
		if len(hole.Cases) == 0 {
			continue
		}
		hole.What = k.what(isAny, taken)
		holes = append(holes, hole)
	}
	return holes
}

// what says what the client does.
func (k kind) what(isAny bool, taken map[string]bool) string {
	switch {
	case k == names:
		return "it does not compare the host with the certificate"
	case k == versions:
		return "it speaks a version of TLS that is too old"
	case k == protocols:
		return "it goes on without TLS"
	case k == revocation:
		return "it does not look at the CRL"
	case isAny && taken["untrusted-server"] && taken["expired-server"]:
		return "it accepts any certificate"
	case taken["untrusted-server"] || taken["self-signed-server"]:
		return "it accepts certificates that lead to no CA that it trusts"
	}
	return "it accepts certificates that must not be accepted"
}
