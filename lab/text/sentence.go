package text

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Sentence begins with a capital, unless that would change the name of a file,
// and ends in a full stop.
func Sentence(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if r, n := utf8.DecodeRuneInString(s); s != "" && !strings.ContainsAny(word, "./\\") {
		s = string(unicode.ToUpper(r)) + s[n:]
	}
	return s + "."
}

// TimeLayout is how JSON has times, which are in UTC.
const TimeLayout = "2006-01-02T15:04:05.000000Z"

// Milliseconds is how JSON has durations: to the microsecond.
func Milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// OfMilliseconds is a duration that JSON has.
func OfMilliseconds(ms float64) time.Duration {
	return time.Duration(math.Round(ms*1000)) * time.Microsecond
}

// Duration is how long d is, as people say it: "2.1 ms", "3 days".
func Duration(d time.Duration) string {
	switch d = d.Abs(); {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d.Round(time.Hour) >= 48*time.Hour:
		return fmt.Sprintf("%.0f days", d.Hours()/24)
	}
	return d.Round(time.Second).String()
}

// Roughly is how long d is, in whole seconds, minutes, hours or days.
func Roughly(d time.Duration) string {
	unit, noun := 24*time.Hour, "day"
	switch d = d.Abs(); {
	case d < 2*time.Minute:
		unit, noun = time.Second, "second"
	case d < 2*time.Hour:
		unit, noun = time.Minute, "minute"
	case d < 48*time.Hour:
		unit, noun = time.Hour, "hour"
	}
	return Counted(int(d.Round(unit)/unit), noun)
}
