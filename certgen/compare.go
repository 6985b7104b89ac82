package certgen

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	crls "mtlslab.example/lab/certgen/revocation"
)

// Compare says what [Generate] would make in dir, the folder of the PKI, and
// why. It writes nothing. Errors are those of Generate: a *ForeignError or
// *InTheWayError where Generate would refuse to replace something.
func Compare(m *Manifest, dir string, o Options) (*Plan, error) {
	renew, err := o.renewals(m)
	if err != nil {
		return nil, err
	}
	f, err := examine(context.Background(), m, dir, o.now(), renew)
	if err != nil {
		return nil, err
	}
	if _, err := f.inTheWay(o); err != nil {
		return nil, err
	}
	return f.plan()
}

// folder is the folder of a PKI as it was found, next to what the manifest asks
// for. Slices have one element for each certificate of the manifest.
type folder struct {
	dir      string
	now      time.Time
	manifest *Manifest

	listing  listing
	holdings []*holding
	reasons  [][]Reason // to make the certificate
	verified []bool     // signed by the issuer's present key
	wideKeys []bool     // the key file is open to others

	revoked    [][]*Certificate   // of each CA, the certificates that its CRL must list
	crlReasons [][]Reason         // of each CA, to make its CRL
	lists      func() *crls.Lists // the CRLs in the folder, read when first asked for

	record func() (*record, error) // what the lab wrote, read when first asked for
}

// examine reads dir and finds the reasons to make things anew, of which renew
// (by certificate index, or nil) adds one.
func examine(ctx context.Context, m *Manifest, dir string, now time.Time, renew map[int]bool) (*folder, error) {
	files, err := list(dir)
	if err != nil {
		return nil, err
	}
	n := len(m.Certificates)
	f := &folder{dir: dir, now: now, manifest: m, listing: files,
		holdings: make([]*holding, n), reasons: make([][]Reason, n),
		verified: make([]bool, n), wideKeys: make([]bool, n),
		revoked: make([][]*Certificate, n), crlReasons: make([][]Reason, n)}
	f.lists = sync.OnceValue(func() *crls.Lists { return crls.New(LoadCRLs(dir)) })
	f.record = sync.OnceValues(func() (*record, error) { return readRecord(dir) })

	err = inParallel(ctx, n, func(i int) error {
		if renew[i] {
			f.reasons[i] = append(f.reasons[i], Reason{ReasonAsked, "asked for"})
		}
		return f.examineHolding(m.Certificates[i])
	})
	if err != nil {
		return nil, err
	}
	f.examineSerials()
	if err := inParallel(ctx, n, func(i int) error { f.verify(m.Certificates[i]); return nil }); err != nil {
		return nil, err
	}
	for _, level := range m.levels() {
		for _, c := range level {
			f.follow(c)
		}
	}
	return f, f.examineCRLs(ctx)
}

// levels returns the certificates by their distance from the root: issuers
// always stand in an earlier level than what they issue.
func (m *Manifest) levels() [][]*Certificate {
	var levels [][]*Certificate
	for _, c := range m.Certificates {
		for len(levels) <= c.depth {
			levels = append(levels, nil)
		}
		levels[c.depth] = append(levels[c.depth], c)
	}
	return levels
}

// examineHolding reads the files of one certificate and compares them with
// the manifest and the clock.
func (f *folder) examineHolding(c *Certificate) error {
	h := f.readHolding(c)
	f.holdings[c.index] = h
	reasons, err := h.faults()
	if err != nil {
		return err
	}
	if h.leaf != nil {
		fields := c.differences(h.leaf)
		if slices.Contains(fields, "subject") && f.isCertyamls(c, h.leaf) {
			fields = slices.DeleteFunc(fields, func(field string) bool { return field == "subject" })
		}
		if len(fields) > 0 {
			reasons = append(reasons, reasonf(ReasonChanged, "changed: %s", strings.Join(fields, ", ")))
		}
		if c.datesFollowNow() {
			reasons = append(reasons, validityReasons(h.leaf.NotBefore, h.leaf.NotAfter, f.now)...)
		}
	}
	f.wideKeys[c.index] = h.key != nil && isWide(h.keyFileMode)
	f.reasons[c.index] = append(f.reasons[c.index], reasons...)
	return nil
}

// faults returns what is missing, damaged, mismatched or no file of a PKI, and
// as an error what cannot be read.
func (h *holding) faults() ([]Reason, error) {
	var reasons []Reason
	var missing []string
	for _, part := range []struct {
		name string
		err  error
	}{{"certificate", h.certificateErr}, {"key", h.keyErr}} {
		var absent *MissingError
		var damaged *DamagedError
		var way *InTheWayError
		switch {
		case errors.As(part.err, &way):
			reasons = append(reasons, reasonf(ReasonInTheWay, "%s is %s", filepath.Base(way.File), way.Is))
		case errors.As(part.err, &absent):
			missing = append(missing, part.name)
		case errors.As(part.err, &damaged):
			reasons = append(reasons, reasonf(ReasonDamaged, "%s is damaged: %v", part.name, damaged.Err))
		case part.err != nil:
			return nil, part.err
		}
	}
	switch {
	case len(missing) == 2:
		reasons = append(reasons, bothMissing)
	case len(missing) == 1 && missing[0] == "key":
		reasons = append(reasons, Reason{ReasonMissing, "key is missing, but the certificate exists"})
	case len(missing) == 1:
		reasons = append(reasons, Reason{ReasonMissing, "certificate is missing, but the key exists"})
	}
	if h.matchErr != nil {
		reasons = append(reasons, Reason{ReasonKeyMismatch, "key and certificate do not match"})
	}
	return reasons, nil
}

