package certgen

import (
	"context"
	"crypto/x509"
	"iter"
	"slices"
	"time"

	"mtlslab.example/lab/lab/dn"
)

// Verify checks every certificate of the manifest in dir, in its order: that
// the files are there, say what the manifest says, are valid, private where
// they must be, that the chain up to the root holds, and that the CRLs revoke
// what the manifest does; for a CA also its CRL. Each comes with nil or a
// *FaultError. An error that keeps Verify from looking at all comes alone, with
// a zero Info.
func Verify(m *Manifest, dir string, now time.Time) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		f, err := examine(context.Background(), m, dir, now, nil)
		if err != nil {
			yield(Info{}, err)
			return
		}
		for _, c := range m.Certificates {
			if !yield(f.describe(c), f.fault(c)) {
				return
			}
		}
	}
}

// fault returns what is wrong with a certificate or its CRL, or nil.
func (f *folder) fault(c *Certificate) error {
	isDue := func(r Reason) bool { return !r.Kind.isFault() }
	faultsOf := func(reasons []Reason) []Reason { return slices.DeleteFunc(slices.Clone(reasons), isDue) }
	if faults := faultsOf(f.reasons[c.index]); len(faults) > 0 {
		return &FaultError{c.Name, KindCertificate, faults}
	}
	if err := f.checkLink(c); err != nil {
		return &FaultError{c.Name, KindCertificate, []Reason{reasonf(ReasonUnverifiable, "does not verify against %s: %v", c.Issuer.Name, err)}}
	}
	if f.wideKeys[c.index] {
		return &FaultError{c.Name, KindKeyMode, []Reason{wideKey}}
	}
	if faults := faultsOf(f.crlReasons[c.index]); len(faults) > 0 {
		return &FaultError{c.Name, KindCRL, faults}
	}
	if dispute := f.dispute(c); dispute != "" && len(faultsOf(f.crlReasons[c.Issuer.index])) == 0 { // else it is the CA's
		return &FaultError{c.Name, KindCertificate, []Reason{{ReasonRevoked, dispute}}}
	}
	return nil
}

// dispute returns what the manifest and the CRLs do not agree about, or "".
func (f *folder) dispute(c *Certificate) string {
	switch isListed := f.isListed(c); {
	case c.Revoked && !isListed:
		return "revoked: not on the CRL yet"
	case !c.Revoked && isListed:
		return "revoked: on a CRL, and not in the manifest"
	}
	return ""
}

// checkLink checks that the issuer of c signed it and had the right to
// (RFC 5280 section 6.1.4). With the links above it, which are checked in their
// own turn, that is the chain to the root. It does not look at dates, which may
// be in the past by intent.
func (f *folder) checkLink(c *Certificate) error {
	leaf, issuer := f.holdings[c.index].leaf, f.issuerLeaf(c)
	if c.Issuer == nil || leaf == nil || issuer == nil {
		return nil // what is missing is a fault of its own
	}
	return leaf.CheckSignatureFrom(issuer)
}

// Info is one certificate of the manifest and what the folder holds of it.
type Info struct {
	*Certificate
	Depth   int               // of issuers above it; 0: self-signed
	Leaf    *x509.Certificate // nil when missing or damaged
	State   string            // in words: "ok", "missing", "changed: sans", "expires in 3 days", "revoked", "expired"
	Reasons []Reason          // to make it anew; empty when it stays
}

// IssuerName returns the name of the issuer, its subject where it has no name
// here, or "" for a certificate that signed itself.
func (i Info) IssuerName() string {
	switch {
	case i.Issuer != nil:
		return i.Issuer.Name
	case i.Leaf != nil && !isSelfIssued(i.Leaf):
		return dn.Issuer(i.Leaf)
	}
	return ""
}

// List describes every certificate of the manifest in dir as a tree: each
// stands below its issuer, in the order of the manifest among its siblings.
func List(m *Manifest, dir string, now time.Time) ([]Info, error) {
	f, err := examine(context.Background(), m, dir, now, nil)
	if err != nil {
		return nil, err
	}
	children := make(map[*Certificate][]*Certificate)
	for _, c := range m.Certificates {
		children[c.Issuer] = append(children[c.Issuer], c)
	}
	infos := make([]Info, 0, len(m.Certificates))
	// A stack, and not recursion: chains may be as deep as the manifest is long.
	stack := slices.Clone(children[nil])
	slices.Reverse(stack)
	for len(stack) > 0 {
		c := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		infos = append(infos, f.describe(c))
		for _, child := range slices.Backward(children[c]) {
			stack = append(stack, child)
		}
	}
	return infos, nil
}

// describe returns one certificate's part of the list.
func (f *folder) describe(c *Certificate) Info {
	leaf, reasons, dispute := f.holdings[c.index].leaf, f.reasons[c.index], f.dispute(c)
	info := Info{Certificate: c, Depth: c.depth, Leaf: leaf, Reasons: reasons}
	switch {
	case len(reasons) > 0:
		info.State = joinReasons(reasons)
	case f.wideKeys[c.index]:
		info.State = wideKey.Text
	case dispute != "":
		info.State = dispute
	case c.Revoked:
		info.State = "revoked"
	case f.now.After(leaf.NotAfter):
		info.State = "expired"
	case f.now.Before(leaf.NotBefore):
		info.State = "not valid yet"
	default:
		info.State = "ok"
	}
	return info
}
