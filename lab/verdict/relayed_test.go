package verdict

import (
	"net/netip"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// Where a capture has both halves of a connection through a load balancer, the
// client's own half does not contradict the other one.
func TestRelayed(t *testing.T) {
	front := func(port uint16) (*tlsdecrypt.Connection, Verdict) {
		c := ended(talk(0, hello())(), endpoint.Client)
		c.Number, c.Client = 0, netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port)
		return c, judgeWire(plain(c, endpoint.Server, tlsdecrypt.Plain{}, tlsdecrypt.Plain{HTTP: true, Line: "HTTP/1.1 400 Bad Request"}))
	}
	back := &tlsdecrypt.Connection{Number: 1, Prologue: &prologue.Prologue{Layers: []*prologue.Layer{{Kind: prologue.Header, Source: "192.0.2.1:45128"}}}}
	r := &Relayed{}
	c, v := front(45128)
	if r.Add(&v, c) {
		t.Errorf("before the other half is known: %s", brief(v))
	}
	r.Learn(&Verdict{Code: ProxyHeader}, back)
	if c, v := front(45129); r.Add(&v, c) || v.Code != SpokeNoTLS {
		t.Errorf("another client: %s", brief(v))
	}
	if !r.IsOpen(&v) || !r.Add(&v, c) || brief(v) != "rejected (not TLS) by server: proxy_protocol" || !strings.Contains(v.Reason, "stream 1") || !strings.Contains(v.Fix, "proxy_protocol") {
		t.Errorf("%s: %s; fix: %s", brief(v), v.Reason, v.Fix)
	}
}
