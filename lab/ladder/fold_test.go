package ladder

import (
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// However a name is folded, none of its lines looks like one of the ladder's
// own: a check, a turning point, a paragraph at the edge.
func TestNamesMakeNoLines(t *testing.T) {
	for _, o := range []Options{{Width: 80}, {Width: 60}, {Width: 80, ASCII: true}} {
		for n := range 24 {
			p := &page{Options: o, noted: map[string]bool{}}
			padding := strings.Repeat("word ", n)
			for _, mark := range []string{"✓", "✗", "?", "ok", "FAILS"} {
				p.paragraph(endpoint.Client, normal, "", "CN="+padding+mark+" FORGED")
				p.paragraph(endpoint.Server, normal, "", "CN="+padding+mark+" FORGED")
			}
			p.check(endpoint.Client, tlsdecrypt.Check{Result: tlsdecrypt.Fails, Text: padding + "lab: error: FORGED"})
			p.across("the server knows the client as CN=" + padding + "FORGED both sides have the keys")
			p.text(normal, "Accepted: CN="+padding+"FORGED lab: error")
			for i, line := range strings.Split(p.out.String(), "\n") {
				inside := strings.TrimLeft(line, " ")
				for _, own := range []string{"│   ✓ ", "│        ✓ ", "|   ok ", "|        ok ", "|   FAILS FORGED", "|        FAILS FORGED", "├┄┄┄ FORGED", "FORGED", "lab:"} {
					if strings.HasPrefix(inside, own) && (own[0] != 'F' && own[0] != 'l' || inside == line) {
						t.Errorf("%+v, line %d: %s", o, i, line)
					}
				}
				if strings.HasPrefix(inside, "├") && strings.Trim(inside, "├┄┤ ") != "" && !strings.Contains(inside, "the server knows") {
					t.Errorf("%+v: %s", o, line)
				}
			}
		}
	}
}
