package certgen

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// wantForeign checks that Generate and Compare refuse to replace these files,
// and touch nothing.
func wantForeign(t *testing.T, m *Manifest, dir string, o Options, files ...string) {
	t.Helper()
	before := snapshot(t, dir)
	_, compared := Compare(m, dir, o)
	_, generated := Generate(context.Background(), m, dir, o)
	for _, err := range []error{compared, generated} {
		var foreign *ForeignError
		if !errors.As(err, &foreign) {
			t.Fatalf("got %v", err)
		}
		for i, file := range foreign.Files {
			foreign.Files[i] = filepath.Base(file)
		}
		if fmt.Sprint(foreign.Files) != fmt.Sprint(files) {
			t.Errorf("refused for %v, want %v", foreign.Files, files)
		}
	}
	wantSameFiles(t, before, snapshot(t, dir))
}

// TestForeign replaces what the lab wrote, wherever it stands now, and nothing
// else.
func TestForeign(t *testing.T) {
	elsewhere := t.TempDir()
	generate(t, parse(t, family), elsewhere, at(morning))
	stranger := func(t *testing.T, dir string, files ...string) {
		for _, file := range files {
			overwrite(t, dir, file, read(t, elsewhere, file))
		}
	}
	changed := strings.Replace(family, "leaf.ex", "foil.ex", 1)
	for name, test := range map[string]struct {
		manifest string
		spoil    func(t *testing.T, dir string)
		options  Options
		foreign  []string // empty: all is made
	}{
		"own, changed":           {manifest: changed},
		"own, the CA's key lost": {manifest: family, spoil: func(t *testing.T, dir string) { remove(t, dir, "root-key.pem") }},
		"own, the CA lost":       {manifest: family, spoil: func(t *testing.T, dir string) { remove(t, dir, "root-key.pem", "root.pem") }},
		"own, with other line ends": {manifest: changed, spoil: func(t *testing.T, dir string) {
			overwrite(t, dir, "leaf.pem", strings.ReplaceAll(read(t, dir, "leaf.pem"), "\n", "\r\n"))
		}},
		"own, with notes": {manifest: changed, spoil: func(t *testing.T, dir string) {
			overwrite(t, dir, "leaf.pem", "my notes\n"+read(t, dir, "leaf.pem"))
		}, foreign: []string{"leaf.pem"}},
		"own, with something behind": {manifest: changed, spoil: func(t *testing.T, dir string) {
			overwrite(t, dir, "leaf.pem", read(t, dir, "leaf.pem")+read(t, elsewhere, "leaf-key.pem"))
		}, foreign: []string{"leaf.pem"}},
		"own, with a damaged block before": {manifest: changed, spoil: func(t *testing.T, dir string) {
			overwrite(t, dir, "leaf.pem", "-----BEGIN CERTIFICATE-----\n?\n"+read(t, dir, "leaf.pem"))
		}, foreign: []string{"leaf.pem"}},
		"own, a bit changed": {manifest: family, spoil: func(t *testing.T, dir string) {
			pem := read(t, dir, "other.pem")
			end := strings.LastIndex(pem, "\n-----END") - 6
			overwrite(t, dir, "other.pem", pem[:end]+map[bool]string{true: "B", false: "A"}[pem[end] == 'A']+pem[end+1:])
		}, foreign: []string{"other.pem"}},
		"another's pair":               {manifest: family, spoil: func(t *testing.T, dir string) { stranger(t, dir, "leaf.pem", "leaf-key.pem") }, foreign: []string{"leaf.pem", "leaf-key.pem"}},
		"another's key":                {manifest: family, spoil: func(t *testing.T, dir string) { stranger(t, dir, "leaf-key.pem") }, foreign: []string{"leaf-key.pem"}},
		"another's key, nothing else":  {manifest: family, spoil: func(t *testing.T, dir string) { remove(t, dir, "leaf.pem"); stranger(t, dir, "leaf-key.pem") }, foreign: []string{"leaf-key.pem"}},
		"another's CA, asked for":      {manifest: family, spoil: func(t *testing.T, dir string) { stranger(t, dir, "root.pem", "root-key.pem") }, options: Options{Renew: []string{"root"}}, foreign: []string{"root.pem", "root-key.pem"}},
		"another's CA, and all below":  {manifest: family, spoil: func(t *testing.T, dir string) { stranger(t, dir, "root.pem", "root-key.pem") }},
		"no record":                    {manifest: changed, spoil: func(t *testing.T, dir string) { remove(t, dir, recordFile) }, foreign: []string{"leaf.pem", "leaf-key.pem"}},
		"no record, nothing to do":     {manifest: family, spoil: func(t *testing.T, dir string) { remove(t, dir, recordFile) }},
		"no manifest, all of it":       {manifest: family, options: Options{Default: true}},
		"no manifest, another is made": {manifest: changed, options: Options{Default: true}, foreign: []string{"leaf.pem", "leaf-key.pem"}},
		"a whole block that does not parse": {manifest: family, spoil: func(t *testing.T, dir string) {
			overwrite(t, dir, "other.pem", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
		}, foreign: []string{"other.pem"}},
		"a key of a kind that is not known": {manifest: family, spoil: func(t *testing.T, dir string) { // X25519, which cannot sign
			overwrite(t, dir, "leaf-key.pem", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n-----END PRIVATE KEY-----\n")
		}, foreign: []string{"leaf-key.pem"}},
		"nothing but NULs, where the lab wrote": {manifest: family, spoil: func(t *testing.T, dir string) { overwrite(t, dir, "leaf.pem", "\x00\x00") }},
		"nothing but NULs, where it did not": {manifest: family + "---\nsubject: CN=new\n", spoil: func(t *testing.T, dir string) { overwrite(t, dir, "new-key.pem", "\x00\x00") },
			foreign: []string{"new-key.pem"}},
		"a damaged half": {manifest: family, spoil: func(t *testing.T, dir string) {
			overwrite(t, dir, "leaf-key.pem", read(t, dir, "leaf-key.pem")[:60])
		}},
		"two damaged halves": {manifest: family, spoil: func(t *testing.T, dir string) {
			overwrite(t, dir, "leaf-key.pem", read(t, dir, "leaf-key.pem")[:60])
			overwrite(t, dir, "leaf.pem", read(t, dir, "leaf.pem")[:60])
		}, foreign: []string{"leaf.pem", "leaf-key.pem"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "certs")
			generate(t, parse(t, family), dir, at(morning))
			if test.spoil != nil {
				test.spoil(t, dir)
			}
			m := parse(t, test.manifest)
			test.options.Now = at(morning).Now
			if len(test.foreign) > 0 {
				wantForeign(t, m, dir, test.options, test.foreign...)
				return
			}
			generate(t, m, dir, test.options)
			verifyAll(t, m, dir, morning)
		})
	}
}

// TestForce keeps what was there, under a number that is never used again.
func TestForce(t *testing.T) {
	dir, elsewhere, m := t.TempDir(), t.TempDir(), parse(t, family)
	generate(t, m, elsewhere, at(morning))
	generate(t, m, dir, at(morning))
	if err := os.MkdirAll(filepath.Join(dir, ReplacedFolder, "7"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"99999999999999999999", "9223372036854775807", "-3", "notes"} {
		if err := os.Mkdir(filepath.Join(dir, ReplacedFolder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for number := 8; number < 10; number++ {
		stranger := read(t, elsewhere, "leaf-key.pem")
		overwrite(t, dir, "leaf-key.pem", stranger)
		remove(t, dir, "other.pem")
		if err := os.Symlink("/dev/null", filepath.Join(dir, "other.pem")); err != nil {
			t.Skipf("cannot be had here: %v", err)
		}
		plan, err := Generate(context.Background(), m, dir, Options{Force: true, Now: at(morning).Now})
		if err != nil {
			t.Fatal(err)
		}
		kept := filepath.Join(dir, ReplacedFolder, fmt.Sprint(number))
		if plan.Kept != kept || read(t, kept, "leaf-key.pem") != stranger {
			t.Errorf("kept in %s", plan.Kept)
		}
		if target, err := os.Readlink(filepath.Join(kept, "other.pem")); err != nil || target != "/dev/null" {
			t.Errorf("the link: %v %v", target, err)
		}
		if entries, err := os.ReadDir(kept); err != nil || len(entries) != 2 {
			t.Errorf("kept %v, %v", entries, err)
		}
		verifyAll(t, m, dir, morning)
	}
}

// TestInterruptedCompletes puts in place what a killed run had ready, but not
// over what somebody has put there since.
func TestInterruptedCompletes(t *testing.T) {
	dir, m := t.TempDir(), parse(t, family)
	generate(t, m, dir, Options{})
	_, err := Generate(context.Background(), m, dir, Options{All: true, beforeChange: func(operation, file string) error {
		if operation == "commit" && file == "leaf-key.pem" {
			return errCrash
		}
		return nil
	}})
	if !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	ready := read(t, filepath.Join(dir, readyFolder), "leaf-key.pem")
	stranger := t.TempDir()
	generate(t, m, stranger, Options{})
	overwrite(t, dir, "leaf-key.pem", read(t, stranger, "leaf-key.pem"))
	var foreign *ForeignError
	if _, err := Generate(context.Background(), m, dir, Options{}); !errors.As(err, &foreign) {
		t.Fatalf("got %v", err)
	}
	if read(t, dir, "leaf-key.pem") != read(t, stranger, "leaf-key.pem") {
		t.Error("somebody's key was replaced")
	}
	remove(t, dir, "leaf-key.pem")
	generate(t, m, dir, Options{})
	if read(t, dir, "leaf-key.pem") != ready {
		t.Error("what was ready was made anew")
	}
	wantNoTemporaries(t, dir)
	verifyAll(t, m, dir, time.Now())
}

// TestSurvey shows what is in a folder without a manifest, and calls only what
// is wrong wrong.
func TestSurvey(t *testing.T) {
	dir := t.TempDir()
	generate(t, parse(t, family), dir, at(morning))
	remove(t, dir, "root-key.pem", "mid-key.pem", "other-key.pem")
	copyFile(t, dir, "leaf-key.pem", "other-key.pem")
	overwrite(t, dir, "notes.pem", "hello")
	infos, err := Survey(dir, morning)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for info, err := range VerifySurvey(infos) {
		got = append(got, fmt.Sprintf("%d %s by %q: %s, error %v", info.Depth, info.Name, info.IssuerName(), info.State, err))
	}
	want := []string{
		`0 other by "": key and certificate do not match, error other: key and certificate do not match`,
		`0 root by "": ok, without its key, error <nil>`,
		`1 mid by "root": ok, without its key, error <nil>`,
		`2 leaf by "mid": ok, error <nil>`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if err := os.Rename(filepath.Join(dir, "leaf-key.pem"), filepath.Join(dir, "leaf.key")); err != nil {
		t.Fatal(err)
	}
	overwrite(t, dir, "leaf.pem", "garbage")
	copyFile(t, dir, "leaf.key", "alone-key.pem")
	broken := map[string]bool{}
	infos, err = Survey(dir, morning)
	for info, err := range VerifySurvey(infos) {
		broken[info.Name] = err != nil
	}
	if err != nil || !broken["leaf"] || !broken["alone"] || broken["root"] {
		t.Errorf("broken are %v, %v", broken, err)
	}
	remove(t, dir, "root.pem", "leaf.pem", "alone-key.pem")
	if infos, err = Survey(dir, morning); err != nil || infos[0].Name != "mid" || infos[0].IssuerName() != "CN=root" {
		t.Errorf("%v, %v", infos[0].IssuerName(), err)
	}
	if infos, err := Survey(filepath.Join(dir, "nowhere"), morning); err != nil || len(infos) != 0 {
		t.Errorf("%v, %v", infos, err)
	}
}

// FuzzRecord takes any record, and gives back what it understood of it.
func FuzzRecord(f *testing.F) {
	f.Add([]byte("8e51bd57e9ae31a4ac4a5fd1e1e1fdd8e84e1a3e4a3b1d0f7f0a4e5d6c7b8a99  a.pem\n"))
	f.Add([]byte("no\n\n  x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), recordFile)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		first, second := newRecord(), newRecord()
		if err := first.read(file); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, first.text(), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := second.read(file); err != nil || string(first.text()) != string(second.text()) {
			t.Errorf("%q became %q, %v", first.text(), second.text(), err)
		}
	})
}
