package httpwire

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"mtlslab.example/lab/lab/peertest"
)

// write is what one side sent at once.
type write struct {
	fromServer bool
	b          []byte
}

// heads lists what a Conn reads of a conversation: each head's first line and
// the size of its body, and the error if there was one.
func heads(t testing.TB, alpn string, writes []write) []string {
	t.Helper()
	var messages []*Message
	var got []string
	c := New(alpn)
	failed := ""
	for _, w := range writes {
		new, err := c.Write(w.fromServer, w.b)
		messages = append(messages, new...)
		if err != nil {
			if failed != "" {
				t.Errorf("a second error: %v", err)
			}
			failed = "error: " + err.Error()
		}
	}
	for _, m := range messages {
		got = append(got, fmt.Sprintf("%s (%d bytes)", m.Line, m.Body))
	}
	if failed != "" {
		got = append(got, failed)
	}
	return got
}

// everyCut reads the conversation with each write cut at each of its places,
// and all of it byte by byte.
func everyCut(t *testing.T, alpn string, writes []write, want []string) {
	t.Helper()
	if got := heads(t, alpn, writes); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	var bytewise []write
	for i, w := range writes {
		for j := range w.b {
			bytewise = append(bytewise, write{w.fromServer, w.b[j : j+1]})
			cut := slices.Concat(writes[:i], []write{{w.fromServer, w.b[:j]}, {w.fromServer, w.b[j:]}}, writes[i+1:])
			if got := heads(t, alpn, cut); !slices.Equal(got, want) {
				t.Fatalf("cut at byte %d of write %d: got %q, want %q", j, i, got, want)
			}
		}
	}
	if got := heads(t, alpn, bytewise); !slices.Equal(got, want) {
		t.Fatalf("byte by byte: got %q, want %q", got, want)
	}
}

// said makes a conversation of texts, of which those of the server begin with
// "< ".
func said(texts ...string) []write {
	var writes []write
	for _, s := range texts {
		text, server := strings.CutPrefix(s, "< ")
		writes = append(writes, write{server, []byte(text)})
	}
	return writes
}

