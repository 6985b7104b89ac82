package tlswire

import (
	"bytes"
	"testing"
)

// FuzzRecord: what parses as records re-encodes to the same bytes, and the
// handshake messages put together from them are those bytes, too.
func FuzzRecord(f *testing.F) {
	for _, s := range streams(f) {
		f.Add(s)
	}
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte{22, 3, 1, 0, 4, 14, 0, 0, 0, 20, 3, 3, 0, 1, 1, 21, 3, 3, 0, 2, 1, 0})
	f.Add([]byte{22, 3, 1, 0, 2, 24, 0, 22, 3, 3, 0, 3, 0, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var reader HandshakeReader
		var fed, got []byte
		for rest := b; len(rest) > 0; {
			rec, after, err := ReadRecord(rest, int64(len(b)-len(rest)))
			if err != nil {
				break
			}
			if whole := rest[:len(rest)-len(after)]; !bytes.Equal(rec.Marshal(), whole) {
				t.Fatalf("record %x became %x", whole, rec.Marshal())
			}
			checkFields(t, "record", rec.Fields(), 0, RecordHeaderLen+len(rec.Fragment))
			InnerPlaintext(rec.Fragment)
			if a, err := ParseAlert(rec.Fragment); err == nil && !bytes.Equal(a.Marshal(), rec.Fragment) {
				t.Fatalf("alert %x became %x", rec.Fragment, a.Marshal())
			}
			rest = after
			if rec.Type != ContentTypeHandshake {
				continue
			}
			reader.Write(rec.Fragment)
			fed = append(fed, rec.Fragment...)
			for {
				raw, err := reader.Next()
				if raw == nil || err != nil {
					break
				}
				got = append(got, raw...)
			}
		}
		if !bytes.HasPrefix(fed, got) || len(fed)-len(got) != reader.Pending() {
			t.Fatalf("%d bytes went in, %d came out, %d are pending", len(fed), len(got), reader.Pending())
		}
	})
}

// FuzzHandshake: no panic, bounded memory, what parses re-encodes to the same
// bytes, and its fields lie within it.
func FuzzHandshake(f *testing.F) {
	for _, m := range append(handshakes(f), made...) {
		f.Add(m.raw, uint16(m.ctx.Version), uint16(m.ctx.CipherSuite), uint8(m.ctx.CertificateType))
	}
	f.Fuzz(func(t *testing.T, raw []byte, version, suite uint16, certificate uint8) {
		if len(raw) > MaxHandshake {
			return
		}
		h, err := ParseHandshake(raw, Context{Version: Version(version), CipherSuite: CipherSuite(suite), CertificateType: CertificateType(certificate)})
		if h.Body == nil {
			if err == nil {
				t.Fatal("no body and no error")
			}
			return
		}
		if got := h.Marshal(); !bytes.Equal(got, raw) {
			t.Fatalf("round trip\n got %x\nwant %x", got, raw)
		}
		checkFields(t, h.Name(), h.Fields(), 0, len(raw))
		if h.Purpose() == "" {
			t.Error("no purpose")
		}
		if n := size(h.Fields()); n > 64*(len(raw)+8) {
			t.Errorf("%d bytes make %d fields", len(raw), n)
		}
	})
}

func size(fields []Field) int {
	n := len(fields)
	for _, f := range fields {
		n += size(f.Fields)
	}
	return n
}
