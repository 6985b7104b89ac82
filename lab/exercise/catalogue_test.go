package exercise

import "testing"

// Every built-in exercise can be read, and is found by its name.
func TestAll(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if found, err := Find(e.Name); err != nil || found.Name != e.Name {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
}
