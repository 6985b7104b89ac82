package selection

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Moment is a time, or a time of day, which is one of the capture's. The zero
// value is none.
type Moment struct {
	at    time.Time // of a time of day: on some day
	ofDay bool
	lasts time.Duration // of a time of day: the minute or the second that it names
}

// Forms of dates, the last of which is that of tshark's frame.time, and of times
// of day. Fractions of seconds may follow each, and a zone all but the first two.
var (
	dates  = []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02", "2 January 2006, 15:04:05", "Jan _2, 2006 15:04:05"}
	clocks = []string{"15:04:05", "15:04"}
)

// ParseMoment reads a time. Without a zone it is one of local.
func ParseMoment(s string, local *time.Location) (Moment, error) {
	s = strings.TrimSpace(s)
	in, rest := local, s
	if bare, zone, ok := cutZone(s); ok {
		switch abbreviation, _ := time.Now().In(local).Zone(); {
		case zone == "UTC", zone == "GMT":
			in, rest = time.UTC, bare
		case zone == abbreviation, isZoneOf(zone, local):
			rest = bare
		default:
			return Moment{}, fmt.Errorf("the zone %s is not known here: write the time as in 2026-01-02T03:04:05+01:00", zone)
		}
	}
	for _, layout := range dates {
		if at, err := time.ParseInLocation(layout, rest, in); err == nil {
			return Moment{at: at}, nil
		}
	}
	for _, layout := range clocks {
		if at, err := time.ParseInLocation(layout, rest, in); err == nil {
			m := Moment{at: at, ofDay: true}
			switch {
			case layout == "15:04":
				m.lasts = time.Minute
			case at.Nanosecond() == 0:
				m.lasts = time.Second
			}
			return m, nil
		}
	}
	return Moment{}, errors.New("a time is like 02:14, 02:14:05.5, '2026-01-02 02:14' or 2026-01-02T02:14:05Z")
}

// cutZone cuts the abbreviation of a time zone off the end.
func cutZone(s string) (rest, zone string, ok bool) {
	space := strings.LastIndexByte(s, ' ')
	if space < 0 || strings.Trim(s[space+1:], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return s, "", false
	}
	return s[:space], s[space+1:], true
}

// isZoneOf reports whether a place has a time of that name in summer or winter.
func isZoneOf(zone string, local *time.Location) bool {
	for _, month := range []time.Month{time.January, time.July} {
		if name, _ := time.Date(time.Now().Year(), month, 1, 0, 0, 0, 0, local).Zone(); name == zone {
			return true
		}
	}
	return false
}

// IsSet reports whether there is a time.
func (m Moment) IsSet() bool { return !m.at.IsZero() || m.ofDay }

// IsOfDay reports whether it is a time of day.
func (m Moment) IsOfDay() bool { return m.ofDay }

// NotBefore returns the time. A time of day is the first such time that is not
// before start, or that names the minute or the second of start: 22:00 is the
// beginning of a capture that begins at 22:00:07, and not the next evening.
func (m Moment) NotBefore(start time.Time) time.Time {
	if !m.ofDay {
		return m.at
	}
	day := start.In(m.at.Location())
	on := func(days int) time.Time {
		return time.Date(day.Year(), day.Month(), day.Day()+days, m.at.Hour(), m.at.Minute(), m.at.Second(), m.at.Nanosecond(), m.at.Location())
	}
	if at := on(0); !at.Before(start) || start.Sub(at) < m.lasts {
		return at
	}
	return on(1)
}
