package vantage_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/vantage"
)

// codes are the codes of what was found in all pairs, without repetition.
func codes(r *vantage.Report) (all []string) {
	for _, f := range r.Findings {
		code := string(f.Code)
		if f.How == vantage.Unknown {
			code += "?"
		}
		all = append(all, code)
	}
	return all
}

// text is all that was found, a line each.
func text(r *vantage.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		b.WriteString(string(f.Code) + " " + string(f.How) + ": " + f.Text + "\n")
	}
	return b.String()
}

// expect compares what was found with the codes that are wanted, and looks for
// words in it.
func expect(t *testing.T, r *vantage.Report, want string, words ...string) {
	t.Helper()
	if got := strings.Join(codes(r), " "); got != want {
		t.Errorf("found %q, and should have found %q:\n%s", got, want, text(r))
	}
	for _, word := range words {
		if !strings.Contains(text(r), word) {
			t.Errorf("does not say %q:\n%s", word, text(r))
		}
	}
}

func versions(t *testing.T, test func(*testing.T, *world)) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			w := newWorld(t)
			w.serverConfig.MaxVersion = version
			test(t, w)
		})
	}
}

// TestNothingBetween: where both ends saw the same, nothing is found.
func TestNothingBetween(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		w.serve(false)
		check(t, w.call("/a"))
		check(t, w.call("/b"))
		r := w.join()
		expect(t, r, "")
		if len(r.Pairs) != 2 || r.Pairs[0].Relation != vantage.Same || r.Pairs[1].Relation != vantage.Same {
			t.Errorf("%d pairs, want 2 of the same TLS", len(r.Pairs))
		}
		if !r.Clock.Known || r.Clock.Ahead.Abs() > r.Clock.Error+time.Millisecond {
			t.Errorf("the clocks differ: %+v", r.Clock)
		}
	})
}

// TestSwapped: which file is the client's, the messages show, whatever the
// order of the arguments.
func TestSwapped(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	check(t, w.call("/"))
	w.end()
	r := vantage.Join(view("server.pcapng", &w.server, &w.keys), view("client.pcapng", &w.client, &w.keys))
	expect(t, r, "files_swapped", "client.pcapng was recorded nearer to the client")
	if r.Captures.Client.Name != "client.pcapng" {
		t.Errorf("%s is taken for the client's", r.Captures.Client.Name)
	}
}

// TestTCPProxy: what passes TLS through changes addresses alone.
func TestTCPProxy(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		w.serve(false)
		w.stand(func(c net.Conn) { relay(c, w.target, nil) })
		check(t, w.call("/"))
		expect(t, w.join(), "addresses_translated", "(NAT)", "passes TLS through", w.target)
	})
}

// TestAlertDropped: the server refuses, and its alert never gets to the client.
func TestAlertDropped(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		w.serve(false)
		w.clientConfig.Certificates = nil
		alert := false
		w.stand(func(c net.Conn) {
			relay(c, w.target, func(fromServer bool, b []byte) []byte {
				if fromServer && !alert && isAlert(w, b) {
					alert = true
					return nil
				}
				return b
			})
		})
		if err := w.call("/"); err == nil {
			t.Fatal("accepted without a certificate")
		}
		expect(t, w.join(), "addresses_translated not_arrived", "did not arrive: server.pcapng has sent it, and client.pcapng has nothing of it")
	})
}

// isAlert reports whether bytes of the server's are one record of the size of
// an alert.
func isAlert(w *world, b []byte) bool {
	if len(b) == 7 && b[0] == byte(tlswire.ContentTypeAlert) {
		return true
	}
	return len(b) == 24 && b[0] == byte(tlswire.ContentTypeApplicationData)
}

// TestAlertInjected: something between answers in the name of the server.
func TestAlertInjected(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	w.stand(func(c net.Conn) {
		server := must(net.Dial("tcp", w.target))
		defer server.Close()
		hello := make([]byte, 64<<10)
		n := must(c.Read(hello))
		_ = must(server.Write(hello[:n]))
		_ = must(server.Read(hello))
		_ = must(c.Write([]byte{21, 3, 3, 0, 2, 2, 40}))
		_, _ = io.Copy(io.Discard, c)
	})
	if err := w.call("/"); err == nil {
		t.Fatal("accepted")
	}
	r := w.join()
	if !slices.Contains(codes(r), "injected") || !strings.Contains(text(r), "the alert handshake_failure reached the client, and the server never sent it") {
		t.Errorf("found:\n%s", text(r))
	}
}

// TestHelloChanged: a filter takes a cipher suite out of the ClientHello.
func TestHelloChanged(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	done := false
	w.stand(func(c net.Conn) {
		relay(c, w.target, func(fromServer bool, b []byte) []byte {
			if !fromServer && !done {
				done = true
				b = bytes.Replace(b, []byte{0x13, 0x01}, []byte{0x13, 0x09}, 1)
			}
			return b
		})
	})
	if err := w.call("/"); err == nil {
		t.Fatal("accepted with a changed ClientHello")
	}
	expect(t, w.join(), "addresses_translated hello_changed", "without the cipher suite TLS_AES_128_GCM_SHA256")
}

// TestNeverReached: a call that another server has answered, while the one that
// was meant was recording.
func TestNeverReached(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	check(t, w.call("/"))
	other := newWorld(t)
	other.serve(false)
	target := w.target
	w.target = other.target
	check(t, w.call("/elsewhere"))
	w.target = target
	check(t, w.call("/"))
	other.end()
	r := w.join()
	expect(t, r, "never_reached", "stream 1 of client.pcapng to "+other.target+" never reached the server")
	if r.Pairs[1].Relation != vantage.Alone || r.Pairs[1].Ends.Server != nil {
		t.Errorf("the second pair is %+v", r.Pairs[1])
	}
}

