package tlswire

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestReadRecord(t *testing.T) {
	b := []byte{22, 3, 1, 0, 2, 0xaa, 0xbb, 21, 3, 3, 0, 2, 2, 40}
	rec, rest, err := ReadRecord(b, 100)
	if err != nil || rec.Type != ContentTypeHandshake || rec.Version != VersionTLS10 || !bytes.Equal(rec.Fragment, []byte{0xaa, 0xbb}) || rec.Offset != 100 {
		t.Fatalf("first record %+v, %v", rec, err)
	}
	rec, rest, err = ReadRecord(rest, 107)
	if err != nil || rec.Type != ContentTypeAlert || rec.Offset != 107 || len(rest) != 0 {
		t.Fatalf("second record %+v, %x left, %v", rec, rest, err)
	}
	if !bytes.Equal(rec.Marshal(), b[7:]) {
		t.Errorf("does not round-trip: %x", rec.Marshal())
	}
	checkFields(t, "record", rec.Fields(), 0, 7)
}

func TestPrefixOfRecordIsShort(t *testing.T) {
	whole := []byte{23, 3, 3, 0, 4, 1, 2, 3, 4}
	for n := range whole {
		_, rest, err := ReadRecord(whole[:n], 0)
		var short ShortError
		if !errors.As(err, &short) || len(rest) != n {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if want := max(RecordHeaderLen-n, 0); n < RecordHeaderLen && short.Need != want || n >= RecordHeaderLen && short.Need != len(whole)-n {
			t.Errorf("%d bytes: need %d", n, short.Need)
		}
	}
}

func TestReadRecordRefusesWhatIsNotTLS(t *testing.T) {
	for _, test := range []struct {
		in, want string
	}{
		{"GET / HTTP/1.1\r\n", "this is HTTP that is not encrypted"},
		{"HTTP/1.0 400 Bad Request\r\n", "this is HTTP that is not encrypted"},
		{"SSH-2.0-OpenSSH", "83 is not a content type"},
		{"\x80\x2e\x01\x03\x01", "this is an SSL 2.0 ClientHello (RFC 5246 appendix E.2)"},
		{"\x16\x02", "the version bytes 02 are not those of TLS"},
		{"\x16\x03\x09\x00\x01", "the version bytes 0309 are not those of TLS"},
		{"\x17\x03\x03\x48\x01", "a record of 18433 bytes would be above the limit of 18432"},
	} {
		_, _, err := ReadRecord([]byte(test.in), 7)
		var not *RecordError
		if !errors.As(err, &not) || not.Offset != 7 || not.Reason != test.want {
			t.Errorf("%q: %v, want %s", test.in, err, test.want)
		}
	}
	longest := append([]byte{23, 3, 3, 0x48, 0}, make([]byte, MaxCiphertextTLS12)...)
	if rec, _, err := ReadRecord(longest, 0); err != nil || len(rec.Fragment) != MaxCiphertextTLS12 {
		t.Errorf("the longest record: %v", err)
	}
}

func TestInnerPlaintext(t *testing.T) {
	content, typ, padding, err := InnerPlaintext([]byte{1, 2, 0, 22, 0, 0, 0})
	if err != nil || !bytes.Equal(content, []byte{1, 2, 0}) || typ != ContentTypeHandshake || padding != 3 {
		t.Errorf("%x, %v, %d, %v", content, typ, padding, err)
	}
	for _, b := range [][]byte{{}, {0}, {0, 0, 0}} {
		if _, _, _, err := InnerPlaintext(b); err == nil {
			t.Errorf("%x parses", b)
		}
	}
}

func TestChangeCipherSpec(t *testing.T) {
	if err := ParseChangeCipherSpec([]byte{1}); err != nil {
		t.Error(err)
	}
	for _, b := range [][]byte{{}, {0}, {1, 1}} {
		if ParseChangeCipherSpec(b) == nil {
			t.Errorf("%x parses", b)
		}
	}
}

// However a flow is cut into records, the same messages come out.
func TestHandshakeReaderAtEveryCut(t *testing.T) {
	var stream []byte
	var want [][]byte
	for _, m := range made {
		want = append(want, m.raw)
		stream = append(stream, m.raw...)
	}
	for _, size := range []int{1, 2, 3, 5, 100, 1000, len(stream)} {
		var r HandshakeReader
		var got [][]byte
		for rest := stream; len(rest) > 0; {
			n := min(size, len(rest))
			fragment := bytes.Clone(rest[:n])
			r.Write(fragment)
			clear(fragment) // the reader keeps no reference
			rest = rest[n:]
			for {
				raw, err := r.Next()
				if err != nil {
					t.Fatal(err)
				}
				if raw == nil {
					break
				}
				got = append(got, bytes.Clone(raw))
			}
		}
		if len(got) != len(want) || r.Pending() != 0 {
			t.Fatalf("fragments of %d: %d messages of %d, %d bytes left", size, len(got), len(want), r.Pending())
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Errorf("fragments of %d: message %d differs", size, i)
			}
		}
	}
}

// What a message costs in memory depends on its bytes, not on the lengths in
// it.
func TestParsingIsBounded(t *testing.T) {
	entries := bytes.Repeat([]byte{0, 0, 0, 0, 0}, 200_000) // the smallest there are
	raw := newHandshake(&Opaque{Of: TypeCertificate, Data: append([]byte{0, byte(len(entries) >> 16), byte(len(entries) >> 8 & 0xff), byte(len(entries) & 0xff)}, entries...)}, Context{}).Raw
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseHandshake(raw, Context{Version: VersionTLS13}); err != nil {
				b.Fatal(err)
			}
		}
	})
	if limit := int64(100 * len(raw)); result.AllocedBytesPerOp() > limit {
		t.Errorf("%d bytes cost %d, above %d", len(raw), result.AllocedBytesPerOp(), limit)
	}
	huge := []byte{11, 0, 0, 4, 0, 0xff, 0xff, 0xff}
	if n := testing.AllocsPerRun(10, func() { ParseHandshake(huge, Context{Version: VersionTLS13}) }); n > 20 {
		t.Errorf("a length that is too large costs %v allocations", n)
	}
}

func TestAlertCloses(t *testing.T) {
	for _, test := range []struct {
		alert Alert
		in    Version
		want  bool
	}{
		{Alert{AlertWarning, AlertCloseNotify}, VersionTLS12, true},
		{Alert{AlertWarning, AlertNoRenegotiation}, VersionTLS12, false},
		{Alert{AlertFatal, AlertUnknownCA}, VersionTLS12, true},
		{Alert{AlertWarning, AlertUnknownCA}, VersionTLS13, true},
		{Alert{AlertWarning, AlertUserCanceled}, VersionTLS13, false},
	} {
		if got := test.alert.Closes(test.in); got != test.want {
			t.Errorf("%v in %v: closes %v", test.alert, test.in, got)
		}
	}
}

func BenchmarkParseClientHello(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ParseHandshake(made[0].raw, Context{})
	}
}

func TestHandshakeReaderBoundsMessages(t *testing.T) {
	var r HandshakeReader
	r.Write([]byte{11, 0xff, 0xff, 0xff, 0})
	if _, err := r.Next(); err == nil || !strings.Contains(err.Error(), "a certificate of 16777215 bytes is above the limit of 1048576") {
		t.Errorf("error %v", err)
	}
	r = HandshakeReader{}
	r.Write([]byte{11, 0x0f, 0xff, 0xff})
	if n := testing.AllocsPerRun(10, func() { r.Next() }); n > 0 {
		t.Errorf("a declared length costs %v allocations", n)
	}
}
