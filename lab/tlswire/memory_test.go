package tlswire

import (
	"reflect"
	"testing"
)

// Messages that share a memory do not change each other, however many there
// are, and what is parsed after Reset is the same again.
func TestMemory(t *testing.T) {
	var memory Memory
	for range 3 {
		var all []Handshake
		for range 20 {
			for _, m := range made {
				h, err := memory.ParseHandshake(m.raw, m.ctx)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, h)
			}
		}
		for _, h := range all {
			if want, _ := ParseHandshake(h.Raw, h.Context); !reflect.DeepEqual(h, want) {
				t.Errorf("%v is %+v in a memory, and %+v without", h.Type, h.Body, want.Body)
			}
		}
		memory.Reset()
	}
}
