package selection_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/selection"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

// berlin is an hour ahead of UTC in winter, and two in summer.
func berlin(t *testing.T) *time.Location {
	t.Helper()
	l, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones here: ", err)
	}
	return l
}

func at(t *testing.T, s string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestMoment: a time is read as people, lab and tshark write it; without a zone
// it is local.
func TestMoment(t *testing.T) {
	local := berlin(t)
	start := at(t, "2026-11-28T21:00:00Z") // 22:00 there
	for given, want := range map[string]string{
		"2026-11-29T02:14:05Z":                "2026-11-29T02:14:05Z",
		"2026-11-29T02:14:05.25+05:30":        "2026-11-28T20:44:05.25Z",
		"2026-11-29T02:14:05+0100":            "2026-11-29T01:14:05Z",
		"2026-11-29T02:14":                    "2026-11-29T01:14:00Z",
		"2026-07-29 02:14:05":                 "2026-07-29T00:14:05Z",
		"2026-11-29 02:14:05 UTC":             "2026-11-29T02:14:05Z",
		"2026-11-29 02:14:05 CET":             "2026-11-29T01:14:05Z",
		"2026-11-29":                          "2026-11-28T23:00:00Z",
		"29 November 2026, 00:08:51 UTC":      "2026-11-29T00:08:51Z", // lab
		"Nov 29, 2026 02:14:05.5 CET":         "2026-11-29T01:14:05.5Z",
		"Nov  9, 2026 02:14:05.000000000 UTC": "2026-11-09T02:14:05Z", // tshark
		"2026-11-29T02:14:05.000000000+0100":  "2026-11-29T01:14:05Z",
		" 22:30 ":                             "2026-11-28T21:30:00Z",
		"22:00":                               "2026-11-28T21:00:00Z",
		"02:14":                               "2026-11-29T01:14:00Z", // the next day
		"02:14:05.5 UTC":                      "2026-11-29T02:14:05.5Z",
		"21:59:59":                            "2026-11-29T20:59:59Z",
	} {
		m, err := selection.ParseMoment(given, local)
		if err != nil {
			t.Errorf("%q: %v", given, err)
			continue
		}
		if got := m.NotBefore(start); !got.Equal(at(t, want)) {
			t.Errorf("%q is %v, want %s", given, got.UTC(), want)
		}
	}
	start = start.Add(7*time.Second + 300*time.Millisecond) // as captures begin
	for given, want := range map[string]string{
		"22:00":        "2026-11-28T21:00:00Z",
		"22:00:07":     "2026-11-28T21:00:07Z", // as lab prints it
		"22:00:06":     "2026-11-29T21:00:06Z",
		"22:00:07.299": "2026-11-29T21:00:07.299Z",
		"21:59":        "2026-11-29T20:59:00Z",
	} {
		m, err := selection.ParseMoment(given, local)
		if err != nil {
			t.Errorf("%q: %v", given, err)
			continue
		}
		if got := m.NotBefore(start); !got.Equal(at(t, want)) {
			t.Errorf("%q of a capture that begins at 22:00:07.3 is %v, want %s", given, got.UTC(), want)
		}
	}
	for _, wrong := range []string{"", "now", "25:00", "2026-13-01", "02:14 PST", "2026-11-29 02:14 XYZ", "-1h"} {
		if m, err := selection.ParseMoment(wrong, local); err == nil {
			t.Errorf("%q is %v", wrong, m.NotBefore(start))
		}
	}
}

// conn is a connection of 10.0.0.5 to api:8443, opened at that time.
func conn(opened time.Time) *tlsdecrypt.Connection {
	return &tlsdecrypt.Connection{
		Client: netip.MustParseAddrPort("10.0.0.5:51234"), Server: netip.MustParseAddrPort("192.0.2.9:8443"), Opened: opened,
		Negotiated: tlsdecrypt.Negotiated{ServerName: "api.Example"},
	}
}

// TestWhere: all conditions must hold.
func TestWhere(t *testing.T) {
	c := conn(time.Time{})
	expired := &verdict.Verdict{Outcome: verdict.Rejected, Code: "expired"}
	inHTTP := &verdict.Verdict{Outcome: verdict.Accepted, How: verdict.InHTTP, Code: verdict.RefusedInHTTP}
	for where, want := range map[string]struct{ expired, inHTTP bool }{
		"":                              {true, true},
		"addr=10.0.0.5":                 {true, true},
		"addr=10.0.0.5:51234":           {true, true},
		"addr=10.0.0.5:1":               {false, false},
		"addr=:8443":                    {true, true},
		"addr=192.0.0.0/16":             {true, true},
		"addr=10.1.0.0/16":              {false, false},
		"addr=10.0.0.5 addr=192.0.2.9":  {true, true},
		"addr=10.0.0.5 addr=10.0.0.6":   {false, false},
		"name=API.example":              {true, true},
		"name=api":                      {false, false},
		"code=expired":                  {true, false},
		"code=refused_in_http":          {false, true},
		"outcome=rejected":              {true, false},
		"outcome=refused":               {false, true},
		"outcome=accepted":              {false, false},
		"outcome=rejected code=expired": {true, false},
		"outcome=refused code=expired":  {false, false},
	} {
		var s selection.Selection
		for _, given := range strings.Fields(where) {
			condition, err := selection.ParseCondition(given)
			if err != nil {
				t.Fatal(err)
			}
			s.Where = append(s.Where, condition)
		}
		if s.Has(c, expired) != want.expired || s.Has(c, inHTTP) != want.inHTTP {
			t.Errorf("%q: %t, %t, want %v", where, s.Has(c, expired), s.Has(c, inHTTP), want)
		}
	}
}

// TestWhereWrong: what is no condition is said, with what there is.
func TestWhereWrong(t *testing.T) {
	for given, want := range map[string]string{
		"adr=10.0.0.5":   `"adr" is none of addr, name, code, outcome, status`,
		"expired":        `"expired" is none of addr, name, code, outcome, status`,
		"":               `"" is none of addr, name, code, outcome, status`,
		"name=":          "name=: it needs a value",
		"addr=api":       "addr=api: it must be like 10.0.0.5, 10.0.0.5:8443, :8443 or 10.0.0.0/8",
		"addr=:99999":    "addr=:99999: it must be like",
		"code=outdated":  "code=outdated: no code is called so",
		"code=403":       "code=403: this is a status of HTTP: status=403 chooses",
		"status=ok":      "status=ok: it must be a status of HTTP from 200 to 599",
		"status=100":     "status=100: it must be",
		"outcome=denied": "outcome=denied: it must be one of accepted, rejected, refused, broken, open, unknown",
	} {
		if _, err := selection.ParseCondition(given); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", given, err, want)
		}
	}
	if _, err := selection.ParseCondition("x=y"); !errors.As(err, new(*selection.KeyError)) {
		t.Error(err)
	}
	for _, key := range selection.Keys() {
		for _, value := range selection.Values(key) {
			if _, err := selection.ParseCondition(key + "=" + value); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestPeriod: each connection is in one of two periods that meet, wherever they
// meet. Times of day are those after the capture begins.
func TestPeriod(t *testing.T) {
	local := berlin(t)
	begins := at(t, "2026-11-28T21:00:00Z")
	moment := func(s string) selection.Moment {
		m, err := selection.ParseMoment(s, local)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, split := range []string{"02:14", "22:00", "2026-11-29 02:14"} {
		before, after := &selection.Selection{To: moment(split)}, &selection.Selection{From: moment(split)}
		var seen []int
		for minute := range 12 * 60 {
			c := conn(begins.Add(time.Duration(minute) * time.Minute))
			for _, s := range []*selection.Selection{before, after} {
				s.Watch(nothing{}).Open(wiretap.Event{Time: c.Opened})
				if s.Has(c, &verdict.Verdict{}) {
					seen = append(seen, minute)
				}
			}
		}
		if !slices.IsSorted(seen) || len(seen) != 12*60 {
			t.Errorf("%s: %d of %d", split, len(seen), 12*60)
		}
	}
	s := &selection.Selection{From: moment("23:00"), To: moment("22:30")}
	s.Watch(nothing{}).Open(wiretap.Event{Time: begins})
	if from, to := s.Period(); !to.Equal(at(t, "2026-11-29T21:30:00Z")) || !from.Before(to) {
		t.Errorf("from %v to %v", from, to)
	}
}

type nothing struct{}

func (nothing) Open(wiretap.Event) wiretap.Handler { return nil }