// validityReasons returns a reason if something is expired, will be within a
// tenth of its lifetime, or begins in the future.
func validityReasons(notBefore, notAfter, now time.Time) []Reason {
	left := notAfter.Sub(now)
	switch {
	case left < 0:
		return []Reason{reasonf(ReasonExpired, "expired %s ago", span(-left))}
	case left <= notAfter.Sub(notBefore)/10:
		return []Reason{reasonf(ReasonExpiring, "expires in %s", span(left))}
	case notBefore.After(now):
		return []Reason{reasonf(ReasonNotYetValid, "not valid for another %s", span(notBefore.Sub(now)))}
	}
	return nil
}

// verify checks that a certificate was signed by its issuer's present key.
func (f *folder) verify(c *Certificate) {
	leaf, issuer := f.holdings[c.index].leaf, f.issuerLeaf(c)
	if leaf != nil && issuer != nil {
		thorough := c.Issuer == nil || len(f.holdings) <= mostSignatures
		f.verified[c.index] = isSignedBy(leaf, issuer, thorough)
	}
}

// issuerLeaf returns the certificate that should have signed c, or nil.
func (f *folder) issuerLeaf(c *Certificate) *x509.Certificate {
	if c.Issuer != nil {
		return f.holdings[c.Issuer.index].leaf
	}
	return f.holdings[c.index].leaf
}

// follow adds the reasons that a certificate has in its issuers. They must have
// been followed before.
func (f *folder) follow(c *Certificate) {
	h, reasons := f.holdings[c.index], &f.reasons[c.index]
	has := func(kind ReasonKind) bool {
		return slices.ContainsFunc(*reasons, func(r Reason) bool { return r.Kind == kind })
	}
	switch {
	case has(ReasonMissing): // reason enough
	case c.Issuer != nil && f.isPlanned(c.Issuer):
		*reasons = append(*reasons, reasonf(ReasonFollows, "issuer %s is made anew", c.Issuer.Name))
	case h.leaf == nil || has(ReasonChanged):
	case !f.verified[c.index] && c.Issuer == nil:
		*reasons = append(*reasons, Reason{ReasonUnverifiable, "its own signature does not verify"})
	case !f.verified[c.index]:
		*reasons = append(*reasons, reasonf(ReasonUnverifiable, "issuer %s was made anew", c.Issuer.Name))
	case !slices.EqualFunc(h.chain[1:], f.intermediates(c), bytes.Equal):
		*reasons = append(*reasons, Reason{ReasonChain, "the intermediates in the file are not the present ones"})
	}
}

// intermediates returns the DER of the certificates between c and its root,
// which certyaml adds to the file of what is not a CA.
func (f *folder) intermediates(c *Certificate) [][]byte {
	var chain [][]byte
	if c.CA {
		return nil
	}
	for issuer := c.Issuer; issuer != nil && issuer.Issuer != nil; issuer = issuer.Issuer {
		chain = append(chain, f.holdings[issuer.index].chain[0])
	}
	return chain
}

// isPlanned reports whether a certificate will be made.
func (f *folder) isPlanned(c *Certificate) bool { return len(f.reasons[c.index]) > 0 }

// plan returns the steps that the reasons ask for. Errors are those of reading
// the record.
func (f *folder) plan() (*Plan, error) {
	p := &Plan{}
	for i, c := range f.manifest.Certificates {
		if f.isPlanned(c) {
			p.Steps = append(p.Steps, Step{c.Name, KindCertificate, f.reasons[i]})
			if c.CA && c.Issuer == nil && !slices.Contains(f.reasons[i], bothMissing) {
				p.NewRoots = append(p.NewRoots, c.Name)
			}
			continue
		}
		p.Unchanged++
		if !f.wideKeys[i] {
			continue
		}
		if own, err := f.isOwn(c.KeyFile()); err != nil {
			return nil, err
		} else if own {
			p.Steps = append(p.Steps, Step{c.Name, KindKeyMode, []Reason{wideKey}})
		}
	}
	for i, c := range f.manifest.Certificates {
		if len(f.crlReasons[i]) > 0 {
			p.Steps = append(p.Steps, Step{c.Name, KindCRL, f.crlReasons[i]})
		}
	}
	return p, nil
}

var (
	wideKey     = Reason{ReasonMode, "the key can be read by others"}
	bothMissing = Reason{ReasonMissing, "missing"}
)
