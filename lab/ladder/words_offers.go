package ladder

import (
	"fmt"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// mostOffers is how many values of a kind are listed.
const mostOffers = 8

// offered lists what each side offered, a paragraph for each kind; nil: it does
// not matter.
func offered(o *verdict.Offers) (paragraphs []string) {
	if o == nil {
		return nil
	}
	for _, of := range []struct {
		what   string
		values []string
		none   string
	}{
		{"The client offers ", tlswire.Names(o.Client.Versions), ""},
		{"Its cipher suites: ", tlswire.Names(o.Client.CipherSuites), ""},
		{"Its groups: ", tlswire.Names(o.Client.Groups), "none (no supported_groups), without which many servers do no ECDHE"},
		{"Its signature algorithms: ", tlswire.Names(o.Client.SignatureSchemes), "none named (no signature_algorithms)"},
		{"Its application protocols (ALPN): ", cleaned(o.Client.ALPN), ""},
	} {
		switch {
		case len(of.values) > 0:
			if whose, ok := strings.CutPrefix(of.what, "Its "); ok && len(paragraphs) == 0 {
				of.what = "The client's " + whose
			}
			paragraphs = append(paragraphs, of.what+text.Few(of.values, mostOffers)+".")
		case of.none != "" && len(o.Client.CipherSuites) > 0:
			paragraphs = append(paragraphs, of.what+of.none+".")
		}
	}
	if len(paragraphs) == 0 {
		return nil
	}
	return append(paragraphs, taken(o))
}

// taken says what the server is known to take.
func taken(o *verdict.Offers) string {
	s := o.Server
	if s == nil {
		return "What the server takes was not seen."
	}
	said := "The server takes"
	if o.From != nil {
		said = fmt.Sprintf("On connection %d the server has taken", *o.From)
	}
	return said + " " + strings.Join(slices.Concat(tlswire.Names(s.Versions), tlswire.Names(s.CipherSuites), tlswire.Names(s.Groups), tlswire.Names(s.SignatureSchemes), cleaned(s.ALPN)), ", ") + "."
}

// cleaned are names that others have sent.
func cleaned(names []string) (clean []string) {
	for _, name := range names {
		clean = append(clean, short(name))
	}
	return clean
}
