package web

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// plainExchange is one without anything said on it.
func plainExchange(number int) *Exchange {
	return &Exchange{Exchange: &lab.Exchange{Number: number}}
}

// Exchanges come as they are added, from where the browser left off, and the
// stream says when no more will come.
func TestStream(t *testing.T) {
	p := NewPage(Options{Live: true})
	s := serve(t, p)
	p.Add(plainExchange(1))
	p.Add(plainExchange(2))
	var got []int
	ended := false
	events(t, s, "1", func(name, data string) bool {
		if ended = name == "ended"; ended {
			return false
		}
		got = append(got, numbers(t, data)...)
		switch len(got) {
		case 1:
			p.Add(plainExchange(3)) // it waits for that
		case 2:
			p.End()
		}
		return true
	})
	if fmt.Sprint(got) != "[2 3]" || !ended {
		t.Errorf("after exchange 1 the stream has %v, ended %v; want 2, 3 and the end", got, ended)
	}
}

// A browser that stops reading holds nobody up: neither the lab nor another
// browser, which gets the last 1,000.
func TestSlowReader(t *testing.T) {
	p := NewPage(Options{Live: true})
	s := serve(t, p)
	slow, err := net.Dial("tcp", s.listener.Addr().String())
	must(t, err)
	defer slow.Close()
	must(t, s.request(t, "GET", "/events").Write(slow)) // and nothing is ever read
	const many = 10_000
	for n := 1; n <= many; n++ {
		x := plainExchange(n)
		x.Server.Error = strings.Repeat("long ", 200) // more than the network takes
		p.Add(x)
	}
	p.End()
	var got []int
	events(t, s, "", func(name, data string) bool {
		if name == "exchanges" {
			got = append(got, numbers(t, data)...)
		}
		return name != "ended"
	})
	if len(got) != 1000 || got[0] != many-999 || got[len(got)-1] != many {
		t.Errorf("another browser got %d exchanges, want the last 1,000", len(got))
	}
	if n := len(p.exchanges.kept); n != 1000 {
		t.Errorf("%d exchanges are kept, want 1,000", n)
	}
	if status, _ := get(t, s.request(t, "GET", "/exchanges/1")); status != 404 {
		t.Errorf("the first exchange: %d, want 404", status)
	}
}

// Where memory runs out, the oldest exchanges lose what was said on them, and
// stay in the list.
func TestMemory(t *testing.T) {
	var kept exchanges
	const each = mostBytes / 4
	for n := 1; n <= 10; n++ {
		x := plainExchange(n)
		x.Wire = &tlsdecrypt.Connection{}
		x.Wire.Kept.Client = make([]byte, each)
		kept.add(x)
	}
	with := 0
	for _, x := range kept.kept {
		if x.Wire != nil {
			with++
		} else if !x.WireLeftOut {
			t.Errorf("exchange %d does not say that it has lost what was said", x.Number)
		}
	}
	if len(kept.kept) != 10 || with == 0 || with > 4 || kept.kept[9].Wire == nil || kept.size > mostBytes {
		t.Errorf("%d exchanges, %d with what was said, %d bytes; want 10, at most 4 and at most %d", len(kept.kept), with, kept.size, mostBytes)
	}
}

// Exchanges that come all the time keep no certificates from the page.
func TestCertificatesUnderLoad(t *testing.T) {
	p := NewPage(Options{Live: true, PKI: func() ([]json.RawMessage, error) { return nil, nil }})
	s := serve(t, p)
	p.Add(plainExchange(1))
	times := 0
	events(t, s, "0", func(name, _ string) bool {
		if name == "exchanges" {
			times++
			p.Add(plainExchange(1 + times))
		}
		return name != "pki" && times < 10
	})
	if times >= 10 {
		t.Errorf("there are no certificates after exchanges came %d times", times)
	}
}

// What exchanges of one event have in common is sent once.
func TestAlike(t *testing.T) {
	p := NewPage(Options{Live: true})
	s := serve(t, p)
	for n := 1; n <= 4; n++ {
		x := plainExchange(n)
		x.ClientAddr = fmt.Sprintf("127.0.0.1:%d", 1000+n)
		x.Client.Certificate = "CN=client"
		if n == 3 {
			x.Client.Certificate = "CN=another"
		}
		p.Add(x)
	}
	p.End()
	var rows []struct {
		ID     int       `json:"id"`
		Like   int       `json:"like"`
		Addr   string    `json:"client_addr"`
		Client lab.Party `json:"client"`
	}
	events(t, s, "0", func(name, data string) bool {
		if name == "exchanges" {
			must(t, json.Unmarshal([]byte(data), &rows))
		}
		return name != "ended"
	})
	const want = "[{1 0 127.0.0.1:1001 CN=client} {2 1 127.0.0.1:1002 } {3 0 127.0.0.1:1003 CN=another} {4 1 127.0.0.1:1004 }]"
	got := "["
	for i, r := range rows {
		if i > 0 {
			got += " "
		}
		got += fmt.Sprintf("{%d %d %s %s}", r.ID, r.Like, r.Addr, r.Client.Certificate)
	}
	if got += "]"; got != want {
		t.Errorf("the rows are %s\nwant %s", got, want)
	}
}

// A page says that there is no exchange only where that is so, and not while it
// loads one.
func TestNoExchangeYet(t *testing.T) {
	for _, test := range []struct {
		live bool
		has  []*Exchange
		want string
	}{
		{true, nil, "No exchange yet."},
		{true, []*Exchange{run(t, "mtls", tls.VersionTLS13)}, "Loading …"},
		{false, nil, "Loading …"}, // a file, which is read meanwhile
	} {
		p := NewPage(Options{Live: test.live})
		for _, x := range test.has {
			p.Add(x)
		}
		s := serve(t, p)
		if _, page := get(t, s.request(t, "GET", "/")); !strings.Contains(page, `<p class="empty">`+test.want+`</p></div>`) {
			t.Errorf("live %t, with %d exchanges: the page does not say %q", test.live, len(test.has), test.want)
		}
	}
}
