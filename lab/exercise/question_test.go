package exercise

import "testing"

// Reasonable spellings of an answer count, and others do not.
func TestAnswers(t *testing.T) {
	v := values{"serial till": "6252f64d79", "stream theft": "0"}
	for _, c := range []struct {
		right, given string
		want         bool
	}{
		{"{serial till}", "6252f64d79", true},
		{"{serial till}", "06:25:2F:64:D7:9", true},
		{"{serial till}", "0x06252F64D79", true},
		{"{serial till}", "6252f64d7", false},
		{"{stream theft}", "0", true},
		{"{stream theft}", "", false},
		{"{stream theft}", "1", false},
		{"CertificateVerify", "certificate verify", true},
		{"CN=anna", "cn = Anna", true},
		{"no", "No.", true},
		{"no", "not at all", false},
	} {
		if got := (&Question{Answers: []string{c.right}}).isRight(c.given, v); got != c.want {
			t.Errorf("%q for %q: %v", c.given, c.right, got)
		}
	}
}
