package selection

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

// Selection says which connections are wanted: those that were opened in a
// period, and for which all conditions hold. The zero value wants all. Has may
// be called from several goroutines.
type Selection struct {
	From, To Moment // From is within the period, To is not
	Where    []Condition

	mu     sync.Mutex
	begins time.Time
}

// IsAll reports whether all connections are wanted.
func (s *Selection) IsAll() bool {
	return !s.From.IsSet() && !s.To.IsSet() && len(s.Where) == 0
}

// Watch returns a sink that passes all on to another. It learns from the first
// connection when the capture begins, to which times of day refer.
func (s *Selection) Watch(sink wiretap.Sink) wiretap.Sink {
	if s.IsAll() {
		return sink
	}
	return watch{s, sink}
}

type watch struct {
	s    *Selection
	sink wiretap.Sink
}

func (w watch) Open(e wiretap.Event) wiretap.Handler {
	w.s.begin(e.Time)
	return w.sink.Open(e)
}

func (s *Selection) begin(first time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begins.IsZero() {
		s.begins = first
	}
}

// Period returns the times between which the wanted connections were opened. A
// zero time is no bound.
func (s *Selection) Period() (from, to time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, start := s.From.NotBefore(s.begins), s.begins
	if from.After(start) {
		start = from
	}
	return from, s.To.NotBefore(start)
}

// Has reports whether a connection is wanted.
func (s *Selection) Has(c *tlsdecrypt.Connection, v *verdict.Verdict) bool {
	if s.IsAll() {
		return true
	}
	from, to := s.Period()
	if c.Opened.Before(from) || !to.IsZero() && !c.Opened.Before(to) {
		return false
	}
	return !slices.ContainsFunc(s.Where, func(where Condition) bool { return !where.holds(c, v) })
}

// Condition is one that a connection has to meet.
type Condition struct {
	text  string // KEY=VALUE
	holds func(*tlsdecrypt.Connection, *verdict.Verdict) bool
}

func (c Condition) String() string { return c.text }

// keys are what a condition may be about, each with what reads its value.
var keys = []struct {
	name string
	read func(value string) (func(*tlsdecrypt.Connection, *verdict.Verdict) bool, error)
}{{"addr", ofAddr}, {"name", ofName}, {"code", ofCode}, {"outcome", ofOutcome}, {"status", ofStatus}}

// Keys returns what a condition may be about.
func Keys() (names []string) {
	for _, key := range keys {
		names = append(names, key.name)
	}
	return names
}

// Values returns the values of a key, if they are words of the lab's own.
func Values(key string) (values []string) {
	switch key {
	case "code":
		for _, code := range verdict.Codes() {
			values = append(values, string(code))
		}
	case "outcome":
		values = outcomes
	}
	return values
}

// KeyError is a condition about something else than Keys.
type KeyError struct{ Key string }

func (e *KeyError) Error() string {
	return fmt.Sprintf("%q is none of %s", e.Key, strings.Join(Keys(), ", "))
}

// ValueError is a value that a key cannot have.
type ValueError struct {
	Key, Value string
	Problem    string // what it must be
}

func (e *ValueError) Error() string { return fmt.Sprintf("%s=%s: %s", e.Key, e.Value, e.Problem) }

// ParseCondition reads KEY=VALUE.
func ParseCondition(s string) (Condition, error) {
	name, value, ok := strings.Cut(s, "=")
	for _, key := range keys {
		if key.name != name {
			continue
		}
		if !ok || value == "" {
			return Condition{}, &ValueError{name, value, "it needs a value"}
		}
		holds, err := key.read(value)
		if err != nil {
			return Condition{}, &ValueError{name, value, err.Error()}
		}
		return Condition{s, holds}, nil
	}
	return Condition{}, &KeyError{name}
}

// ofAddr matches either end: by address, address and port, port (:443) or
// network (10.0.0.0/8).
func ofAddr(value string) (func(*tlsdecrypt.Connection, *verdict.Verdict) bool, error) {
	var is func(netip.AddrPort) bool
	if at, err := netip.ParseAddrPort(value); err == nil {
		is = func(end netip.AddrPort) bool { return end == at }
	} else if addr, err := netip.ParseAddr(strings.Trim(value, "[]")); err == nil {
		is = func(end netip.AddrPort) bool { return end.Addr() == addr }
	} else if network, err := netip.ParsePrefix(value); err == nil {
		is = func(end netip.AddrPort) bool { return network.Contains(end.Addr()) }
	} else if port, err := strconv.ParseUint(strings.TrimPrefix(value, ":"), 10, 16); err == nil && value[0] == ':' {
		is = func(end netip.AddrPort) bool { return end.Port() == uint16(port) }
	} else {
		return nil, fmt.Errorf("it must be like 10.0.0.5, 10.0.0.5:8443, :8443 or 10.0.0.0/8")
	}
	return func(c *tlsdecrypt.Connection, _ *verdict.Verdict) bool { return is(c.Client) || is(c.Server) }, nil
}

// ofName matches the name that the client asked for, and in the certificates
// that were shown the subject, its common name and the alternative names. Case
// does not matter.
func ofName(value string) (func(*tlsdecrypt.Connection, *verdict.Verdict) bool, error) {
	return func(c *tlsdecrypt.Connection, _ *verdict.Verdict) bool {
		is := func(name string) bool { return strings.EqualFold(name, value) }
		if is(c.ServerName) {
			return true
		}
		for _, m := range c.Messages {
			ders, _ := m.Certificates()
			if len(ders) == 0 {
				continue
			}
			leaf, err := tlswire.ParseCertificate(ders[0])
			if err == nil && (is(chain.Name(leaf)) || is(leaf.Subject.CommonName) || slices.ContainsFunc(leaf.DNSNames, is) ||
				slices.ContainsFunc(leaf.URIs, func(u *url.URL) bool { return is(u.String()) }) || slices.ContainsFunc(leaf.IPAddresses, func(ip net.IP) bool { return is(ip.String()) })) {
				return true
			}
		}
		return false
	}, nil
}

func ofCode(value string) (func(*tlsdecrypt.Connection, *verdict.Verdict) bool, error) {
	if !slices.Contains(verdict.Codes(), verdict.Code(value)) {
		problem := "no code is called so: the last column of --list has those of a capture"
		if _, err := ofStatus(value); err == nil {
			problem = "this is a status of HTTP: status=" + value + " chooses those with such an answer"
		}
		return nil, errors.New(problem)
	}
	return func(_ *tlsdecrypt.Connection, v *verdict.Verdict) bool { return string(v.Code) == value }, nil
}

var outcomes = []string{string(verdict.Accepted), string(verdict.Rejected), verdict.RefusedLater, string(verdict.Broken), string(verdict.Open), string(verdict.Unknown)}

func ofOutcome(value string) (func(*tlsdecrypt.Connection, *verdict.Verdict) bool, error) {
	if !slices.Contains(outcomes, value) {
		return nil, fmt.Errorf("it must be one of %s", strings.Join(outcomes, ", "))
	}
	return func(_ *tlsdecrypt.Connection, v *verdict.Verdict) bool { return v.OutcomeWord() == value }, nil
}

// ofStatus matches connections with an answer of HTTP that has the status.
func ofStatus(value string) (func(*tlsdecrypt.Connection, *verdict.Verdict) bool, error) {
	status, err := strconv.Atoi(value)
	if err != nil || status < 200 || status > 599 {
		return nil, errors.New("it must be a status of HTTP from 200 to 599, such as 403")
	}
	return func(c *tlsdecrypt.Connection, _ *verdict.Verdict) bool { return slices.Contains(c.Statuses(), status) }, nil
}
