package certgen

import (
	"fmt"
	"strings"
	"time"
)

// Plan is what has to be made, or was made, to have a folder hold what the
// manifest asks for. With no steps there is nothing to do.
type Plan struct {
	Steps     []Step   // certificates in the order of the manifest, then CRLs likewise
	Unchanged int      // certificates that stay as they are
	NewRoots  []string // root CAs among the steps that replace another of that name: what trusts the old one refuses the new
	Kept      string   // the folder that now holds what Options.Force has replaced; empty: nothing was
}

// Step is one thing to make and why.
type Step struct {
	Name    string // of the certificate, or of the CA whose CRL it is
	Kind    Kind
	Reasons []Reason // at least one
}

// String returns "NAME: KIND: reason, reason".
func (s Step) String() string {
	return fmt.Sprintf("%s: %s: %s", s.Name, s.Kind, joinReasons(s.Reasons))
}

// Kind is what a step makes.
type Kind string

// The kinds of steps.
const (
	KindCertificate Kind = "certificate" // with its key
	KindCRL         Kind = "CRL"
	KindKeyMode     Kind = "key mode" // the key file is made readable to its owner only
)

// Reason is why something has to be made.
type Reason struct {
	Kind ReasonKind
	Text string // in words, lower case
}

// String returns the reason in words.
func (r Reason) String() string { return r.Text }

// MarshalText returns the reason in words.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.Text), nil }

// ReasonKind classifies a reason.
type ReasonKind string

// The kinds of reasons.
const (
	ReasonAsked        ReasonKind = "asked"         // made anew on request
	ReasonMissing      ReasonKind = "missing"       // a file is missing
	ReasonDamaged      ReasonKind = "damaged"       // a file is empty, truncated or altered
	ReasonInTheWay     ReasonKind = "in-the-way"    // what is there is no file of a PKI
	ReasonKeyMismatch  ReasonKind = "key-mismatch"  // key and certificate do not belong together
	ReasonChanged      ReasonKind = "changed"       // the manifest asks for something else
	ReasonExpired      ReasonKind = "expired"       // no longer valid
	ReasonExpiring     ReasonKind = "expiring"      // within a tenth of its lifetime of expiring
	ReasonNotYetValid  ReasonKind = "not-yet-valid" // made by a clock that was ahead
	ReasonUnverifiable ReasonKind = "unverifiable"  // not signed by the issuer's present key
	ReasonChain        ReasonKind = "chain"         // the intermediates in the file are not the present ones
	ReasonList         ReasonKind = "list"          // the CRL lists other certificates
	ReasonRevoked      ReasonKind = "revoked"       // on a CRL; or not, against the manifest
	ReasonMode         ReasonKind = "mode"          // the key file is open to others
	ReasonFollows      ReasonKind = "follows"       // another step makes it necessary
)

// isFault reports whether a folder with such a reason is not what the manifest
// says. What is due, or follows from another step, is no fault.
func (k ReasonKind) isFault() bool {
	return k != ReasonExpiring && k != ReasonFollows && k != ReasonAsked
}

func reasonf(kind ReasonKind, format string, args ...any) Reason {
	return Reason{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

func joinReasons(reasons []Reason) string {
	texts := make([]string, len(reasons))
	for i, r := range reasons {
		texts[i] = r.Text
	}
	return strings.Join(texts, "; ")
}

// span writes a positive duration in its largest unit: "3 days".
func span(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		switch n := d / unit.length; {
		case n == 1:
			return "1 " + unit.name
		case n > 1:
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return fmt.Sprintf("%d seconds", d/time.Second)
}
