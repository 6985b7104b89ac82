package command_test

import (
	"debug/elf"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

var root = filepath.Join("..", "..")

// TestStatic builds lab, and finds nothing in it that the system must load.
func TestStatic(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("builds the program for Linux")
	}
	program, err := elf.Open(peertest.Build(t, "linux"))
	check(t, err)
	defer program.Close()
	for _, part := range program.Progs {
		if part.Type == elf.PT_INTERP || part.Type == elf.PT_DYNAMIC {
			t.Errorf("lab has a %v", part.Type)
		}
	}
}

// TestBuildsAreStatic: wherever a build is named, it is without cgo.
func TestBuildsAreStatic(t *testing.T) {
	build := regexp.MustCompile(`\bgo (build|install|run) .*`)
	for _, name := range append(documents(t), ".ci/run", ".ci/full", ".ci/release") {
		text, err := os.ReadFile(filepath.Join(root, name))
		check(t, err)
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "export CGO_ENABLED=0") {
				break // and so are all below it
			}
			if build.MatchString(line) && !strings.Contains(line, "CGO_ENABLED=0 ") {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}

// licences are what a licence is known by, in a text without line breaks.
var licences = []struct {
	name string
	text *regexp.Regexp
}{
	{"Apache-2.0", regexp.MustCompile(`Apache License Version 2\.0`)},
	{"BSD-3-Clause", regexp.MustCompile(`Redistribution and use in source and binary forms.*Neither the name of`)},
	{"BSD-2-Clause", regexp.MustCompile(`Redistribution and use in source and binary forms`)},
	{"MIT", regexp.MustCompile(`Permission is hereby granted, free of charge, to any person obtaining a copy`)},
}

// TestLicences compares LICENSES.md with the modules that the program contains
// on each system, and those of the tests, and with the licence that each has.
func TestLicences(t *testing.T) {
	need(t, "go")
	text, err := os.ReadFile(filepath.Join(root, "lab", "LICENSES.md"))
	check(t, err)
	program, tests, _ := strings.Cut(string(text), "\nIts tests use")
	listed := modulesListed(program)
	for _, system := range []string{"linux", "darwin", "windows"} {
		found := modulesOf(t, system, "-deps", ".")
		if got, want := slices.Sorted(maps.Keys(listed)), slices.Sorted(maps.Keys(found)); !slices.Equal(got, want) {
			t.Errorf("on %s the program contains\n%s\nlisted are\n%s", system, want, got)
		}
	}
	maps.Copy(listed, modulesListed(tests))
	found := modulesOf(t, runtime.GOOS, "-deps", "-test", "-tags", "cdproto_jsoncompat", "./...") // as Go before 1.27 has it
	if got, want := slices.Sorted(maps.Keys(listed)), slices.Sorted(maps.Keys(found)); !slices.Equal(got, want) {
		t.Errorf("program and tests contain\n%s\nlisted are\n%s", want, got)
	}
	for module, folder := range found {
		if licence := licenceIn(t, folder); !strings.HasPrefix(listed[module], licence) {
			t.Errorf("%s is listed as %q, and its folder has %s", module, listed[module], licence)
		}
	}
}

// modulesListed returns the licence of each module in the tables of text.
func modulesListed(text string) map[string]string {
	listed := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\S+\.\S+) \| (.*?) \|`).FindAllStringSubmatch(text, -1) {
		listed[row[1]] = row[2]
	}
	return listed
}

// modulesOf returns the folder of each module that go list names.
func modulesOf(t *testing.T, system string, args ...string) map[string]string {
	t.Helper()
	list := exec.Command("go", append([]string{"list", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}"}, args...)...)
	list.Dir = root
	list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system)
	out, err := list.Output()
	check(t, err)
	found := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if module, folder, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			found[module] = folder
		}
	}
	return found
}

// licenceIn returns the name of the licence that comes first in a folder's
// file.
func licenceIn(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "LICENSE*"))
	check(t, err)
	if len(files) == 0 {
		t.Fatalf("%s has no licence", folder)
	}
	text, err := os.ReadFile(files[0])
	check(t, err)
	flat := strings.ReplaceAll(strings.Join(strings.Fields(string(text)), " "), "> ", "")
	first, name := len(flat), "none that is known"
	for _, licence := range licences {
		if at := licence.text.FindStringIndex(flat); at != nil && at[0] < first {
			first, name = at[0], licence.name
		}
	}
	return name
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
