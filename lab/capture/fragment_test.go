package capture

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestFragmentsInAnyOrder: a packet is put together once all of it is there, in
// whatever order its fragments come, and of bytes that came twice those of the
// fragment that begins first count.
func TestFragmentsInAnyOrder(t *testing.T) {
	type piece struct {
		offset int
		data   string
		last   bool
	}
	for name, c := range map[string]struct {
		pieces []piece
		want   string
	}{
		"one":             {[]piece{{0, "abc", true}}, "abc"},
		"in a row":        {[]piece{{0, "aaaaaaaa", false}, {8, "bbbbbbbb", false}, {16, "ccc", true}}, "aaaaaaaabbbbbbbbccc"},
		"twice":           {[]piece{{0, "aaaaaaaa", false}, {0, "aaaaaaaa", false}, {8, "b", true}}, "aaaaaaaab"},
		"longer":          {[]piece{{0, "aaaaaaaa", false}, {0, "aaaaaaaaaaaaaaaa", false}, {16, "b", true}}, "aaaaaaaaaaaaaaaab"},
		"over the next":   {[]piece{{0, "aaaaaaaaaaaa", false}, {8, "bbbbbbbb", false}, {16, "c", true}}, "aaaaaaaaaaaabbbbc"},
		"within another":  {[]piece{{0, "aaaaaaaaaaaaaaaaaa", false}, {8, "bbbbbbbb", false}, {16, "ccccc", true}}, "aaaaaaaaaaaaaaaaaaccc"},
		"no data in last": {[]piece{{0, "aaaaaaaa", false}, {8, "", true}}, "aaaaaaaa"},
	} {
		for range 20 {
			rand.Shuffle(len(c.pieces), func(i, j int) { c.pieces[i], c.pieces[j] = c.pieces[j], c.pieces[i] })
			var f fragments
			var got []byte
			for _, p := range c.pieces {
				if whole := f.add(fragmentKey{}, fragment{p.offset, []byte(p.data)}, !p.last, time.Time{}); whole != nil {
					got = whole
				}
			}
			if string(got) != c.want {
				t.Errorf("%s: %q of %v, not %q", name, got, c.pieces, c.want)
			}
		}
	}
	for name, pieces := range map[string][]piece{
		"no beginning": {{8, "bbbbbbbb", false}, {16, "c", true}},
		"a gap":        {{0, "aaaaaaaa", false}, {16, "c", true}, {24, "dddddddd", false}},
		"a small gap":  {{0, "aaaaaaa", false}, {8, "b", true}},
		"no end":       {{0, "aaaaaaaa", false}, {8, "bbbbbbbb", false}},
	} {
		var f fragments
		for _, p := range pieces {
			if whole := f.add(fragmentKey{}, fragment{p.offset, []byte(p.data)}, !p.last, time.Time{}); whole != nil {
				t.Errorf("%s: %q", name, whole)
			}
		}
		if f.count() != len(pieces) {
			t.Errorf("%s: %d fragments count as incomplete", name, f.count())
		}
	}
}

// TestFragmentsBeyondTheEnd: fragments behind that with the end of a packet do
// not keep it from being read.
func TestFragmentsBeyondTheEnd(t *testing.T) {
	var f fragments
	f.add(fragmentKey{}, fragment{32, []byte("behind")}, true, time.Time{})
	f.add(fragmentKey{}, fragment{8, []byte("end")}, false, time.Time{})
	if got := f.add(fragmentKey{}, fragment{0, []byte("01234567")}, true, time.Time{}); string(got) != "01234567end" {
		t.Errorf("%q", got)
	}
}

// TestFragmentsBoundWork: fragments that bring nothing cost no memory, and a
// packet has no more pieces than offsets.
func TestFragmentsBoundWork(t *testing.T) {
	const last = maxWhole - fragmentUnit
	var f fragments
	add := func(offset int, data string, more bool) []byte {
		return f.add(fragmentKey{}, fragment{offset, []byte(data)}, more, time.Time{})
	}
	add(last, "the end.", false)
	for name, send := range map[string]func(){
		"the same again":  func() { add(last, "the end.", false) },
		"a part of it":    func() { add(last, "the", true) },
		"empty, in front": func() { add(0, "", true) },
		"empty":           func() { add(4096, "", true) },
	} {
		before := f.bytes
		if n := testing.AllocsPerRun(1000, send); n > 0 || f.bytes != before || len(f.packets[fragmentKey{}].data) != 1 {
			t.Errorf("%s: %v allocations, %d bytes more, %d pieces", name, n, f.bytes-before, len(f.packets[fragmentKey{}].data))
		}
	}
	for range 4 {
		for offset := last; offset > 0; offset -= fragmentUnit {
			if add(offset, "12345678", true) != nil {
				t.Fatal("whole with no beginning")
			}
		}
	}
	if n := len(f.packets[fragmentKey{}].data); n != last/fragmentUnit {
		t.Errorf("%d pieces", n)
	}
	got := add(0, "12345678", true)
	if want := slices.Concat(bytes.Repeat([]byte("12345678"), last/fragmentUnit), []byte("the end.")); !bytes.Equal(got, want) {
		t.Errorf("a packet of %d bytes that ends in %q", len(got), got[max(0, len(got)-8):])
	}
	if f.bytes != 0 || f.count() != 0 {
		t.Errorf("%d bytes and %d fragments are left", f.bytes, f.count())
	}
}

// TestFragmentsBoundMemory: many packets of which fragments are missing are
// forgotten, those with no data too.
func TestFragmentsBoundMemory(t *testing.T) {
	var f fragments
	const sent = 2 * maxFragments / piecesSize
	for id := range uint32(sent) {
		f.add(fragmentKey{id: id}, fragment{8, nil}, true, time.Time{})
		if f.bytes > maxFragments || len(f.packets) > maxFragments/piecesSize {
			t.Fatalf("%d packets wait", len(f.packets))
		}
	}
	if f.count() != sent {
		t.Errorf("%d of %d fragments count as incomplete", f.count(), sent)
	}
}