func TestHTTP1(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for _, test := range []struct {
		name string
		said []string
		want []string
	}{
		{"a length", []string{get, "< HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
			[]string{"GET / HTTP/1.1 (0 bytes)", "HTTP/1.1 200 OK (5 bytes)"}},
		{"chunks and trailers", []string{"POST /a?b=c HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n5;x=y\r\nhello\r\n0A\r\n0123456789\r\n0\r\nDigest: x\r\n\r\n" + get},
			[]string{"POST /a?b=c HTTP/1.1 (15 bytes)", "GET / HTTP/1.1 (0 bytes)"}},
		{"until close", []string{"GET / HTTP/1.0\r\n\r\n", "< HTTP/1.0 200 OK\r\n\r\nhello", "<  world\r\nHTTP/1.1 no head\r\n\r\n"},
			[]string{"GET / HTTP/1.0 (0 bytes)", "HTTP/1.0 200 OK (33 bytes)"}},
		{"no body where there never is one", []string{"HEAD / HTTP/1.1\r\n\r\n" + get + get,
			"< HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"},
			[]string{"HEAD / HTTP/1.1 (0 bytes)", "GET / HTTP/1.1 (0 bytes)", "GET / HTTP/1.1 (0 bytes)",
				"HTTP/1.1 200 OK (0 bytes)", "HTTP/1.1 304 Not Modified (0 bytes)", "HTTP/1.1 204 No Content (0 bytes)"}},
		{"interim responses", []string{"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", "< HTTP/1.1 100 Continue\r\n\r\n", "hi",
			"< HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200\r\nContent-Length: 1\r\n\r\n."},
			[]string{"POST / HTTP/1.1 (2 bytes)", "HTTP/1.1 100 Continue (0 bytes)", "HTTP/1.1 103 Early Hints (0 bytes)", "HTTP/1.1 200 (1 bytes)"}},
		{"upgrade", []string{"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", "< HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x05hello", "\x81\x85....."},
			[]string{"GET / HTTP/1.1 (0 bytes)", "HTTP/1.1 101 Switching Protocols (0 bytes)"}},
		{"tunnel", []string{"CONNECT a:443 HTTP/1.1\r\n\r\n\x16\x03\x01", "< HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03", "\x17"},
			[]string{"CONNECT a:443 HTTP/1.1 (0 bytes)", "HTTP/1.1 200 OK (0 bytes)"}},
		{"no tunnel", []string{"CONNECT a:443 HTTP/1.1\r\n\r\n", "< HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", get},
			[]string{"CONNECT a:443 HTTP/1.1 (0 bytes)", "HTTP/1.1 403 Forbidden (2 bytes)", "GET / HTTP/1.1 (0 bytes)"}},
		{"folded, bare line feeds, an empty line first", []string{"\r\nGET / HTTP/1.1\nA: b\n c\n\n" + get},
			[]string{"GET / HTTP/1.1 (0 bytes)", "GET / HTTP/1.1 (0 bytes)"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			everyCut(t, "http/1.1", said(test.said...), test.want)
			everyCut(t, "", said(test.said...), test.want)
		})
	}
}

func TestHeadersAreKept(t *testing.T) {
	got, err := New("").Write(false, []byte("GET /x HTTP/1.1\r\nHost: localhost\r\nX-Fold: a\r\n\tb\r\nEmpty:\r\n\r\n"))
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	m := got[0]
	want := []Header{{"Host", "localhost"}, {"X-Fold", "a b"}, {"Empty", ""}}
	if !m.Request || m.Method != "GET" || m.Target != "/x" || !slices.Equal(m.Headers, want) {
		t.Errorf("%+v", m)
	}
}

func TestNotHTTP(t *testing.T) {
	head := strings.Repeat("a: "+strings.Repeat("b", 1000)+"\r\n", 70)
	for _, test := range []struct {
		alpn string
		said []string
		want string // in the error
	}{
		{"", []string{"\x00\x01\x02"}, `"\x00\x01\x02" does not begin a request`},
		{"", []string{"GET /\r\n"}, `"GET /" does not begin a request`},
		{"", []string{"< 220 smtp ready\r\n"}, "the server's first bytes"},
		{"http/1.1", []string{"< SSH-2.0-x"}, `"SSH-2.0-x" does not begin a response`},
		{"http/1.1", []string{"< HTTP/1.1 OK\r\n"}, "does not begin a response"},
		{"http/1.1", []string{"GET / HTTP/1.1\r\nno colon\r\n"}, `"no colon" is not a header`},
		{"http/1.1", []string{"GET / HTTP/1.1\r\n x: y\r\n"}, "white space before the first header"},
		{"http/1.1", []string{"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"}, "does not say where the body ends"},
		{"http/1.1", []string{"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"}, "does not say where the body ends"},
		{"http/1.1", []string{"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"}, "does not say where its body ends"},
		{"http/1.1", []string{"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"}, "not the size of a chunk"},
		{"http/1.1", []string{"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"}, "a chunk is longer"},
		{"http/1.1", []string{"GET / HTTP/1.1\r\n" + head}, "a head of more than 65536 bytes"},
		{"http/1.1", []string{strings.Repeat("A", 100)}, "does not begin a request"},
		{"h2", []string{"GET / HTTP/1.1\r\n"}, "the preface"},
		{"h2", []string{"< HTTP/1.1 400 Bad Request\r\n"}, "the first frame is not SETTINGS"},
		{"acme-tls/1", []string{"x"}, `speak "acme-tls/1", which is not HTTP`},
	} {
		got := heads(t, test.alpn, append(said(test.said...), said("more", "< more")...))
		if len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "error: ") || !strings.Contains(got[len(got)-1], test.want) {
			t.Errorf("%.40q: %q, want an error with %q", test.said, got, test.want)
		}
	}
}

func TestUnansweredRequestsAreBounded(t *testing.T) {
	c := New("http/1.1")
	request := []byte("GET / HTTP/1.1\r\n\r\n")
	for range maxRequests {
		if got, err := c.Write(false, request); err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
	}
	if _, err := c.Write(false, request); err == nil {
		t.Error("one more was read")
	}
	if got, err := c.Write(false, request); err != nil || len(got) > 0 {
		t.Errorf("after the error %v, %v were read", got, err)
	}
}

// frames writes HTTP/2 frames.
func frames(write func(*http2.Framer)) []byte {
	var b bytes.Buffer
	write(http2.NewFramer(&b, nil))
	return b.Bytes()
}

