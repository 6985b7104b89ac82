package capture_test

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"crypto/tls"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/wiretap"
)

// need skips the test if a program is missing, or no other program shall run;
// where CI is set, none may be missing.
func need(t *testing.T, programs ...string) {
	t.Helper()
	peertest.Need(t, programs...)
	if testing.Short() {
		t.Skip("runs other programs")
	}
}

// frame is what tshark says of a packet: the values of each field.
type frame map[string][]string

var frameFields = []string{
	"frame.number", "frame.comment", "frame.cap_len", "frame.len", "tcp.srcport", "tcp.flags.reset", "tcp.flags.fin",
	"tcp.analysis.flags", "tcp.analysis.reused_ports", "_ws.malformed", "tcp.checksum.status", "ip.checksum.status", "tls.handshake.type", "tls.alert_message.desc",
	"http.request.uri", "http.response.code", "http2.headers.path", "http2.headers.status", "http.content_length",
}

// dissect runs tshark on a file. Options may name the port that carries TLS;
// none is needed for 8443.
func dissect(t *testing.T, name string, options ...string) []frame {
	t.Helper()
	args := append([]string{"-r", name, "-T", "fields", "-E", "separator=/t", "-E", "aggregator=;",
		"-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"}, options...)
	for _, f := range frameFields {
		args = append(args, "-e", f)
	}
	var stderr strings.Builder
	tshark := exec.Command("tshark", args...)
	tshark.Stderr = &stderr
	out, err := tshark.Output()
	if err != nil || strings.Contains(stderr.String(), "cut short") {
		t.Fatalf("tshark: %v, %s", err, &stderr)
	}
	var frames []frame
	for line := range strings.Lines(string(out)) {
		f := frame{}
		for i, value := range strings.Split(strings.TrimSuffix(line, "\n"), "\t") {
			if value != "" {
				f[frameFields[i]] = strings.Split(value, ";")
			}
		}
		frames = append(frames, f)
	}
	return frames
}

// sound checks what must be true of every capture.
func sound(t *testing.T, frames []frame) {
	t.Helper()
	for _, f := range frames {
		for _, flaw := range []string{"tcp.analysis.flags", "_ws.malformed"} {
			if f[flaw] != nil {
				t.Errorf("frame %s has %s", f["frame.number"], flaw)
			}
		}
		for _, status := range []string{"tcp.checksum.status", "ip.checksum.status"} {
			if s := f[status]; s != nil && s[0] != "1" && s[0] != "2" && f["frame.cap_len"][0] == f["frame.len"][0] {
				t.Errorf("frame %s has %s %s", f["frame.number"], status, s)
			}
		}
	}
}

// all returns the values of fields over all frames.
func all(frames []frame, fields ...string) []string {
	var values []string
	for _, f := range frames {
		for _, field := range fields {
			values = append(values, f[field]...)
		}
	}
	return values
}

// tally counts what occurs.
func tally(values []string) map[string]int {
	counts := map[string]int{}
	for _, v := range values {
		counts[v]++
	}
	return counts
}

// decrypted checks that the capture shows the requests in want, by path, with
// their statuses, each as often as it was made, and nothing else.
func decrypted(t *testing.T, frames []frame, want map[string]int) {
	t.Helper()
	wantStatus := map[string]int{}
	for path, n := range want {
		status, _, _ := strings.Cut(strings.TrimPrefix(path, "/status/"), "?")
		wantStatus[status] += n
	}
	if got := tally(all(frames, "http.request.uri", "http2.headers.path")); !maps.Equal(got, want) {
		t.Errorf("the capture shows the requests %v, want %v", got, want)
	}
	if got := tally(all(frames, "http.response.code", "http2.headers.status")); !maps.Equal(got, wantStatus) {
		t.Errorf("the capture shows the statuses %v, want %v", got, wantStatus)
	}
}

// recording is a capture in a temporary folder.
type recording struct {
	*capture.Writer
	name string
	tap  *wiretap.Tap
}

