package lab_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// TestFloorPlan compares the floor plan in doc.go with the imports of every
// package: each is on the plan, and imports only those on lines below its own.
// The layout in README.md has every package, too.
func TestFloorPlan(t *testing.T) {
	peertest.Need(t, "go")
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	floors := make(map[string]int)
	_, plan, _ := strings.Cut(string(doc), "//\tmain\n")
	plan, _, _ = strings.Cut("//\tmain\n"+plan, "//\n")
	for i, line := range strings.Split(strings.TrimSpace(plan), "\n") {
		for _, name := range strings.Fields(strings.TrimPrefix(line, "//")) {
			floors[name] = -i
		}
	}
	list := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "mtlslab.example/lab/...")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for line := range strings.Lines(string(out)) {
		var names []string
		for _, path := range strings.Fields(line) {
			if name, ours := planned(path); ours {
				names = append(names, name)
			}
		}
		seen = append(seen, names[0])
		if _, ok := floors[names[0]]; !ok {
			t.Errorf("%s is not on the floor plan in lab/doc.go", names[0])
		}
		path, _, _ := strings.Cut(strings.TrimPrefix(line, "mtlslab.example/lab/"), " ")
		if names[0] != "main" && !strings.Contains(string(readme), "`"+path+"`") {
			t.Errorf("%s is not in the layout in lab/README.md", path)
		}
		for _, imported := range names[1:] {
			if floor, ok := floors[imported]; ok && floor >= floors[names[0]] {
				t.Errorf("%s imports %s, which is not below it on the floor plan in lab/doc.go", names[0], imported)
			}
		}
	}
	for name := range floors {
		if !slices.Contains(seen, name) {
			t.Errorf("%s is on the floor plan in lab/doc.go, and is no package", name)
		}
	}
}

// planned returns the name that a package of ours has on the floor plan.
func planned(path string) (name string, ours bool) {
	const module = "mtlslab.example/lab"
	if path == module {
		return "main", true
	}
	name, ours = strings.CutPrefix(path, module+"/")
	return strings.TrimPrefix(name, "lab/"), ours
}

// TestNothingIsMadeAtStart: every run of the program begins with what the
// variables of all packages are set to. What takes long to make, patterns and
// templates, is made when it is first used: see text.Pattern.
func TestNothingIsMadeAtStart(t *testing.T) {
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, declared := range file.Decls {
			ast.Inspect(declared, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncDecl, *ast.FuncLit:
					return false
				case *ast.SelectorExpr:
					if of, ok := n.X.(*ast.Ident); ok && slices.Contains([]string{"regexp.MustCompile", "template.Must"}, of.Name+"."+n.Sel.Name) {
						t.Errorf("%s: %s.%s is called at the start of the program", files.Position(n.Pos()), of.Name, n.Sel.Name)
					}
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
