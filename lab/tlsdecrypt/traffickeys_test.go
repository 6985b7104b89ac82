package tlsdecrypt

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"

	"mtlslab.example/lab/lab/tlswire"
)

// The client's first application data in RFC 8448 section 3.
const (
	rfc8448Secret = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"
	rfc8448Record = "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4"
)

func TestTrafficKeysOfTheRFC(t *testing.T) {
	var inner []byte
	for b := range byte(50) {
		inner = append(inner, b)
	}
	inner = append(inner, byte(tlswire.ContentTypeApplicationData))
	secret, record := must(hex.DecodeString(rfc8448Secret)), must(hex.DecodeString(rfc8448Record))
	rec, _, err := tlswire.ReadRecord(record, 0)
	if err != nil {
		t.Fatal(err)
	}
	keys := must(NewTrafficKeys(tlswire.TLS_AES_128_GCM_SHA256, secret))
	if opened, err := keys.Open(rec); err != nil || !bytes.Equal(opened, inner) {
		t.Errorf("it opens as %x, %v", opened, err)
	}
	if _, err := keys.Open(rec); err == nil {
		t.Error("it opens as the second record too")
	}
	keys = must(NewTrafficKeys(tlswire.TLS_AES_128_GCM_SHA256, secret))
	if sealed := keys.Seal([]byte("before"), inner); !bytes.Equal(sealed, append([]byte("before"), record...)) {
		t.Errorf("sealed it is %x", sealed)
	}
}

// What one side seals the other opens, under every suite of crypto/tls, before
// and after a KeyUpdate, and a record that does not open leaves the count as it
// is.
func TestTrafficKeysOfBothSides(t *testing.T) {
	for _, suite := range []tlswire.CipherSuite{tlswire.TLS_AES_128_GCM_SHA256, 0x1302, 0x1303} {
		secret := make([]byte, hashOf(suite.Info())().Size())
		sends, receives := must(NewTrafficKeys(suite, secret)), must(NewTrafficKeys(suite, secret))
		for i := range 6 {
			if i == 3 {
				sends, receives = must(sends.Next()), must(receives.Next())
			}
			want := fmt.Appendf(nil, "record %d", i)
			rec, _, err := tlswire.ReadRecord(sends.Seal(nil, want), 0)
			if err != nil {
				t.Fatal(err)
			}
			broken := rec
			broken.Fragment = append(bytes.Clone(rec.Fragment[1:]), 0)
			if _, err := receives.Open(broken); err == nil {
				t.Errorf("%v: a broken record opens", suite)
			}
			if got, err := receives.Open(rec); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v: %q, %v", suite, got, err)
			}
		}
	}
	for suite, secret := range map[tlswire.CipherSuite]int{tlswire.TLS_AES_128_GCM_SHA256: 48, 0xc02f: 32, 0x1399: 32} {
		if _, err := NewTrafficKeys(suite, make([]byte, secret)); err == nil {
			t.Errorf("%v has keys of a secret of %d bytes", suite, secret)
		}
	}
}
