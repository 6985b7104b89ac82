package tlsdecrypt

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

// handshakeRecords are n records of 16 KiB, full of empty handshake messages.
func handshakeRecords(n int) []byte {
	return bytes.Repeat(append([]byte{byte(tlswire.ContentTypeHandshake), 3, 3, 0x40, 0}, make([]byte, 0x4000)...), n)
}

// No handshake has thousands of messages: of what claims to be one, few are
// kept, and the others are counted.
func TestMessagesThatAreNoHandshake(t *testing.T) {
	for name, data := range map[string][]byte{
		"handshake messages": handshakeRecords(20),
		"alerts":             bytes.Repeat([]byte{byte(tlswire.ContentTypeAlert), 3, 3, 0, 2, 1, 0}, 50_000),
		"ChangeCipherSpec":   bytes.Repeat([]byte{byte(tlswire.ContentTypeChangeCipherSpec), 3, 3, 0, 1, 1}, 50_000),
		"closed, in turns": bytes.Repeat([]byte{byte(tlswire.ContentTypeChangeCipherSpec), 3, 3, 0, 1, 1,
			byte(tlswire.ContentTypeApplicationData), 3, 3, 0, 1, 1, byte(tlswire.ContentTypeHandshake), 3, 3, 0, 1, 1}, 20_000),
	} {
		r := &recording{events: []wiretap.Event{{Kind: wiretap.Open}, {Kind: wiretap.Data, From: endpoint.Client, Data: data}, {Kind: wiretap.Close, From: endpoint.Server}}}
		c := r.dissect(t, Options{})
		if len(c.Messages) > 2*maxUnopened+1 || c.Omitted == 0 || c.Size() > 512<<10 {
			t.Errorf("%s: %d messages, %d omitted, %d KiB", name, len(c.Messages), c.Omitted, c.Size()>>10)
		}
	}
}

// To count them takes no memory.
func TestMessagesThatAreOnlyCounted(t *testing.T) {
	r := &recording{events: []wiretap.Event{{Kind: wiretap.Open}, {Kind: wiretap.Data, From: endpoint.Client, Data: handshakeRecords(20)}, {Kind: wiretap.Close, From: endpoint.Server}}}
	var c *Connection
	allocations := testing.AllocsPerRun(1, func() { c = r.dissect(t, Options{}) })
	if all := 20 * 0x4000 / 4; len(c.Messages)+c.Omitted != all || allocations > float64(all)/10 {
		t.Errorf("%d messages and %d omitted, of %d, with %.0f allocations", len(c.Messages), c.Omitted, all, allocations)
	}
}

// When the connections that are open take more than Memory, those with the most
// are not read any further, and say so. Small ones are, and when the large ones
// have ended, so are the next.
func TestMemory(t *testing.T) {
	const memory = 1 << 20
	var done []*Connection
	d := New(Options{Memory: memory, Done: func(c *Connection) { done = append(done, c) }})
	pending := append([]byte{byte(tlswire.TypeCertificate), 0x0f, 0xff, 0xff}, make([]byte, 0x4000-4)...) // a message of 1 MiB, which never ends
	first := append([]byte{byte(tlswire.ContentTypeHandshake), 3, 3, 0x40, 0}, pending...)
	open := func(number int) wiretap.Handler {
		return d.Open(wiretap.Event{Kind: wiretap.Open, Exchange: number, Time: time.Now()})
	}
	var large []wiretap.Handler
	for number := range 50 {
		handle := open(number)
		large = append(large, handle)
		handle(wiretap.Event{Kind: wiretap.Data, Data: first})
		for range 40 {
			handle(wiretap.Event{Kind: wiretap.Data, Data: handshakeRecords(1)})
		}
	}
	if taken := d.taken.Load(); taken > memory+50*2*fairShare {
		t.Errorf("%d KiB are taken", taken>>10)
	}
	small := flows(t)["TLS 1.3"]
	handle := open(100)
	for _, e := range small.events[1:] {
		handle(e)
	}
	if c := done[0]; len(c.Problems) > 0 || c.CipherSuite == 0 {
		t.Errorf("the small one: %v", c.Problems)
	}
	for _, handle := range large {
		handle(wiretap.Event{Kind: wiretap.Close})
	}
	unread := 0
	for _, c := range done[1:] {
		for _, p := range c.Problems {
			if strings.Contains(p.Text, "take too much memory") {
				unread++
			}
		}
	}
	if unread < 30 || unread == 50 {
		t.Errorf("%d of 50 say that they were not read any further", unread)
	}
	if taken := d.taken.Load(); taken != 0 {
		t.Errorf("%d bytes are counted of nothing", taken)
	}
	handle = open(101)
	for range 30 {
		handle(wiretap.Event{Kind: wiretap.Data, Data: first[:len(first)-1]})
	}
	handle(wiretap.Event{Kind: wiretap.Close})
	for _, p := range done[len(done)-1].Problems {
		if strings.Contains(p.Text, "memory") {
			t.Errorf("alone: %q", p.Text)
		}
	}
}
