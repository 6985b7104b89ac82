package ladder

import (
	"io"
	"testing"
)

func BenchmarkLine(b *testing.B) {
	c := replay(b, "tls13-mutual", true)
	for b.Loop() {
		lineOf(c, Options{})
	}
}

func BenchmarkKind(b *testing.B) {
	c := replay(b, "tls13-mutual", true)
	for b.Loop() {
		Kind(c)
	}
}

func BenchmarkDraw(b *testing.B) {
	c := replay(b, "tls13-mutual", true)
	for b.Loop() {
		if err := Draw(io.Discard, c, judged(c), Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
