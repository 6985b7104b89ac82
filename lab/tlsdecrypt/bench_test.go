package tlsdecrypt

import (
	"testing"
)

// BenchmarkDissect follows and decrypts one mutual-TLS connection of TLS 1.3
// with its request.
func BenchmarkDissect(b *testing.B) {
	r := record(b, serverConfig(), clientConfig())
	d := New(Options{Done: (*Connection).Release})
	b.ReportAllocs()
	for b.Loop() {
		r.replay(d)
	}
}

// BenchmarkCheck checks such a connection.
func BenchmarkCheck(b *testing.B) {
	c := record(b, serverConfig(), clientConfig()).dissect(b, Options{})
	t := trust()
	b.ReportAllocs()
	for b.Loop() {
		c.checked = false
		for _, m := range c.Messages {
			m.Checks = nil
		}
		c.Check(t)
	}
}
