package dn_test

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNamesAreWrittenHere finds each place where the program has crypto/x509
// write a name: it knows few attribute types, and changes their order. It finds
// serial numbers that are written elsewhere, too: they would look different.
func TestNamesAreWrittenHere(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "-export", "-f", "{{.ImportPath}}\t{{.Export}}\t{{if .Module}}{{.Module.Main}}{{end}}\t{{.Dir}}\t{{join .GoFiles \" \"}}", "../..")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	set := token.NewFileSet()
	imported := importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	checked := 0
	for line := range strings.Lines(string(out)) {
		parts := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		path, export, ours, dir, names := parts[0], parts[1], parts[2] == "true", parts[3], parts[4]
		exports[path] = export
		if !ours {
			continue
		}
		var files []*ast.File
		for name := range strings.FieldsSeq(names) {
			file, err := parser.ParseFile(set, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
		if _, err := (&types.Config{Importer: imported}).Check(path, set, files, info); err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for _, at := range namesWritten(info, file) {
				t.Errorf("%s: a name or a serial number that dn does not write", set.Position(at))
			}
		}
		checked++
	}
	if checked < 20 {
		t.Errorf("looked at %d packages", checked)
	}
}

// namesWritten returns where a file calls the String of a name of crypto/x509,
// or gives one, or a certificate's serial number, to a function that takes
// anything.
func namesWritten(info *types.Info, file *ast.File) (at []token.Pos) {
	isName := func(e ast.Expr) bool {
		of := strings.TrimPrefix(types.TypeString(info.Types[e].Type, nil), "*")
		return of == "crypto/x509/pkix.Name" || of == "crypto/x509/pkix.RDNSequence"
	}
	isSerial := func(e ast.Expr) bool {
		s, ok := e.(*ast.SelectorExpr)
		return ok && s.Sel.Name == "SerialNumber"
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if n.Sel.Name == "String" && isName(n.X) {
				at = append(at, n.Pos())
			}
		case *ast.CallExpr:
			if strings.HasPrefix(types.ExprString(n.Fun), "asn1.") { // reads or writes DER
				return true
			}
			signature, ok := info.Types[n.Fun].Type.(*types.Signature)
			for i, argument := range n.Args {
				if !ok || !isName(argument) && !isSerial(argument) {
					continue
				}
				to := signature.Params().At(min(i, signature.Params().Len()-1)).Type()
				if s, ok := to.(*types.Slice); ok && signature.Variadic() && i >= signature.Params().Len()-1 {
					to = s.Elem()
				}
				if types.IsInterface(to) {
					at = append(at, argument.Pos())
				}
			}
		}
		return true
	})
	return at
}