func record(t *testing.T, o capture.Options) *recording {
	t.Helper()
	r := &recording{name: filepath.Join(t.TempDir(), "lab.pcapng")}
	if o.Notice == nil {
		o.Notice = func(err error) { t.Error(err) }
	}
	var err error
	if r.Writer, err = capture.Create(r.name, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	r.tap = wiretap.New(r)
	return r
}

// finish ends the recording of l, and dissects it.
func (r *recording) finish(t *testing.T, l *lab) []frame {
	t.Helper()
	l.stop()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.addr)
	var frames []frame
	if port == "8443" {
		frames = dissect(t, r.name)
	} else {
		frames = dissect(t, r.name, "-d", "tcp.port=="+port+",tls")
	}
	sound(t, frames)
	return frames
}

// TestMatrix: every request and status of each kind of exchange is in the
// capture, once.
func TestMatrix(t *testing.T) {
	need(t, "tshark", "capinfos")
	cases := map[string]setup{}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		v := strings.ReplaceAll(tls.VersionName(version), " ", "")
		cases[v+"/http1.1"] = setup{tls: version}
		cases[v+"/http2"] = setup{tls: version, http2: true}
		cases[v+"/resumption"] = setup{tls: version, resume: true}
		cases[v+"/client's side"] = setup{tls: version, tapClient: &wiretap.Tap{}}
		cases[v+"/no client authentication"] = setup{tls: version, skipClientAuth: true, noClientCert: true}
	}
	cases["TLS1.3/HelloRetryRequest"] = setup{tls: tls.VersionTLS13, retry: true}
	cases["TLS1.3/HelloRetryRequest at the client's side"] = setup{tls: tls.VersionTLS13, retry: true, tapClient: &wiretap.Tap{}}
	cases["IPv6"] = setup{address: "[::1]:0"}
	cases["port 8443, no option"] = setup{address: "127.0.0.1:8443"}
	for name, s := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := record(t, capture.Options{})
			if s.tapClient != nil {
				s.tapClient = r.tap
			} else {
				s.tapServer = r.tap
			}
			l := s.start(t)
			want := map[string]int{}
			for _, path := range []string{"/status/200", "/status/404?bytes=5", "/status/503?bytes=70000"} {
				for range 2 {
					l.get(t, path)
					want[path]++
					if s.resume {
						l.client.CloseIdleConnections()
					}
				}
			}
			frames := r.finish(t, l)
			decrypted(t, frames, want)
			hellos := tally(all(frames, "tls.handshake.type"))
			connections := 1
			if s.resume {
				connections = 6
				if got := hellos["11"]; got > 2 {
					t.Errorf("%d Certificate messages: nothing was resumed", got)
				}
			}
			if s.retry && hellos["1"] != 2 {
				t.Errorf("%d ClientHello messages, want 2", hellos["1"])
			}
			for n := 1; n <= connections; n++ {
				if !slices.Contains(all(frames, "frame.comment"), fmt.Sprintf("exchange %d", n)) {
					t.Errorf("no packet has the comment exchange %d", n)
				}
			}
			if out, err := exec.Command("capinfos", r.name).CombinedOutput(); err != nil {
				t.Errorf("capinfos: %v, %s", err, out)
			}
		})
	}
}

func TestTwoHundredConnectionsAtOnce(t *testing.T) {
	need(t, "tshark")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			r := record(t, capture.Options{})
			arrived := sync.WaitGroup{}
			arrived.Add(200)
			l := setup{tls: version, tapServer: r.tap, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				arrived.Done()
				arrived.Wait() // so none ends before all are there
				serve(w, r)
			})}.start(t)
			want := map[string]int{}
			var wg sync.WaitGroup
			for i := range 200 {
				path := fmt.Sprintf("/status/%d?bytes=%d", 200+i, i)
				if status := 200 + i; status == http.StatusNoContent || status == http.StatusNotModified {
					path = fmt.Sprintf("/status/%d", status)
				}
				want[path]++
				wg.Go(func() {
					response, err := l.client.Get("https://" + l.addr + path)
					if err != nil {
						t.Error(err)
						return
					}
					io.Copy(io.Discard, response.Body)
					response.Body.Close()
				})
			}
			wg.Wait()
			decrypted(t, r.finish(t, l), want)
		})
	}
}

