package verdict

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
)

// Every code that is declared, here or in package chain, has a fix, and no
// other.
func TestEveryCodeHasAFix(t *testing.T) {
	declared := slices.Concat(codesIn(t, "code.go"), codesIn(t, "../chain/fault.go"))
	slices.Sort(declared)
	if got := Codes(); !slices.Equal(got, declared) {
		t.Errorf("fixes for %q, declared are %q", got, declared)
	}
	for _, code := range declared {
		for _, by := range []endpoint.Side{endpoint.Server, endpoint.Client} {
			if text := fix(code, by); text == "" || strings.ContainsAny(text, "{}") || strings.HasSuffix(text, ".") {
				t.Errorf("%s: %q", code, text)
			}
		}
	}
	if fix("", endpoint.Server) != "" {
		t.Error("no code has a fix")
	}
}

// codesIn are the values of the constants of type Code that a file declares.
func codesIn(t *testing.T, file string) (codes []Code) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Code" {
			return true
		}
		for _, v := range spec.Values {
			if literal, ok := v.(*ast.BasicLit); ok {
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				codes = append(codes, Code(text))
			}
		}
		return true
	})
	return codes
}

// A fix is for the side that has to change something.
func TestFix(t *testing.T) {
	for _, test := range []struct {
		code Code
		by   endpoint.Side
		want string
	}{
		{Closed, endpoint.Client, "look into the log of the client; or something between the two has cut the connection"},
		{TooSlow, endpoint.Server, "find out what holds the client up: a proxy, a firewall, or a program that waits for the other to speak first"},
		{BadSignature, endpoint.Server, "give the client the private key that belongs to its certificate: the files have been mixed up"},
		{SpokeNoTLS, endpoint.Server, "have the client speak TLS to this port (https:// in its URL), or find the port where its protocol is spoken"},
		{SpokeNoTLS, endpoint.Client, "find the port where the server speaks TLS, or switch TLS on there"},
	} {
		if got := fix(test.code, test.by); got != test.want {
			t.Errorf("%s by %v: %q, want %q", test.code, test.by, got, test.want)
		}
	}
}
