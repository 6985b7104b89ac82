package web

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
)

// A capture of one exchange opens in Wireshark: with its keys decrypted, and
// without them, which is what is given unasked, only to the point where
// encryption begins.
func TestCapture(t *testing.T) {
	peertest.Need(t, "tshark")
	p := NewPage(Options{})
	s := serve(t, p)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, name := range []string{"mtls", "expired-client"} {
			x := run(t, name, version)
			id := p.Add(x)
			for _, withKeys := range []bool{false, true} {
				path := fmt.Sprintf("/exchanges/%d/capture.pcapng", id)
				if withKeys {
					path = fmt.Sprintf("/exchanges/%d/capture-with-keys.pcapng", id)
				}
				status, file := get(t, s.request(t, "GET", path))
				if status != 200 {
					t.Fatalf("%s: %d %s", x.Ladder.Title, status, file)
				}
				port := fmt.Sprintf("tcp.port==%d,tls", x.Wire.Server.Port())
				finished := tshark(t, file, "-d", port, "-Y", "tls.handshake.type==20", "-T", "fields", "-e", "frame.number")
				if (finished != "") != withKeys {
					t.Errorf("%s, keys %v: tshark decrypts Finished in frames %q", x.Ladder.Title, withKeys, finished)
				}
				if bad := tshark(t, file, "-d", port, "-Y", "_ws.malformed || tcp.analysis.flags"); bad != "" {
					t.Errorf("%s: tshark complains: %s", x.Ladder.Title, bad)
				}
				if got, want := messagesIn(t, file), names(x.Wire); withKeys && got != want {
					t.Errorf("%s: the capture has\n%s\nand the exchange\n%s", x.Ladder.Title, got, want)
				}
			}
		}
	}
}

// A connection of a file is no exchange of the lab's, or has the number that
// the file says: that of its TCP stream is another.
func TestCaptureOfStream(t *testing.T) {
	p := NewPage(Options{})
	s := serve(t, p)
	for _, comments := range [][]string{nil, {"exchange 5", "rejected by the server"}} {
		x := run(t, "mtls", tls.VersionTLS13)
		x.Ladder = ladder.Options{Stream: true}
		x.Number, x.Wire.Number, x.Wire.Comments = 4, 4, comments
		response, err := http.DefaultClient.Do(s.request(t, "GET", fmt.Sprintf("/exchanges/%d/capture.pcapng", p.Add(x))))
		must(t, err)
		file, err := io.ReadAll(response.Body)
		must(t, err)
		must(t, response.Body.Close())
		if got := connectionIn(t, string(file)).Comments; !slices.Equal(got, comments) {
			t.Errorf("TCP stream 4 says %q of itself, and is saved with %q", comments, got)
		}
		if name := response.Header.Get("Content-Disposition"); !strings.Contains(name, `"tcp-stream-4-capture.pcapng"`) {
			t.Errorf("TCP stream 4 is saved as %s", name)
		}
	}
}

// What a side of a connection in a capture has shown: "no certificate" is said
// of who could have shown one, and could be seen to show none.
func TestShownInCapture(t *testing.T) {
	both := []endpoint.Side{endpoint.Client, endpoint.Server}
	type sides = []endpoint.Side
	p := NewPage(Options{})
	s := serve(t, p)
	for _, test := range []struct {
		name          string
		version       uint16
		withKeys      bool
		early, hidden sides
	}{
		{"mtls", tls.VersionTLS13, true, nil, nil},
		{"mtls", tls.VersionTLS13, false, nil, both},
		{"mtls", tls.VersionTLS12, false, nil, nil},
		{"untrusted-server", tls.VersionTLS13, true, both[:1], nil},
		{"untrusted-server", tls.VersionTLS12, true, both[:1], nil},
		{"no-client-cert", tls.VersionTLS13, true, nil, nil},
		{"no-client-cert", tls.VersionTLS13, false, nil, both},
		{"no-client-cert", tls.VersionTLS12, false, nil, nil},
	} {
		path := map[bool]string{true: "/exchanges/%d/capture-with-keys.pcapng", false: "/exchanges/%d/capture.pcapng"}[test.withKeys]
		_, file := get(t, s.request(t, "GET", fmt.Sprintf(path, p.Add(run(t, test.name, test.version)))))
		c := connectionIn(t, file)
		v := verdict.Judge(nil, nil, 0, c)
		x := &Exchange{Exchange: OfConnection(c, &v)}
		p.Add(x)
		if r := x.row(); !slices.Equal(r.Early, test.early) || !slices.Equal(r.Hidden, test.hidden) {
			t.Errorf("%+v: early %v, hidden %v", test, r.Early, r.Hidden)
		}
	}
}

// tshark is what tshark says of a capture.
func tshark(t *testing.T, file string, args ...string) string {
	t.Helper()
	cmd := exec.Command("tshark", append([]string{"-n", "-r", "-"}, args...)...)
	cmd.Stdin = strings.NewReader(file)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v: %s", err, said.String())
	}
	return strings.TrimSpace(string(out))
}

// messagesIn are the messages of the connection in a capture.
func messagesIn(t *testing.T, file string) (all string) {
	t.Helper()
	return names(connectionIn(t, file))
}

// connectionIn is the connection in a capture.
func connectionIn(t *testing.T, file string) (found *tlsdecrypt.Connection) {
	t.Helper()
	store := &keylog.Store{}
	d := tlsdecrypt.New(tlsdecrypt.Options{Secrets: store, Done: func(c *tlsdecrypt.Connection) { found = c }})
	secrets := func(lines []byte) { must(t, store.Follow(bytes.NewReader(lines))) }
	must(t, capture.Read(strings.NewReader(file), capture.ReadOptions{Sink: d, Secrets: secrets}))
	d.Close()
	return found
}

// names are the messages of a connection, and how it ended.
func names(c *tlsdecrypt.Connection) string {
	var all []string
	for _, m := range c.Messages {
		name := m.Type.String()
		if m.Handshake != nil {
			name = m.Handshake.Name()
		}
		all = append(all, fmt.Sprintf("%v: %s, %d bytes", m.From, name, m.Length))
	}
	return strings.Join(append(all, fmt.Sprintf("ended by the %v", c.EndedBy)), "\n")
}
