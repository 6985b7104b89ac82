package command

import (
	"strings"
	"testing"
)

func TestSpanned(t *testing.T) {
	for names, want := range map[string]string{
		"client":                             "client",
		"client server api":                  "client, server, api",
		"c-01 c-02":                          "c-01, c-02",
		"c-01 c-02 c-03":                     "c-01 to c-03",
		"c-01 c-02 c-04 c-05 c-06 c-08":      "c-01, c-02, c-04 to c-06, c-08",
		"c-09 c-10 c-11 d-12 d-13 d-14":      "c-09 to c-11, d-12 to d-14",
		"o/c-99.zip o/c-100.zip o/c-101.zip": "o/c-99.zip to o/c-101.zip",
		"c-1.zip c-2.zip c-3":                "c-1.zip, c-2.zip, c-3",
		"c-3 c-2 c-1":                        "c-3, c-2, c-1",
	} {
		if got := spanned(strings.Fields(names)); got != want {
			t.Errorf("%s: %q, not %q", names, got, want)
		}
	}
}
