package packed

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "pack the folders anew")

// Each archive has the files of the folder beside it.
func TestPacked(t *testing.T) {
	for _, folder := range []string{"../exercise/exercises", "../scenario/scenarios", "../snippet/snippets", "../web/static"} {
		archive := folder + ".txtar.gz"
		if *update {
			if err := os.WriteFile(archive, pack(t, folder), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(archive)
		if err != nil {
			t.Fatal(err)
		}
		files, err := unpack(text)
		if err != nil {
			t.Fatal(err)
		}
		want := os.DirFS(filepath.Dir(folder))
		names, _ := fs.Glob(want, path.Base(folder)+"/*") // the pattern is good
		packed, _ := fs.Glob(files, path.Base(folder)+"/*")
		for _, name := range append(names, packed...) {
			got, _ := fs.ReadFile(files, name)
			if edited, err := fs.ReadFile(want, name); err != nil || !bytes.Equal(got, edited) {
				t.Errorf("%s was edited (%v): go test ./lab/packed -update packs it", name, err)
			}
		}
	}
}

// pack returns the archive of a folder.
func pack(t *testing.T, folder string) []byte {
	t.Helper()
	names, _ := filepath.Glob(folder + "/*") // the pattern is good
	a := &txtar.Archive{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		a.Files = append(a.Files, txtar.File{Name: path.Join(path.Base(folder), filepath.Base(name)), Data: text})
	}
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is good
	if _, err := w.Write(txtar.Format(a)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
