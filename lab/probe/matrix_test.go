package probe

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// matrixCases are the columns of the matrix of targets, in its order.
var matrixCases = []string{"server-does-not-ask", noneCase, "untrusted-client-forced", "self-signed-client", "look-alike-ca", "client-missing-intermediate",
	"expired-client", "not-yet-valid-client", "client-wrong-eku", "client-of-server-ca", "client-of-a-client", "client-path-length", "client-unknown-critical",
	"revoked-client", "ca-as-client", "weak-client-key", "client-other-subject", "client-of-intermediate", "client-name-constraint"}

// matrix writes what TestTargets wants of each target as a table.
func matrix() string {
	var b strings.Builder
	b.WriteString("| server | configuration |")
	for i := range matrixCases {
		fmt.Fprintf(&b, " %d |", i+1)
	}
	b.WriteString("\n|---|---|" + strings.Repeat(":-:|", len(matrixCases)) + "\n")
	for _, target := range slices.Concat(nearTargets, farTargets) {
		fmt.Fprintf(&b, "| %s | %s |", target.program, target.name)
		wrong, warned := strings.Fields(target.wrong), strings.Fields(target.warned)
		for _, name := range matrixCases {
			switch {
			case slices.Contains(wrong, name):
				b.WriteString(" **X** |")
			case slices.Contains(warned, name):
				b.WriteString(" o |")
			case slices.Contains(wrong, "server-does-not-ask"):
				b.WriteString("  |")
			default:
				b.WriteString(" · |")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// The document has what the targets were seen to do.
func TestMatrix(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), matrix()) {
		t.Errorf("README.md should have\n%s", matrix())
	}
	for i, name := range matrixCases {
		if !strings.Contains(string(text), fmt.Sprintf("%d `%s`", i+1, name)) {
			t.Errorf("README.md should say that column %d is %s", i+1, name)
		}
	}
}
