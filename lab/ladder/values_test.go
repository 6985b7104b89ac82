package ladder

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// A response to no request, as to one byte that is none, has no blank before it.
func TestLineWithoutRequest(t *testing.T) {
	c := replay(t, "tls13-mutual", true)
	c.Messages = slices.DeleteFunc(c.Messages, func(m *tlsdecrypt.Message) bool { return m.HTTP != nil && m.HTTP.Request })
	if line := lineOf(c, Options{}); !strings.HasSuffix(line, "localhost      200") {
		t.Errorf("%q", line)
	}
}

// A time never pushes what is beside it out of its column, however wrong the
// clock of the capture was.
func TestElapsed(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1234 * time.Microsecond: "1.23 ms", 40 * time.Millisecond: "40.0 ms", 400 * time.Millisecond: "400 ms", 4900 * time.Millisecond: "4.9 s", 999_999 * time.Second: "999999 s",
		3_202_631_651 * time.Second: "37067 d", math.MaxInt64: "106752 d",
	} {
		if got := Elapsed(d); got != want || text.Width(got) > 8 {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