// TestProxyLine: a load balancer writes a PROXY line, which the server takes
// for TLS.
func TestProxyLine(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	w.stand(func(c net.Conn) {
		first := true
		relay(c, w.target, func(fromServer bool, b []byte) []byte {
			if !fromServer && first {
				first = false
				from := c.RemoteAddr().(*net.TCPAddr)
				b = append(fmt.Appendf(nil, "PROXY TCP4 %v 192.0.2.2 %d 443\r\n", from.IP, from.Port), b...)
			}
			return b
		})
	})
	if err := w.call("/"); err == nil {
		t.Fatal("accepted")
	}
	r := w.join()
	if !slices.Contains(codes(r), "proxy_line") {
		t.Errorf("found:\n%s", text(r))
	}
}

// TestThroughProxy: the client asks a proxy for the way, and gets it for one of
// two servers.
func TestThroughProxy(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	w.asks = true
	answers := make(chan string, 2)
	answers <- "200 Connection established"
	answers <- "403 Forbidden"
	w.stand(func(c net.Conn) {
		answer := <-answers
		if _, err := head(c); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 "+answer+"\r\n\r\n")
		if strings.HasPrefix(answer, "200 ") {
			relay(c, w.target, nil)
		}
	})
	check(t, w.call("/"))
	if err := w.call("/"); err == nil {
		t.Fatal("the proxy refused, and the call succeeded")
	}
	r := w.join()
	said := text(r)
	for _, want := range []string{"the client speaks to a proxy before TLS in client.pcapng (HTTP CONNECT)", "stream 1 of client.pcapng did not reach the server: the proxy before it has not opened the way"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is missing in:\n%s", want, said)
		}
	}
	if strings.Contains(said, "on the way has") || strings.Contains(said, "firewalls") {
		t.Errorf("found:\n%s", said)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestElsewhere: what a client says to other servers is not missed in the
// capture of this one.
func TestElsewhere(t *testing.T) {
	w := newWorld(t)
	w.serve(false)
	other := newWorld(t)
	other.serve(false)
	check(t, w.call("/"))
	target := w.target
	w.target, w.clientConfig.ServerName = other.target, "127.0.0.1"
	check(t, w.call("/elsewhere"))
	w.target, w.clientConfig.ServerName = target, "localhost"
	check(t, w.call("/"))
	other.end()
	r := w.join()
	expect(t, r, "")
	if f := r.Pairs[1].Findings; len(f) != 1 || f[0].Code != vantage.OneEnd || f[0].How != vantage.Unknown {
		t.Errorf("of the other call: %+v", f)
	}
}

// TestAttempts: what became of a SYN that nobody answered.
func TestAttempts(t *testing.T) {
	tape, keys := recorded()
	near, far := view("client.pcapng", tape, keys), view("server.pcapng", tape, keys)
	server := near.Connections[0].Server
	attempt := capture.Attempt{Time: near.Connections[0].Opened.Add(time.Second / 2), Client: netip.MustParseAddrPort("192.0.2.7:51000"), Server: server}
	refused, answered := attempt, attempt
	refused.Refused, answered.Answered = true, true
	elsewhere := attempt
	elsewhere.Server = netip.MustParseAddrPort("192.0.2.99:443")
	otherPort := attempt
	otherPort.Server = netip.AddrPortFrom(server.Addr(), 9)
	otherPortRefused := otherPort
	otherPortRefused.Refused = true
	early := attempt
	early.Time = near.First.Add(-time.Hour)
	for _, try := range []struct {
		name      string
		near, far []capture.Attempt
		want      string
		words     string
	}{
		{"lost", []capture.Attempt{attempt, attempt}, nil, "never_reached", "its SYN was not answered, and server.pcapng was recording and has none of it"},
		{"refused on the way", []capture.Attempt{refused}, nil, "refused_between", "never reached the server"},
		{"refused in the server's name", []capture.Attempt{refused}, []capture.Attempt{attempt}, "refused_between", "by something in between"},
		{"refused by the server", []capture.Attempt{refused}, []capture.Attempt{refused}, "refused_by_server", "the server itself refused a connection to"},
		{"not answered", []capture.Attempt{attempt}, []capture.Attempt{attempt}, "not_answered", "reached the server, which did not answer its SYN"},
		{"another port", []capture.Attempt{otherPort}, nil, "never_reached", ":9 never reached the server"},
		{"another port, refused", []capture.Attempt{otherPortRefused}, nil, "refused_between", ":9 was refused (RST), and never reached the server"},
		{"the answer lost", []capture.Attempt{attempt}, []capture.Attempt{answered}, "answer_lost", "the answer did not arrive"},
		{"another server", []capture.Attempt{elsewhere}, nil, "one_end?", "no connection to 192.0.2.99:443 (never answered); no SYN of that is in server.pcapng"},
		{"before the recording", []capture.Attempt{early}, nil, "one_end", "when server.pcapng was not recording"},
		{"another client", nil, []capture.Attempt{attempt}, "", ""},
	} {
		t.Run(try.name, func(t *testing.T) {
			near.Attempts, far.Attempts = try.near, try.far
			expect(t, vantage.Join(near, far), try.want, try.words)
		})
	}
}
