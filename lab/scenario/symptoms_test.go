package scenario

import (
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// symptom is a message and the scenarios of which one must come first.
type symptom struct {
	message string
	want    []string
}

// readSymptoms reads a list of them: message, tab, names with commas between.
// In a message \n and \t stand for the ends of lines and tabs.
func readSymptoms(t *testing.T, file string) (list []symptom) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		message, names, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if ok && !strings.HasPrefix(line, "#") {
			list = append(list, symptom{strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(message), strings.Split(names, ",")})
		}
	}
	return list
}

// tally counts symptoms.
type tally struct{ first, there, all int }

// search counts a symptom: whether what must come first does, and whether it is
// there at all.
func (n *tally) search(t *testing.T, s symptom, show bool) {
	n.all++
	if !slices.ContainsFunc(s.want, func(name string) bool { return slices.Contains(names(), name) }) {
		return
	}
	n.there++
	found := Search(s.message)
	var got []string
	for _, f := range found.Scenarios {
		got = append(got, f.Name)
	}
	if len(got) > 0 && slices.Contains(s.want, got[0]) {
		n.first++
	} else if show {
		t.Logf("%q finds %q, not %q", s.message, got, s.want)
	}
}

// The messages that others gathered: their scenario comes first. Words were
// chosen with one half in view, and the other half is the proof.
func TestSymptomsOfOthers(t *testing.T) {
	dir := os.Getenv("LAB_TESTDATA")
	if dir == "" {
		t.Skip("LAB_TESTDATA is not set")
	}
	var tuned, unseen tally
	for _, s := range readSymptoms(t, filepath.Join(dir, "symptoms.tsv")) {
		h := fnv.New32a()
		h.Write([]byte(s.message))
		if h.Sum32()>>16&1 == 0 {
			tuned.search(t, s, true)
		} else {
			unseen.search(t, s, false)
		}
	}
	for _, half := range []struct {
		name string
		tally
	}{{"tuned", tuned}, {"unseen", unseen}} {
		t.Logf("%s half: of %d messages the catalogue has a scenario for %d, and finds it first for %d", half.name, half.all, half.there, half.first)
	}
	if first, there := tuned.first+unseen.first, tuned.there+unseen.there; first*100 < there*95 {
		t.Errorf("%d of %d are fewer than 95 per cent", first, there)
	}
}

// The project's own messages, as programs print them, with what a log puts
// around them.
func TestSymptoms(t *testing.T) {
	var n tally
	for _, s := range readSymptoms(t, filepath.Join("testdata", "symptoms.tsv")) {
		n.search(t, s, true)
	}
	if n.first != n.all {
		t.Errorf("first of %d: %d", n.all, n.first)
	}
}
