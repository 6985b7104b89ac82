package snippet_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/snippet"
)

// bare is an IPv6 address before a port, without its brackets.
var bare = regexp.MustCompile(`2001:db8::1:[0-9]`)

// An IPv6 address has brackets wherever a port follows, in every snippet.
func TestIPv6(t *testing.T) {
	for _, program := range snippet.Names() {
		_, sides, err := snippet.Sides(program)
		if err != nil {
			t.Fatal(err)
		}
		for _, side := range sides {
			var b bytes.Buffer
			v := snippet.Values{Host: "2001:db8::1", Listen: "2001:db8::1", Port: "8443", Name: "a", Authority: "ca", User: `it's "$a`, Cert: "/a b/a.pem", Key: "/a b/a-key.pem", CA: "/a b/ca.pem"}
			if err := snippet.Write(&b, program, side, v); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if bare.MatchString(line) {
					t.Errorf("%s, %v: %s", program, side, line)
				}
			}
			if program == "postgresql" && side == endpoint.Client && !strings.Contains(b.String(), `user='it\\'s \"\$a' `) {
				t.Errorf("%s", b.String())
			}
		}
	}
}
