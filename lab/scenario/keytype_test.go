package scenario

import (
	"errors"
	"os"
	"slices"
	"testing"

	"mtlslab.example/lab/lab/fault"
)

// A lesson whose keys this Go has not is left out of the list, can be read, and
// makes nothing. Where Go has them it is run as all others are.
func TestKeysThatGoHasNot(t *testing.T) {
	const name = "post-quantum-certificates"
	if got := slices.Contains(Unavailable(), name); got == fault.HasMLDSA {
		t.Errorf("unavailable: %v, with ML-DSA: %v", got, fault.HasMLDSA)
	}
	s, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	if fault.HasMLDSA {
		return
	}
	manifest, err := os.ReadFile("../../certs.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var lacks *fault.KeyTypeError
	if err := s.Prepare(t.Context(), manifest, dir); !errors.As(err, &lacks) {
		t.Errorf("%v", err)
	}
	if _, err := s.Issue(t.Context(), manifest, IssueOptions{}); !errors.As(err, &lacks) {
		t.Errorf("in memory: %v", err)
	}
	if made, err := os.ReadDir(dir); err != nil || len(made) > 0 {
		t.Errorf("%v, %v", made, err)
	}
}
