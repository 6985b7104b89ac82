package certgen

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	crls "mtlslab.example/lab/certgen/revocation"
	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/lab/dn"
)

// Survey describes the certificates in dir, a folder without a manifest: every
// file NAME.pem, with its key NAME-key.pem or NAME.key if that is there, as a
// tree. A key alone is in it too. Survey writes nothing. The result is empty if
// there is no such file.
func Survey(dir string, now time.Time) ([]Info, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	s := &survey{dir: dir, now: now, lists: crls.New(LoadCRLs(dir))}
	seen := map[string]bool{}
	for _, entry := range entries {
		name, isPEM := strings.CutSuffix(entry.Name(), ".pem")
		if !isPEM || entry.IsDir() || strings.HasSuffix(entry.Name(), crlFile("")) {
			continue
		}
		name = strings.TrimSuffix(name, "-key")
		if h := readOwnHolding(dir, name); !seen[name] && h.isCertificate() {
			seen[name] = true
			s.infos = append(s.infos, s.describe(name, h))
		}
	}
	return s.tree(), nil
}

// isCertificate reports whether the files are those of a certificate, whole or
// not, and not some other PEM.
func (h *holding) isCertificate() bool {
	var way *InTheWayError
	return h.leaf != nil || h.key != nil || !errors.As(h.certificateErr, &way)
}

// survey is what was found in a folder so far.
type survey struct {
	dir   string
	now   time.Time
	lists *crls.Lists
	infos []Info
}

// describe returns what a certificate is, in the manifest's terms.
func (s *survey) describe(name string, h *holding) Info {
	leaf := h.leaf
	if leaf == nil {
		c := &Certificate{Name: name}
		return Info{Certificate: c, State: "certificate is missing or cannot be read",
			Reasons: []Reason{{ReasonDamaged, "certificate is missing or cannot be read"}}}
	}
	c := Describe(leaf)
	c.Name = name
	info := Info{Certificate: c, Leaf: leaf}
	var absent *MissingError
	wrong := func(kind ReasonKind, text string) { info.Reasons = append(info.Reasons, Reason{kind, text}) }
	switch {
	case h.matchErr != nil:
		wrong(ReasonKeyMismatch, "key and certificate do not match")
	case h.keyErr != nil && !errors.As(h.keyErr, &absent):
		wrong(ReasonDamaged, "key cannot be read")
	}
	switch {
	case s.now.After(leaf.NotAfter):
		wrong(ReasonExpired, "expired")
	case s.now.Before(leaf.NotBefore):
		wrong(ReasonNotYetValid, "not valid yet")
	}
	switch {
	case len(info.Reasons) > 0:
		info.State = joinReasons(info.Reasons)
	case absent != nil:
		info.State = "ok, without its key"
	default:
		info.State = "ok"
	}
	return info
}

// Describe returns a certificate that was not made here in the manifest's
// terms, without a name.
func Describe(leaf *x509.Certificate) *Certificate {
	c := &Certificate{Subject: dn.Subject(leaf), CA: leaf.IsCA, KeyUsage: leaf.KeyUsage, ExtKeyUsage: leaf.ExtKeyUsage, SANs: sansOf(leaf)}
	c.KeyType, c.KeySize = keyOf(leaf)
	return c
}

// tree puts each certificate below the one that issued it, if that is there.
func (s *survey) tree() []Info {
	issued := map[*Certificate][]int{}
	for i := range s.infos {
		info := &s.infos[i]
		for j := range s.infos {
			other := &s.infos[j]
			if i != j && info.Leaf != nil && other.Leaf != nil && !isSelfIssued(info.Leaf) && bytes.Equal(info.Leaf.RawIssuer, other.Leaf.RawSubject) && isSignedBy(info.Leaf, other.Leaf, true) {
				info.Issuer = other.Certificate
				if s.lists.Of(info.Leaf, other.Leaf, s.now).Entry != nil {
					info.Reasons = append(info.Reasons, Reason{ReasonRevoked, "revoked"})
					info.State = joinReasons(info.Reasons)
				}
				break
			}
		}
		issued[info.Issuer] = append(issued[info.Issuer], i)
	}
	var all []Info
	var below func(issuer *Certificate, depth int)
	below = func(issuer *Certificate, depth int) {
		for _, i := range issued[issuer] {
			s.infos[i].Depth = depth
			all = append(all, s.infos[i])
			below(s.infos[i].Certificate, depth+1)
		}
	}
	below(nil, 0)
	for i := range s.infos { // those that issued each other in a circle
		if !slices.ContainsFunc(all, func(info Info) bool { return info.Certificate == s.infos[i].Certificate }) {
			s.infos[i].Depth, s.infos[i].Issuer = 0, nil
			all = append(all, s.infos[i])
		}
	}
	return all
}

// isSelfIssued reports whether a certificate names itself as its issuer.
func isSelfIssued(leaf *x509.Certificate) bool { return bytes.Equal(leaf.RawIssuer, leaf.RawSubject) }

// sansOf returns the subject alternative names of a certificate as a manifest
// writes them.
func sansOf(leaf *x509.Certificate) (sans []string) {
	for _, name := range leaf.DNSNames {
		sans = append(sans, "DNS:"+name)
	}
	for _, ip := range leaf.IPAddresses {
		sans = append(sans, "IP:"+ip.String())
	}
	for _, uri := range leaf.URIs {
		sans = append(sans, "URI:"+uri.String())
	}
	for _, address := range leaf.EmailAddresses {
		sans = append(sans, "email:"+address)
	}
	return sans
}

// SurveyError reports a certificate of a folder without a manifest that cannot
// be used.
type SurveyError struct {
	Name    string   // of its files
	Reasons []Reason // at least one
}

func (e *SurveyError) Error() string { return fmt.Sprintf("%s: %s", e.Name, joinReasons(e.Reasons)) }

// VerifySurvey checks what [Survey] found: that keys fit and that nothing is
// out of date or revoked. Each comes with nil or a *SurveyError.
func VerifySurvey(infos []Info) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for _, info := range infos {
			var err error
			if len(info.Reasons) > 0 {
				err = &SurveyError{info.Name, info.Reasons}
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// LookupAmong returns a function that returns *UnknownNameError for a name that
// none of infos has, and else nil.
func LookupAmong(infos []Info) func(name string) error {
	return func(name string) error {
		var names []string
		for _, info := range infos {
			if info.Name == name {
				return nil
			}
			names = append(names, info.Name)
		}
		return &UnknownNameError{Name: name, Nearest: spell.Nearest(name, names)}
	}
}
