package exercise

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every built-in exercise can be read, and is found by its name. They teach in
// the order of the numbers of their files.
func TestAll(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir("exercises")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(files) || len(all) < 20 {
		t.Fatalf("%d exercises are built in, of %d files", len(all), len(files))
	}
	inOrder := func(a, b *Exercise) int { return number(t, a) - number(t, b) }
	if !slices.IsSortedFunc(all, inOrder) || all[0].Name != "who-refused" {
		t.Errorf("the first is %s, or the numbers are not in order", all[0].Name)
	}
	for _, e := range all {
		if found, err := Find(e.Name); err != nil || found.Name != e.Name {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
}

// number is that at the beginning of the file of an exercise.
func number(t *testing.T, e *Exercise) int {
	t.Helper()
	before, _, _ := strings.Cut(e.File, "-")
	n, err := strconv.Atoi(before)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
