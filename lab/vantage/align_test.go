package vantage

import (
	"testing"

	"mtlslab.example/lab/lab/tlsdecrypt"
)

// Of two shifts that fit as well it is always the same one that is taken.
func TestTiedShift(t *testing.T) {
	near := []tlsdecrypt.Span{{Offset: 100, Length: 10}}
	far := []tlsdecrypt.Span{{Offset: 95, Length: 10}, {Offset: 105, Length: 10}}
	for range 100 {
		if shift := voted(near, far); shift != 5 {
			t.Fatalf("shifted by %d", shift)
		}
	}
	if shift := voted(near, append(far, tlsdecrypt.Span{Offset: 103, Length: 10})); shift != 3 {
		t.Errorf("shifted by %d, and not by the least", shift)
	}
}
