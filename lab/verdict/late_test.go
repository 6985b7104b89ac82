package verdict_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// Where only the SYNs are missing, every byte of TLS is there, and the verdict
// is the same, with keys and without. Only what a signature or a chain proves
// may be less, as there may have been another ClientHello before the first.
func TestVerdictsWithoutSYN(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "foreign", "*.pcap"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	told := 0
	for i, file := range files {
		if testing.Short() && i%7 > 0 {
			continue
		}
		head, packets := packetsOf(t, file)
		keys, err := os.ReadFile(strings.TrimSuffix(file, ".pcap") + ".keys")
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		late := slices.DeleteFunc(slices.Clone(packets), func(p framed) bool { return p.has(syn) })
		for _, keys := range [][]byte{nil, keys} {
			whole, got := readPackets(t, head, packets, keys), readPackets(t, head, late, keys)
			if len(whole) != 1 || len(got) != 1 || whole[0].Prologue != nil || whole[0].Version == 0 || whole[0].ClientRandom == nil || whole[0].Version == tlswire.VersionSSL20 {
				continue // there may have been more before the first byte
			}
			told++
			v, w := got[0].verdict, whole[0].verdict
			less := (v.Code == verdict.Closed || v.Code == verdict.Other) && (whole[0].Version < tlswire.VersionTLS13 || keys != nil)
			if v.Outcome != w.Outcome || v.How != w.How || v.Code != w.Code && !less || v.RejectedBy != w.RejectedBy {
				t.Errorf("%s with keys %v: %s %s by %v: %s (%s); with its SYNs: %s %s by %v: %s", filepath.Base(file), keys != nil, v.Outcome, v.How, v.RejectedBy, v.Code, v.Reason, w.Outcome, w.How, w.RejectedBy, w.Code)
			}
		}
	}
	if told == 0 {
		t.Error("there was none to judge")
	}
}
