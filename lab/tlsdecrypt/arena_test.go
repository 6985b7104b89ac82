package tlsdecrypt

import (
	"crypto/tls"
	"encoding/json"
	"testing"
)

// Memory that a connection has released has nothing of it for the next one.
func TestRelease(t *testing.T) {
	old := clientConfig()
	old.MaxVersion = tls.VersionTLS12
	recordings := []*recording{record(t, serverConfig(), clientConfig()), record(t, serverConfig(), old).packets(100)}
	asJSON := func(c *Connection) string {
		c.Check(trust())
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var want []string
	for _, r := range recordings {
		want = append(want, asJSON(r.dissect(t, Options{})))
	}
	var got string
	d := New(Options{Done: func(c *Connection) {
		got = asJSON(c)
		c.Release()
		c.Release() // once is enough
	}})
	for i := range 20 {
		which := i / 2 % 2
		recordings[which].replay(d)
		if got != want[which] {
			t.Fatalf("connection %d is\n%s\nwant\n%s", i, got, want[which])
		}
	}
}
