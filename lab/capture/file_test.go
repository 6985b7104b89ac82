package capture_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/private"
)

// TestHeader: the file says what it is before there is a packet.
func TestHeader(t *testing.T) {
	r := record(t, capture.Options{})
	f, err := os.Open(r.name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
	ng, err := pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	section := ng.SectionInfo()
	for _, word := range []string{"synthesised in user space", "CONTAINS THE KEYS"} {
		if !strings.Contains(section.Comment, word) {
			t.Errorf("the section's comment does not say %q", word)
		}
	}
	if !strings.HasPrefix(section.Application, "lab") || ng.LinkType() != layers.LinkTypeRaw {
		t.Errorf("application %q, link type %v", section.Application, ng.LinkType())
	}
	if i, err := ng.Interface(0); err != nil || i.Name != "lab" || i.Description == "" || i.TimestampResolution != 9 {
		t.Errorf("interface is %+v, %v", i, err)
	}
}

// TestOldFilesAreKept: under the next number, whatever else is there.
func TestOldFilesAreKept(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "lab.pcapng")
	create := func() string {
		t.Helper()
		w, err := capture.Create(name, capture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		play(w)
		return filepath.Base(w.Kept())
	}
	got := []string{create(), create(), create()}
	for _, other := range []string{"lab.9.pcapng", "lab.010.pcapng", "lab.x.pcapng", "lab.11.pcap", "lab.-12.pcapng", "lab.13"} {
		if err := os.WriteFile(filepath.Join(dir, other), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got = append(got, create())
	if err := os.Truncate(name, 0); err != nil {
		t.Fatal(err)
	}
	got = append(got, create())
	if want := []string{".", "lab.1.pcapng", "lab.2.pcapng", "lab.10.pcapng", "."}; !slices.Equal(got, want) {
		t.Errorf("kept as %q, want %q", got, want)
	}
}

// TestNothingIsReplaced: whatever numbers there are, each recording is kept
// under a name of its own.
func TestNothingIsReplaced(t *testing.T) {
	for _, others := range [][]string{
		{"lab.9223372036854775807.pcapng"},
		{"lab.9223372036854775806.pcapng"},
		{"lab.-9223372036854775808.pcapng", "lab.-1.pcapng", "lab.+1.pcapng", "lab.0.pcapng"},
		{"lab.99999999999999999999.pcapng", "lab.18446744073709551615.pcapng"},
		{"lab.00000000000000000001.pcapng", "lab.01.pcapng", "lab.1e3.pcapng", "lab. 1.pcapng"},
		{"lab.1000000000000000.pcapng", "lab.1000000000000001.pcapng", "lab.1000000000000002.pcapng"},
		{"lab." + strings.Repeat("9", 240) + ".pcapng"},
		{"lab.4294967295.pcapng", "lab.2147483647.pcapng"},
	} {
		dir := t.TempDir()
		all := map[string]string{}
		for _, name := range others {
			all[name] = "other people's " + name
			if err := os.WriteFile(filepath.Join(dir, name), []byte(all[name]), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		name := filepath.Join(dir, "lab.pcapng")
		for n := range 4 {
			w, err := capture.Create(name, capture.Options{})
			if err != nil {
				t.Fatal(err)
			}
			play(w).client(fmt.Sprint("recording ", n))
			w.Close()
			if n > 0 && all[filepath.Base(w.Kept())] != "" {
				t.Errorf("%q: kept as %s, which was there", others, w.Kept())
			}
			all[filepath.Base(w.Kept())] = fmt.Sprint("recording ", n-1)
		}
		all["lab.pcapng"] = "recording 3"
		delete(all, ".")
		for name, want := range all {
			if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(got), want) {
				t.Errorf("%q: %s is %.30q, %v, want %q", others, name, got, err, want)
			}
		}
	}
}

// TestCannotBeRenamed: where the recording that is there cannot be renamed, as
// on Windows while another lab writes it, it stays, and the new one has the
// next name.
func TestCannotBeRenamed(t *testing.T) {
	defer capture.SetRename(func(string, string) error { return os.ErrPermission })()
	dir := t.TempDir()
	name := filepath.Join(dir, "lab.pcapng")
	var all []*capture.Writer
	for range 3 {
		w, err := capture.Create(name, capture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
	}
	for i, want := range []string{"lab.pcapng", "lab.1.pcapng", "lab.2.pcapng"} {
		if i < 2 { // the last one records nothing
			play(all[i]).client(want)
		}
		if err := all[i].Close(); err != nil || all[i].Kept() != "" || all[i].Name() != filepath.Join(dir, want) {
			t.Errorf("recording %d is %s, kept %q, %v, want %s", i, all[i].Name(), all[i].Kept(), err, want)
		}
		got, err := os.ReadFile(all[i].Name())
		if i < 2 && (err != nil || !strings.Contains(string(got), want)) {
			t.Errorf("%s holds %.30q, %v", want, got, err)
		}
		if i == 2 && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", want, err)
		}
	}
}

// TestCreatedMeanwhile: what another program has just created is its own.
func TestCreatedMeanwhile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lab.pcapng")
	for _, file := range []string{name, strings.Replace(name, ".pcapng", ".1.pcapng", 1)} {
		if err := os.WriteFile(file, []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	defer capture.SetRename(func(from, to string) error {
		return errors.Join(os.Rename(from, to), os.WriteFile(from, []byte("the other's"), 0o600))
	})()
	w, err := capture.Create(name, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if got, err := os.ReadFile(name); err != nil || string(got) != "the other's" || filepath.Base(w.Name()) != "lab.3.pcapng" || filepath.Base(w.Kept()) != "lab.2.pcapng" {
		t.Errorf("records to %s, kept %s; the other's holds %q, %v", w.Name(), w.Kept(), got, err)
	}
}

// TestNoConnection: a recording of nothing leaves the folder as it was,
// whatever was there.
func TestNoConnection(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lab.pcapng")
	for _, before := range []string{"", "an old recording"} {
		if before != "" {
			if err := os.WriteFile(name, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w, err := capture.Create(name, capture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Flush(), w.Close(), w.Close()); err != nil {
			t.Error(err)
		}
		after, _ := os.ReadFile(name)
		entries, err := os.ReadDir(filepath.Dir(name))
		if err != nil || string(after) != before || len(entries) > 1 {
			t.Errorf("%q became %q, beside %v, %v", before, after, entries, err)
		}
	}
}

// TestNoConnectionBesideAnother: a recording of nothing leaves alone what
// another one has put in its place meanwhile.
func TestNoConnectionBesideAnother(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lab.pcapng")
	if err := os.WriteFile(name, []byte("an old recording"), 0o600); err != nil {
		t.Fatal(err)
	}
	var all []*capture.Writer
	for range 2 {
		w, err := capture.Create(name, capture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
	}
	play(all[1]).client("hello")
	for _, w := range []*capture.Writer{all[1], all[0]} {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	recorded, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(recorded), "hello") {
		t.Errorf("the other recording is gone (%v)", err)
	}
	if kept := all[0].Kept(); filepath.Base(kept) != "lab.1.pcapng" {
		t.Errorf("what was there is said to be %q", kept)
	}
}

// TestNoWayBack: it is reported if the old file cannot be put back.
func TestNoWayBack(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lab.pcapng")
	if err := os.WriteFile(name, []byte("an old recording"), 0o600); err != nil {
		t.Fatal(err)
	}
	var notices []error
	w, err := capture.Create(name, capture.Options{Notice: func(err error) { notices = append(notices, err) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(w.Kept()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err == nil || len(notices) != 1 || w.Kept() == "" {
		t.Errorf("Close says %v, after the notices %v", err, notices)
	}
}

// TestSymbolicLink: what a link leads to is neither renamed nor written, nor
// made. To record there, name the file itself.
func TestSymbolicLink(t *testing.T) {
	dir := t.TempDir()
	link, file := filepath.Join(dir, "link.pcapng"), filepath.Join(dir, "file.pcapng")
	if err := os.Symlink("file.pcapng", link); err != nil {
		t.Skip(err)
	}
	refused := func(what string) {
		t.Helper()
		var unsafe *private.UnsafeError
		if _, err := capture.Create(link, capture.Options{}); !errors.As(err, &unsafe) || !strings.Contains(err.Error(), "is a symbolic link") {
			t.Errorf("a link to %s: %v", what, err)
		}
	}
	refused("nothing")
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was made through the link: %v", err)
	}
	const before = "an old recording"
	if err := os.WriteFile(file, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	refused("a file")
	after, err := os.ReadFile(file)
	entries, _ := os.ReadDir(dir)
	if err != nil || string(after) != before || len(entries) != 2 {
		t.Errorf("%q, %v, beside %v", after, err, entries)
	}
}

func TestCreateFails(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{dir, filepath.Join(dir, "none", "lab.pcapng")} {
		if _, err := capture.Create(name, capture.Options{}); err == nil {
			t.Errorf("%s was created", name)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestEndsAreInTheFile: a connection that ends alone is in the file when it has
// ended, those that end together soon after, and none waits for Close.
func TestEndsAreInTheFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lab.pcapng")
	w, err := capture.Create(name, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	recorded := func() int {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		blocks(t, file)
		return bytes.Count(file, []byte("exchange 3"))
	}
	play(w).close()
	if n := recorded(); n != 1 {
		t.Errorf("a connection has ended, and %d are there", n)
	}
	const more = 200
	for range more {
		play(w).close()
	}
	peertest.Eventually(t, "all in the file", func() bool { return recorded() == 1+more })
}
