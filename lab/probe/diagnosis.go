package probe

import (
	"slices"
)

// diagnose says in sentences what is wrong with the configuration of a server,
// by what it lets in, the worst first.
func (r *Report) diagnose() (all []string) {
	lets := func(names ...string) bool {
		for _, name := range names {
			if !slices.ContainsFunc(r.Findings, func(f *Finding) bool {
				return f.Case == name && !f.early && (f.Judgement == Wrong || f.Judgement == Warning) && (f.Result == LetIn || name == askCase)
			}) {
				return false
			}
		}
		return true
	}
	say := func(s string, so bool) bool {
		if so {
			all = append(all, s)
		}
		return so
	}
	if say("it never asks for a certificate", slices.ContainsFunc(r.Findings, func(f *Finding) bool { return f.Case == askCase && f.Judgement == Wrong })) {
		return all
	}
	say("a certificate is optional: who shows none is let in", lets(noneCase))
	switch {
	case say("any certificate is enough: it asks for one, and checks nothing", lets("untrusted-client-forced", "self-signed-client", "expired-client")):
	case say("any CA is enough: a chain need not lead to one that it trusts", lets("untrusted-client-forced", "self-signed-client")):
		say("no CRL is looked at", lets("revoked-client"))
	default:
		say("it trusts a CA by its name", lets("look-alike-ca"))
		say("it does not check that a client has the key of its certificate", lets("client-key-mismatch"))
		say("dates are not checked", lets("expired-client") || lets("not-yet-valid-client"))
		say("the extended key usage is not checked: certificates for servers are let in", lets("client-wrong-eku"))
		say("it trusts the CA for servers to issue certificates of clients", lets("client-of-server-ca"))
		say("it does not check that issuers are CAs", lets("client-of-a-client"))
		say("no CRL is looked at, or an old one", lets("revoked-client"))
	}
	say("a session goes on although its certificate was revoked", lets("resumed-after-revocation"))
	say("it trusts a CA between as if it were a root", lets("intermediate-as-root"))
	say("another host leads to this one without a certificate", lets("host-bypass"))
	say("a session of another host lets in here without a certificate", lets("session-of-another-host"))
	say("another host asks for no certificate", lets("other-host"))
	say("an application behind it believes a name that the client has put into a header", lets("header-spoofed-identity"))
	say("the name in the certificate is not checked: every client of the CA is let in", lets("client-other-subject"))
	say("longer chains are refused: the depth may be too small, or a CRL be wanted of each CA", slices.ContainsFunc(r.Findings, func(f *Finding) bool { return f.Case == "client-of-intermediate" && f.Judgement == Warning }))
	return all
}

// longChains are the cases whose certificates are of a CA below the root.
var longChains = []string{"client-missing-intermediate", "client-of-a-client", "client-path-length", "client-name-constraint"}

// weigh says of a refusal that it shows little, where a good certificate of a
// CA below the root is refused, too. That case stands before those that it
// weighs.
func weigh(row []*Finding, before [][]*Finding) {
	for _, good := range slices.Concat(before...) {
		if good.Case != "client-of-intermediate" || good.Judgement != Warning {
			continue
		}
		for _, f := range row {
			if f.TLS == good.TLS && f.Judgement == Right && slices.Contains(longChains, f.Case) {
				f.Reason = joinNonEmpty(f.Reason, "a good certificate of a CA below the root is refused, too, so that this shows little")
			}
		}
	}
}
