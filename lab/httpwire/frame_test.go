package httpwire

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"golang.org/x/net/http2"
)

// The part of a header block is the one that x/net/http2 reads, or both refuse.
func TestFragment(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		b := make([]byte, frameHeaderLen+random.IntN(12))
		for i := range b {
			b[i] = byte(random.IntN(12))
		}
		b[0], b[1], b[2] = 0, 0, byte(len(b)-frameHeaderLen)
		b[3] = []byte{1, 5, 9}[random.IntN(3)]
		b[4] |= byte(random.IntN(2)) << 5
		f := frameHeader(b)
		framer := http2.NewFramer(nil, bytes.NewReader(b))
		framer.AllowIllegalReads = true // a CONTINUATION that follows nothing
		read, wantErr := framer.ReadFrame()
		want, stream := []byte(nil), f.StreamID
		switch read := read.(type) {
		case *http2.HeadersFrame:
			want = read.HeaderBlockFragment()
		case *http2.PushPromiseFrame:
			want, stream = read.HeaderBlockFragment(), read.PromiseID
		case *http2.ContinuationFrame:
			want = read.HeaderBlockFragment()
		}
		got, message, err := headerFragment(f, b[frameHeaderLen:])
		if (err != nil) != (wantErr != nil) || err == nil && (!bytes.Equal(got, want) || message != stream) {
			t.Fatalf("%x: %x of stream %d (%v), not %x of %d (%v)", b, got, message, err, want, stream, wantErr)
		}
	}
}
