package capture_test

import (
	"bytes"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/wiretap"
)

// FuzzEvents: any events in any order make a file whose packets show exactly
// the bytes of each side, as far as no FIN or RST came before them.
//
// Each operation is three bytes: kind and side, length, and how it looks.
//
//	go test -run '^$' -fuzz FuzzEvents -fuzzminimizetime 20x ./lab/capture
//
// By default new inputs are made smaller for up to a minute each, and most of
// the time goes there.
func FuzzEvents(f *testing.F) {
	data, secret, verdict := byte(wiretap.Data), byte(wiretap.Secret), byte(wiretap.Verdict)
	half, reset, end := byte(wiretap.HalfClose), byte(wiretap.Reset), byte(wiretap.Close)
	const server = 0x80
	f.Add(uint32(1), []byte{data, 100, 22, data | server, 200, 22, secret, 5, 0, data, 9, 23, half, 0, 0, end | server, 0, 0})
	f.Add(uint32(0xffffff00), []byte{data | server, 255, 22, secret | server, 1, 1, reset, 0, 0, verdict, 9, 9, data, 1, 1, end, 0, 0})
	f.Add(uint32(7), []byte{data, 255, 0, data, 255, 255, half, 0, 0, half, 0, 0, data, 3, 3, end, 0, 0, end, 0, 0, data, 1, 1})
	f.Add(uint32(59), []byte{byte(wiretap.Open), '0', '0', data, 9, 22, byte(wiretap.Open) | server, 0, 0, data | server, 9, 22, end, 0, 0})
	f.Add(uint32(0), []byte{verdict, 200, 1, data, 3, 21, data, 2, 21, data, 2, 21, verdict, 2, 2})
	f.Fuzz(func(t *testing.T, seed uint32, operations []byte) {
		if len(operations) > 300 {
			return
		}
		w, m := newWriter(t, capture.Options{})
		handle := w.Open(wiretap.Event{Exchange: int(seed), Time: time.Unix(int64(seed), 0), Client: clientAddr, Server: serverAddr})
		var want endpoint.Pair[[]byte]
		var fin endpoint.Pair[bool]
		var rst, closed bool
		for ; len(operations) >= 3; operations = operations[3:] {
			kind, from := wiretap.Kind(operations[0]&0x0f), endpoint.Client+endpoint.Side(operations[0]>>7)
			e := wiretap.Event{Kind: kind, From: from, Time: time.Unix(int64(seed)+int64(int8(operations[2])), 0)}
			e.Data = content(operations[1], operations[2])
			handle(e)
			clear(e.Data)
			e.Data = content(operations[1], operations[2])
			switch {
			case rst || closed:
			case kind == wiretap.Data && !*fin.Of(from):
				*want.Of(from) = append(*want.Of(from), e.Data...)
			case kind == wiretap.HalfClose:
				*fin.Of(from) = true
			case kind == wiretap.Reset:
				rst = true
			case kind == wiretap.Close:
				*fin.Of(from), closed = true, true
			case kind == wiretap.CutOff:
				closed = true
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		blocks(t, m.Bytes())
		got, err := conversation(m.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for side, got := range got.All() {
			want, fin := *want.Of(side), *fin.Of(side)
			if !bytes.Equal(got.data, want) {
				t.Errorf("%v sent %d bytes, %d are there", side, len(want), len(got.data))
			}
			if got.fin != fin {
				t.Errorf("%v: FIN %v, want %v", side, got.fin, fin)
			}
		}
		if (got.Client.rst || got.Server.rst) != rst {
			t.Errorf("RST, want %v", rst)
		}
	})
}

// content makes data of a size that grows fast with its number, in the look of
// a TLS record.
func content(size, kind byte) []byte {
	n := int(size) * int(size)
	return append([]byte{kind, 3, 3, byte(n >> 8), byte(n)}, bytes.Repeat([]byte{kind}, n)...)
}
