package ladder

import "testing"

// A name that is too long is known by its common name, not by what a company CA
// puts before it.
func TestBrief(t *testing.T) {
	for _, c := range []struct {
		name string
		n    int
		want string
	}{
		{"emailAddress=ops@acme.test,CN=api,O=Acme", 40, "emailAddress=ops@acme.test,CN=api,O=Acme"},
		{"emailAddress=ops@acme.test,CN=api,O=Acme", 11, "…CN=api,O=…"},
		{"CN=a long name,O=Acme", 11, "CN=a long …"},
		{`O=Acme\,CN=of the name,C=DE`, 11, `O=Acme\,CN…`},
		{"O=Acme and others,C=DE", 11, "O=Acme and…"},
	} {
		if got := (Options{}).brief(c.name, c.n); got != c.want {
			t.Errorf("%q in %d columns: %q, not %q", c.name, c.n, got, c.want)
		}
	}
}