func TestTenMegabytes(t *testing.T) {
	need(t, "tshark")
	r := record(t, capture.Options{})
	l := setup{tapServer: r.tap}.start(t)
	const path = "/status/200?bytes=10000000"
	l.get(t, path)
	frames := r.finish(t, l)
	decrypted(t, frames, map[string]int{path: 1})
	if got := all(frames, "http.content_length"); !slices.Equal(got, []string{"10000000"}) {
		t.Errorf("Content-Length %v", got)
	}
}

// TestVerdict: the packet of the alert says why, be the alert encrypted or not,
// and whoever is tapped.
func TestVerdict(t *testing.T) {
	need(t, "tshark")
	cases := map[string]struct {
		setup
		client  func(*tls.Config)
		alert   string
		verdict string
	}{
		"no client certificate, TLS 1.3": {setup{tls: tls.VersionTLS13, noClientCert: true}, nil, "116", "server: tls: client didn't provide a certificate"},
		"no client certificate, TLS 1.2": {setup{tls: tls.VersionTLS12, noClientCert: true}, nil, "40", "server: tls: client didn't provide a certificate"},
		"wrong name, TLS 1.3":            {setup{tls: tls.VersionTLS13}, wrongName, "42", "server: remote error: tls: bad certificate"},
		"wrong name, TLS 1.2":            {setup{tls: tls.VersionTLS12}, wrongName, "42", "server: remote error: tls: bad certificate"},
		"wrong name, client's side":      {setup{tapClient: &wiretap.Tap{}}, wrongName, "42", "client: tls: failed to verify certificate"},
		"version, no secrets":            {setup{tls: tls.VersionTLS12}, only13, "70", "server: tls: client offered only unsupported versions"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := record(t, capture.Options{})
			if c.tapClient != nil {
				c.tapClient = r.tap
			} else {
				c.tapServer = r.tap
			}
			l := c.start(t)
			if c.client != nil {
				c.client(l.config)
			}
			if _, err := l.client.Get("https://" + l.addr); err == nil {
				t.Fatal("the exchange was not rejected")
			}
			frames := r.finishWhen(t, l, 1)
			found := 0
			for _, f := range frames {
				if comments := strings.Join(f["frame.comment"], ";"); strings.Contains(comments, c.verdict) {
					found++
					if !slices.Equal(f["tls.alert_message.desc"], []string{c.alert}) {
						t.Errorf("the verdict stands at frame %v", f)
					}
				}
			}
			if found != 1 {
				t.Errorf("the verdict stands there %d times: %v", found, all(frames, "frame.comment"))
			}
		})
	}
}

func wrongName(c *tls.Config) { c.ServerName = "elsewhere.example" }
func only13(c *tls.Config)    { c.MinVersion = tls.VersionTLS13 }

// finishWhen waits until n connections have ended.
func (r *recording) finishWhen(t *testing.T, l *lab, n int) []frame {
	t.Helper()
	peertest.Eventually(t, fmt.Sprintf("the end of %d connections", n), func() bool { return l.ended.Load() >= int64(n) })
	return r.finish(t, l)
}

func TestPeerResets(t *testing.T) {
	need(t, "tshark")
	r := record(t, capture.Options{})
	l := setup{tapServer: r.tap}.start(t)
	conn, err := tls.Dial("tcp", l.addr, l.config)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "GET /status/202 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if _, err := conn.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	conn.NetConn().(*net.TCPConn).SetLinger(0)
	conn.NetConn().Close()
	frames := r.finish(t, l)
	decrypted(t, frames, map[string]int{"/status/202": 1})
	if last := frames[len(frames)-1]; !slices.Equal(last["tcp.flags.reset"], []string{"1"}) || slices.Contains(all(frames, "tcp.flags.fin"), "1") {
		t.Errorf("the connection ends with %v", last)
	}
}

