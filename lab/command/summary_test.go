package command_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/command"
)

// TestSummaryIsOfList: a summary counts what lab explain --list --json says of
// each connection, for every capture of real programs, alone and all together,
// with keys and without.
func TestSummaryIsOfList(t *testing.T) {
	var files []string
	for _, dir := range []string{foreignDir, filepath.Join(os.Getenv("LAB_TESTDATA"), "captures")} {
		found, err := filepath.Glob(filepath.Join(dir, "*.pcap*"))
		check(t, err)
		files = append(files, found...)
	}
	if len(files) < 200 {
		t.Fatalf("%d captures", len(files))
	}
	causes := 0
	for _, file := range files {
		keys := strings.TrimSuffix(file, filepath.Ext(file)) + ".keys"
		if _, err := os.Stat(keys); err != nil {
			keys = "off"
		}
		causes += summaryIsOfList(t, "--keylog", keys, file)
	}
	causes += summaryIsOfList(t, append([]string{"--keylog", "off"}, files...)...)
	if causes < len(files)/2 {
		t.Errorf("%d causes of %d files", causes, len(files))
	}
}

// summaryIsOfList compares the two, and returns how many causes there are.
func summaryIsOfList(t *testing.T, args ...string) int {
	t.Helper()
	args = append([]string{"--dir", t.TempDir()}, args...)
	count := func(objects []map[string]any, into func(map[string]any)) {
		for _, o := range objects {
			into(o)
		}
	}
	listed, outcomes := make(map[string]int), make(map[string]int)
	count(jsonLines(t, append([]string{"explain", "--list"}, args...)...), func(c map[string]any) {
		outcome, how := fmt.Sprint(c["outcome"]), c["how"]
		switch {
		case outcome == "unknown" && how != nil:
			outcomes[fmt.Sprint(how)]++
		case how == "refused in HTTP", how == "refused inside TLS":
			outcomes["refused"]++
		default:
			outcomes[outcome]++
		}
		if outcome == "rejected" || outcome == "broken" || c["code"] != nil {
			alert, _ := c["alert"].(map[string]any)
			listed[fmt.Sprint(c["server_addr"], outcome, how, c["code"], alert["name"])]++
		}
	})
	summed := make(map[string]int)
	objects := jsonLines(t, append([]string{"explain", "--summary"}, args...)...)
	count(objects, func(c map[string]any) {
		if c["cause"] != nil {
			summed[fmt.Sprint(c["server_addr"], c["outcome"], c["how"], c["code"], c["alert"])] += int(c["count"].(float64))
		}
	})
	var total struct {
		Summary struct{ Outcomes map[string]int }
	}
	last, err := json.Marshal(objects[len(objects)-1])
	check(t, err)
	check(t, json.Unmarshal(last, &total))
	if !maps.Equal(listed, summed) || !maps.Equal(outcomes, total.Summary.Outcomes) {
		t.Errorf("%.200v: --list has\n%v %v\n--summary\n%v %v", args, listed, outcomes, summed, total.Summary.Outcomes)
	}
	return len(listed)
}

// jsonLines runs lab with --json. A capture that has no TCP has no line.
func jsonLines(t *testing.T, args ...string) (objects []map[string]any) {
	t.Helper()
	var out, talk bytes.Buffer
	p := command.Program{Stdout: &out, Stderr: &talk}
	_ = p.Run(t.Context(), slices.Concat([]string{"lab"}, args, []string{"--json"}))
	for line := range bytes.Lines(out.Bytes()) {
		var o map[string]any
		check(t, json.Unmarshal(line, &o))
		objects = append(objects, o)
	}
	return objects
}