func fields(pairs ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	e.SetMaxDynamicTableSizeLimit(1 << 16)
	e.SetMaxDynamicTableSize(1 << 16) // above the default, as browsers have it
	for i := 0; i < len(pairs); i += 2 {
		e.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return b.Bytes()
}

// Frames that a plain client and server do not exchange.
func TestHTTP2Frames(t *testing.T) {
	request := fields(":method", "POST", ":scheme", "https", ":authority", "localhost", ":path", "/p", "x", strings.Repeat("y", 100))
	client := append([]byte(http2.ClientPreface), frames(func(f *http2.Framer) {
		f.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 1 << 16})
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: request[:10], PadLength: 3,
			Priority: http2.PriorityParam{StreamDep: 0, Weight: 7}})
		f.WriteContinuation(1, false, request[10:50])
		f.WriteContinuation(1, true, request[50:])
		f.WriteDataPadded(1, false, []byte("hello"), make([]byte, 9))
		f.WriteRawFrame(0xfe, 0, 0, []byte("of an extension"))
		f.WriteData(1, true, []byte(" world"))
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: fields(":method", "CONNECT", ":authority", "a:443"), EndHeaders: true})
		f.WriteRSTStream(3, http2.ErrCodeCancel)
		f.WriteData(3, false, []byte("after the reset"))
	})...)
	server := frames(func(f *http2.Framer) {
		f.WriteSettings()
		f.WriteSettingsAck()
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(":status", "103"), EndHeaders: true})
		f.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: fields(":method", "GET", ":path", "/pushed"), EndHeaders: true})
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(":status", "200"), EndHeaders: true})
		f.WriteData(1, false, []byte("body"))
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields("digest", "x"), EndHeaders: true, EndStream: true})
		f.WritePing(false, [8]byte{})
		f.WriteGoAway(1, http2.ErrCodeNo, []byte("bye"))
	})
	want := []string{"POST /p HTTP/2 (11 bytes)", "CONNECT a:443 HTTP/2 (0 bytes)", "HTTP/2 103 (0 bytes)",
		"GET /pushed HTTP/2 (0 bytes)", "HTTP/2 200 (4 bytes)"}
	everyCut(t, "h2", []write{{false, client}, {true, server}}, want)
	everyCut(t, "", []write{{false, client}, {true, server}}, want)
	c := New("h2")
	for _, test := range []struct {
		write
		want []string
	}{
		{write{false, client}, []string{"SETTINGS", "DATA", "UNKNOWN_FRAME_TYPE_254", "RST_STREAM (CANCEL)"}},
		{write{true, server}, []string{"SETTINGS", "SETTINGS (ACK)", "DATA", "PING", "GOAWAY"}},
	} {
		if _, err := c.Write(test.fromServer, test.b); err != nil {
			t.Fatal(err)
		}
		if got := c.Frames(); !slices.Equal(got, test.want) {
			t.Errorf("frames %q, want %q", got, test.want)
		}
	}
	if got, want := c.Resets(), []Reset{{StreamID: 3, Error: "CANCEL"}}; !slices.Equal(got, want) { // GOAWAY had no error
		t.Errorf("resets %v, want %v", got, want)
	}
	// A server's SETTINGS may come first.
	everyCut(t, "", []write{{true, server}, {false, client}}, append(want[2:5:5], want[:2]...))
}

func TestHTTP2Refused(t *testing.T) {
	for name, test := range map[string]struct {
		write func(*http2.Framer)
		want  string
	}{
		"a block cut by another frame": {func(f *http2.Framer) {
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(":status", "200")})
			f.WriteData(1, false, nil)
		}, "do not follow each other"},
		"a block without end": {func(f *http2.Framer) {
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(":status", "200")})
			for range 5 {
				f.WriteContinuation(1, false, bytes.Repeat([]byte{0x80 | 2}, 1<<14)) // :method GET
			}
		}, "more than 65536 bytes"},
		"no HPACK": {func(f *http2.Framer) {
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0xff, 0xff}, EndHeaders: true})
		}, "cannot be decompressed"},
	} {
		b := frames(func(f *http2.Framer) { f.AllowIllegalWrites = true; f.WriteSettings(); test.write(f) })
		got := heads(t, "h2", []write{{true, b}})
		if len(got) != 1 || !strings.Contains(got[0], test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// A block of a few bytes that names a long field again and again stays small.
func TestHeadersAreBounded(t *testing.T) {
	block := fields("a", strings.Repeat("b", 4000))
	block = append(block, bytes.Repeat([]byte{0x80 | 62}, 60_000)...)
	head := fields(":status", "200")
	c := New("h2")
	b := frames(func(f *http2.Framer) {
		f.AllowIllegalWrites = true
		f.WriteSettings()
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: append(head, block...), EndHeaders: true})
	})
	got, err := c.Write(true, b)
	if err != nil || len(got) != 1 || len(got[0].Headers) > 20 {
		t.Errorf("%d messages, %v", len(got), err)
	}
}

// recorder records what passes over the connections of a listener.
type recorder struct {
	net.Listener
	mu     sync.Mutex
	writes []write
}

type recordedConn struct {
	net.Conn
	r *recorder
}

