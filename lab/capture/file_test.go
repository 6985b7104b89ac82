package capture_test

import (
	"bytes"
	"errors"
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

// TestNoConnection: a recording of nothing leaves the folder as it was, whatever was there.
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

// TestNoConnectionBesideAnother: a recording of nothing leaves alone what another one has put in its place meanwhile.
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

// TestNoWayBack: that the file that was there cannot be put back is told.
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

// TestSymbolicLink: what is kept is the file and not the link to it.
func TestSymbolicLink(t *testing.T) {
	dir := t.TempDir()
	link, file := filepath.Join(dir, "link.pcapng"), filepath.Join(dir, "file.pcapng")
	if err := os.Symlink("file.pcapng", link); err != nil {
		t.Skip(err)
	}
	if _, err := capture.Create(link, capture.Options{}); err == nil || !strings.Contains(err.Error(), "leads nowhere") {
		t.Errorf("a link to nothing: %v", err)
	}
	if err := os.WriteFile(file, []byte("an old recording"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := capture.Create(link, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	play(w)
	if err := w.Close(); err != nil || filepath.Base(w.Kept()) != "file.1.pcapng" {
		t.Errorf("kept as %s, %v", w.Kept(), err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info, err)
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

// TestEndsAreInTheFile: a connection that ends alone is in the file when it has ended, those that end together soon
// after, and none waits for Close.
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
