package scenario

import (
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// sayings returns the messages of a scenario's document by program, and those
// that have the place where they stand in public: a comment above them, or
// above one before them of the same program.
func sayings(t *testing.T, s *Scenario) (all map[string][]string, placed map[string]bool) {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal(s.Text, &doc); err != nil {
		t.Fatal(err)
	}
	all, placed = map[string][]string{}, map[string]bool{}
	fields := doc.Content[0].Content
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i].Value != "says" {
			continue
		}
		says := fields[i+1].Content
		for i := 0; i+1 < len(says); i += 2 {
			program, place := says[i].Value, ""
			for _, message := range says[i+1].Content {
				if message.HeadComment != "" {
					place = message.HeadComment
				}
				all[program] = append(all[program], message.Value)
				placed[message.Value] = placed[message.Value] || place != ""
			}
		}
	}
	return all, placed
}

// A message is a fact: it is in a run of the table of stacks, or in public with
// its place noted. What the table has measured is not kept twice. Go's own are
// those of the lab's runs (checkSays), and people say what they want.
func TestSaysAreFacts(t *testing.T) {
	bare := func(line string) string { return strings.Join(words(withoutSurroundings(line)), " ") }
	seen, measured := map[string][]string{}, map[string][]string{} // lines by scenario
	for _, r := range stacks().Runs {
		for _, line := range append(slices.Clone(r.Says), r.Lab) {
			seen[r.Scenario] = append(seen[r.Scenario], line, bare(line))
			if r.Reason == r.As && r.Source == "" {
				measured[r.Scenario] = append(measured[r.Scenario], bare(line))
			}
		}
	}
	for _, s := range builtIn() {
		for _, l := range s.Loads {
			for _, line := range l.Prints {
				seen[s.Name] = append(seen[s.Name], line)
			}
		}
		all, placed := sayings(t, s)
		for program, messages := range all {
			if program == "people" || program == "Go" {
				continue
			}
			for _, m := range messages {
				has := func(line string) bool { return strings.Contains(line, m) || strings.Contains(line, bare(m)) }
				if !placed[m] && !slices.ContainsFunc(seen[s.Name], has) {
					t.Errorf("%s: %s says %q: in no run, and no place is noted above it", s.Name, program, m)
				}
				if program != "Go programs" && slices.Contains(measured[s.Name], bare(m)) {
					t.Errorf("%s: %s says %q, and the table has it", s.Name, program, m)
				}
			}
		}
	}
}