func (r *recorder) Accept() (net.Conn, error) {
	c, err := r.Listener.Accept()
	return &recordedConn{c, r}, err
}

func (r *recorder) record(fromServer bool, b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes = append(r.writes, write{fromServer, bytes.Clone(b)})
}

func (c *recordedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.r.record(false, b[:n])
	return n, err
}

func (c *recordedConn) Write(b []byte) (int, error) {
	c.r.record(true, b)
	return c.Conn.Write(b)
}

// serve starts net/http's server, and returns its URL and a function that ends
// it and returns what passed.
func serve(t *testing.T) (url string, recorded func() []write) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "hello, ")
		if r.URL.Path == "/chunked" {
			w.(http.Flusher).Flush()
		}
		io.WriteString(w, "world")
	}))
	r := &recorder{Listener: s.Listener}
	s.Listener = r
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return s.URL, func() []write {
		s.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.writes
	}
}

func TestGoPeers(t *testing.T) {
	for _, test := range []struct {
		alpn string
		want []string
	}{
		{"http/1.1", []string{"POST / HTTP/1.1 (5 bytes)", "HTTP/1.1 200 OK (12 bytes)", "GET /chunked?q HTTP/1.1 (0 bytes)", "HTTP/1.1 200 OK (12 bytes)"}},
		{"h2", []string{"POST / HTTP/2 (5 bytes)", "HTTP/2 200 (12 bytes)", "GET /chunked?q HTTP/2 (0 bytes)", "HTTP/2 200 (12 bytes)"}},
	} {
		t.Run(test.alpn, func(t *testing.T) {
			url, recorded := serve(t)
			transport := &http.Transport{Protocols: new(http.Protocols)}
			transport.Protocols.SetHTTP1(test.alpn != "h2")
			transport.Protocols.SetUnencryptedHTTP2(test.alpn == "h2")
			client := http.Client{Transport: transport}
			for _, call := range []func() (*http.Response, error){
				func() (*http.Response, error) { return client.Post(url, "text/plain", strings.NewReader("12345")) },
				func() (*http.Response, error) { return client.Get(url + "/chunked?q") },
			} {
				resp, err := call()
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			transport.CloseIdleConnections()
			writes := recorded()
			everyCut(t, test.alpn, writes, test.want)
			everyCut(t, "", writes, test.want)
		})
	}
}

func TestCurl(t *testing.T) {
	peertest.Need(t, "curl")
	for flag, version := range map[string]string{"--http2-prior-knowledge": "2", "--http1.1": "1.1", "--http1.0": "1.0"} {
		url, recorded := serve(t)
		if out, err := exec.Command("curl", "-sS", flag, "-m", "10", "-d", "12345", url+"/chunked").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		got := heads(t, "", recorded())
		if len(got) != 2 || got[0] != "POST /chunked HTTP/"+version+" (5 bytes)" || !strings.HasSuffix(got[1], "(12 bytes)") {
			t.Errorf("%s: %q", flag, got)
		}
	}
}

// FuzzConn: no panic, nothing held beyond the bounds, and the same result
// however the bytes are cut.
func FuzzConn(f *testing.F) {
	f.Add("", []byte("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"), []byte("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"))
	f.Add("http/1.1", []byte("CONNECT a:1 HTTP/1.1\r\n\r\n"), []byte("HTTP/1.1 101 Switching\r\n\r\n"))
	f.Add("h2", append([]byte(http2.ClientPreface), frames(func(f *http2.Framer) {
		f.WriteSettings()
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(":method", "GET", ":path", "/"), EndHeaders: true})
		f.WriteDataPadded(1, true, []byte("a"), make([]byte, 3))
	})...), frames(func(f *http2.Framer) {
		f.WriteSettings()
		f.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: fields(":method", "GET")})
		f.WriteContinuation(1, true, fields("a", "b"))
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(":status", "200"), EndHeaders: true})
	}))
	f.Fuzz(func(t *testing.T, alpn string, client, server []byte) {
		whole := heads(t, alpn, []write{{false, client}, {true, server}})
		var bytewise []write
		for i := range client {
			bytewise = append(bytewise, write{false, client[i : i+1]})
		}
		for i := range server {
			bytewise = append(bytewise, write{true, server[i : i+1]})
		}
		cut := heads(t, alpn, bytewise)
		drop := func(s string) bool { return strings.HasPrefix(s, "error: ") }
		if !slices.Equal(slices.DeleteFunc(whole, drop), slices.DeleteFunc(cut, drop)) {
			t.Errorf("whole %q, byte by byte %q", whole, cut)
		}
	})
}
