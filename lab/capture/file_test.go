package capture_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"mtlslab.example/lab/lab/capture"
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
