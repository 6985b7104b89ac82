package tlswire

import (
	"bytes"
	"errors"
	"testing"
)

// helloV2 offers TLS 1.0 in the form of SSL 2.0, with a cipher of each.
var helloV2 = append([]byte{0x80, 31, 1, 3, 1, 0, 6, 0, 0, 0, 16, 1, 0, 0x80, 0, 0, 0x2f}, bytes.Repeat([]byte{7}, 16)...)

func TestReadClientHelloV2(t *testing.T) {
	h, rest, ok, err := ReadClientHelloV2(append(bytes.Clone(helloV2), 22, 3, 1))
	if !ok || err != nil || len(rest) != 3 || !bytes.Equal(h.Raw, helloV2[2:]) || !bytes.Equal(h.Marshal(), h.Raw) {
		t.Fatalf("%t, %v, %d left, % x", ok, err, len(rest), h.Raw)
	}
	hello := h.Body.(*ClientHello)
	if hello.LegacyVersion != VersionTLS10 || len(hello.CipherSuites) != 1 || hello.CipherSuites[0].String() != "TLS_RSA_WITH_AES_128_CBC_SHA" ||
		hello.Random != [32]byte(append(make([]byte, 16), bytes.Repeat([]byte{7}, 16)...)) {
		t.Errorf("%+v", hello)
	}
	covered := 0
	for _, f := range h.Fields() {
		covered += f.Length
	}
	if covered != len(h.Raw) {
		t.Errorf("the fields have %d of %d bytes", covered, len(h.Raw))
	}
	for n := 1; n < len(helloV2); n++ {
		_, _, ok, err := ReadClientHelloV2(helloV2[:n])
		if short := (ShortError{}); !ok || !errors.As(err, &short) || n >= 5 && short.Need != len(helloV2)-n {
			t.Errorf("%d bytes: %t, %v", n, ok, err)
		}
	}
	for _, other := range [][]byte{nil, {22, 3, 1, 0, 5}, {0x80, 31, 1, 0, 3, 0, 6}, {0x80, 31, 4, 3, 1}, append(bytes.Clone(helloV2[:6]), make([]byte, 40)...)} {
		if _, _, ok, err := ReadClientHelloV2(other); ok || err != nil {
			t.Errorf("% x: %t, %v", other, ok, err)
		}
	}
}

// FuzzClientHelloV2 has what is read be written as it came. To run it:
//
//	go test -fuzz FuzzClientHelloV2 -fuzztime 1m ./lab/tlswire
func FuzzClientHelloV2(f *testing.F) {
	f.Add(helloV2)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, rest, ok, err := ReadClientHelloV2(b)
		if !ok || err != nil {
			return
		}
		if !bytes.Equal(h.Marshal(), h.Raw) || len(rest)+len(h.Raw)+headerLenV2 != len(b) {
			t.Fatalf("% x is written as % x", h.Raw, h.Marshal())
		}
		h.Fields()
	})
}
