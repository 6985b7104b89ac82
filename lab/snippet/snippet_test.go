package snippet_test

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/snippet"
)

// bare is an IPv6 address before a port, without its brackets.
var bare = regexp.MustCompile(`2001:db8::1:[0-9]`)

// Names has each program of the folder, in its order.
func TestNames(t *testing.T) {
	files, err := os.ReadDir("snippets")
	if err != nil {
		t.Fatal(err)
	}
	var programs []string
	for _, file := range files {
		program, _, _ := strings.Cut(file.Name(), ".")
		programs = append(programs, program)
	}
	if want := slices.Compact(programs); !slices.Equal(snippet.Names(), want) {
		t.Errorf("%q in place of %q", snippet.Names(), want)
	}
}

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