// TestPortReuse: a connection from a port that another has used is one of its
// own.
func TestPortReuse(t *testing.T) {
	need(t, "tshark")
	r := record(t, capture.Options{})
	for n := 1; n <= 3; n++ {
		handle := r.Open(wiretap.Event{Kind: wiretap.Open, Exchange: n, Time: time.Now(), Client: clientAddr, Server: serverAddr})
		for _, from := range []endpoint.Side{endpoint.Client, endpoint.Server} {
			handle(wiretap.Event{Kind: wiretap.Data, Time: time.Now(), From: from, Data: []byte("hello")})
		}
		handle(wiretap.Event{Kind: wiretap.HalfClose, Time: time.Now(), From: endpoint.Client})
		handle(wiretap.Event{Kind: wiretap.Close, Time: time.Now(), From: endpoint.Server})
	}
	r.Close()
	reused := 0
	frames := dissect(t, r.name)
	for _, f := range frames {
		// tshark notes that a port is used again, and would call the rest
		// retransmissions if it saw no new connection.
		if f["tcp.analysis.reused_ports"] != nil {
			reused++
			delete(f, "tcp.analysis.flags")
		}
	}
	sound(t, frames)
	if reused != 2 {
		t.Errorf("tshark sees %d connections that use a port again, want 2", reused)
	}
}

func TestSnaplen(t *testing.T) {
	need(t, "tshark")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			r := record(t, capture.Options{Snaplen: 256})
			l := setup{tls: version, resume: true, tapServer: r.tap}.start(t)
			l.get(t, "/status/200?bytes=3000000")
			frames := r.finish(t, l)
			if got := all(frames, "http.request.uri"); len(got) != 1 {
				t.Errorf("the capture shows the requests %v", got)
			}
			types := tally(all(frames, "tls.handshake.type"))
			if types["20"] != 2 || types["11"] != 2 || types["15"] == 0 || types["4"] == 0 && version == tls.VersionTLS13 {
				t.Errorf("handshake messages are missing: %v", types)
			}
			info, err := os.Stat(r.name)
			if err != nil || info.Size() > 500_000 {
				t.Errorf("the file has %d bytes, %v", info.Size(), err)
			}
		})
	}
}

// TestOtherClients: a client that is not Go's, against a tapped server.
func TestOtherClients(t *testing.T) {
	need(t, "tshark", "curl", "openssl", "python3")
	clients := map[string]string{
		"curl":    `curl -sk --cert c.pem --key k.pem https://localhost:$PORT/status/210`,
		"openssl": `printf 'GET /status/210 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' | openssl s_client -quiet -ign_eof -connect localhost:$PORT -cert c.pem -key k.pem`,
		"python": `python3 -c 'import ssl,urllib.request as u
c=ssl._create_unverified_context(); c.load_cert_chain("c.pem","k.pem")
u.urlopen("https://localhost:'$PORT'/status/210", context=c).read()'`,
	}
	for name, script := range clients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := record(t, capture.Options{})
			l := setup{tapServer: r.tap}.start(t)
			_, port, _ := net.SplitHostPort(l.addr)
			dir := t.TempDir()
			writeClient(t, dir)
			shell := exec.Command("sh", "-c", script)
			shell.Dir, shell.Env = dir, append(os.Environ(), "PORT="+port)
			if out, err := shell.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			decrypted(t, r.finish(t, l), map[string]int{"/status/210": 1})
		})
	}
}

// TestFollower: a reader of the growing file decrypts as it goes.
func TestFollower(t *testing.T) {
	need(t, "tshark", "tail")
	r := record(t, capture.Options{})
	l := setup{tapServer: r.tap}.start(t)
	_, port, _ := net.SplitHostPort(l.addr)
	tail := exec.Command("tail", "-c", "+1", "-f", r.name)
	tshark := exec.Command("tshark", "-l", "-r", "-", "-d", "tcp.port=="+port+",tls", "-Y", "http.response", "-T", "fields", "-e", "http.response.code")
	pipe, err := tail.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	tshark.Stdin = pipe
	var seen peertest.Buffer
	tshark.Stdout = &seen
	for _, c := range []*exec.Cmd{tail, tshark} {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		defer c.Wait()
		defer c.Process.Kill()
	}
	var want strings.Builder
	for status := 200; status < 204; status++ {
		l.get(t, "/status/"+strconv.Itoa(status))
		fmt.Fprintln(&want, status)
		peertest.Eventually(t, "the status "+strconv.Itoa(status), func() bool { return seen.String() == want.String() })
	}
}
