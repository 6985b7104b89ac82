package room

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/peertest"
)

const participants = 50

// pki makes the certificates of a server, of participants, and of another CA
// that has the same name, and a client of the same name too.
func pki(t testing.TB) (m *certgen.Manifest, dir string) {
	t.Helper()
	var manifest strings.Builder
	manifest.WriteString("subject: CN=server-ca\n---\nsubject: CN=server\nissuer: CN=server-ca\nsans: [DNS:localhost]\n---\nsubject: CN=client-ca\n")
	for i := range participants {
		fmt.Fprintf(&manifest, "---\nsubject: CN=client-%02d\nissuer: CN=client-ca\n", i)
	}
	manifest.WriteString("---\nsubject: CN=<b>mallory</b>\nfilename: mallory\nissuer: CN=client-ca\n")
	manifest.WriteString("---\nsubject: CN=other-ca\n---\nsubject: CN=client-00\nfilename: twin\nissuer: CN=other-ca\n")
	m, err := certgen.Parse("certs.yaml", []byte(manifest.String()))
	must(t, err)
	dir = filepath.Join(t.TempDir(), "certs")
	_, err = certgen.Generate(t.Context(), m, dir, certgen.Options{})
	must(t, err)
	return m, dir
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// board runs a server that shows a room, for clients of client-ca and of more.
func board(t testing.TB, dir string, more ...string) (*Room, *url.URL) {
	t.Helper()
	r := &Room{}
	return r, serve(t, r, &lab.Journal{Each: func(x *lab.Exchange) { r.See(x, 0) }}, dir, more...)
}

// serve runs a server of a room that has its exchanges from a journal.
func serve(t testing.TB, r *Room, journal *lab.Journal, dir string, more ...string) *url.URL {
	t.Helper()
	s, err := lab.Listen(t.Context(), "127.0.0.1:0", lab.Settings{
		Credentials: lab.Credentials{Dir: dir, Certificate: "server", Trust: "client-ca", AlsoTrust: more},
		Journal:     journal, Handler: r.Handler(lab.Pages()),
	})
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		must(t, <-ended)
	})
	_, port, _ := strings.Cut(s.Addr().String(), ":")
	return &url.URL{Scheme: "https", Host: "localhost:" + port}
}

// What checks that the server is there is no guest, and hides none: a probe
// that opens a connection and closes it, or resets it. One that goes as far as
// TLS is listed as what it is, and so is curl that refuses the server's name.
func TestHealthChecks(t *testing.T) {
	peertest.Need(t, "curl", "openssl")
	_, dir := pki(t)
	r := &Room{}
	journal := &lab.Journal{Each: func(x *lab.Exchange) { r.See(x, 0) }}
	at := serve(t, r, journal, dir)
	see := func(what string, exit int, args ...string) (line string) {
		t.Helper()
		for _, reset := range []bool{false, true} { // as kubelet closes what is open
			c, err := net.Dial("tcp", "127.0.0.1:"+at.Port())
			must(t, err)
			if reset {
				must(t, c.(*net.TCPConn).SetLinger(0))
			}
			must(t, c.Close())
		}
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = dir
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != exit {
			t.Fatalf("%s: %v: %s", what, cmd.ProcessState, out)
		}
		journal.Wait(t.Context())
		return strings.Join(lines(r.View()), "; ")
	}
	curl := func(options string, args ...string) []string {
		return append(strings.Fields("curl -s "+options), args...)
	}
	own := "--cert client-01.pem --key client-01-key.pem "
	const noRequest = "in CN=client-01: after the handshake the client closed without a request"
	for _, test := range []struct {
		what string
		exit int
		args []string
		want string // how the rows begin
	}{
		{"curl refuses the name", 60, curl(own+"--cacert server-ca.pem --connect-to other.example:443:127.0.0.1:"+at.Port(), "https://other.example/"), "1 " + noRequest},
		{"curl is in", 0, curl(own+"--cacert server-ca.pem", at.String()), "2 in CN=client-01"},
		{"a check with its certificate", 0, []string{"sh", "-c", "openssl s_client -connect 127.0.0.1:" + at.Port() + " -cert client-01.pem -key client-01-key.pem </dev/null"}, "3 in CN=client-01"},
		{"curl refuses the CA", 60, curl(own+"--cacert client-ca.pem", at.String()), "1 refuses 127.0.0.1: "},
		{"a check without one", 0, []string{"sh", "-c", "openssl s_client -connect 127.0.0.1:" + at.Port() + " </dev/null || true"}, "1 refused 1 connection without a certificate from 127.0.0.1: the client sent no certificate; 1 refuses 127.0.0.1: "},
	} {
		if got := see(test.what, test.exit, test.args...); !strings.HasPrefix(got, test.want) || strings.HasSuffix(test.want, "CN=client-01") && got != test.want {
			t.Errorf("%s: %s, want %s", test.what, got, test.want)
		}
	}
}

func credentials(dir, name string) lab.Credentials {
	return lab.Credentials{Dir: dir, Certificate: name, Trust: "server-ca"}
}

// raw is a client that says what no lab says.
func raw(t testing.TB, dir, name, key string) *http.Client {
	t.Helper()
	own, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".pem"), filepath.Join(dir, name+"-key.pem"))
	must(t, err)
	if key != name {
		other, err := tls.LoadX509KeyPair(filepath.Join(dir, key+".pem"), filepath.Join(dir, key+"-key.pem"))
		must(t, err)
		own.PrivateKey = other.PrivateKey
	}
	trust, err := lab.Credentials{Dir: dir}.LoadAuthorities("server-ca")
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(trust[0])
	transport := &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{own}, RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// put sends a body, and returns the status of the answer.
func put(t testing.TB, c *http.Client, to *url.URL, body string) (int, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, to.JoinPath(Path).String(), strings.NewReader(body))
	must(t, err)
	answer, err := c.Do(request)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// Fifty report at once, and one more who means ill: each has its own row, and
// what it has told.
func TestBoard(t *testing.T) {
	_, dir := pki(t)
	r, to := board(t, dir, "other-ca")
	var all sync.WaitGroup
	for i := range participants {
		all.Go(func() {
			own := credentials(dir, fmt.Sprintf("client-%02d", i))
			for hints := range 3 {
				if err := Send(t.Context(), to, own, Report{Exercise: "lost-link", Hints: hints, Total: i, Solved: i%2 == 0}); err != nil {
					t.Errorf("client %d: %v", i, err)
				}
			}
		})
	}
	all.Go(func() {
		mallory := raw(t, dir, "mallory", "mallory")
		statuses := map[int]int{}
		for _, body := range []string{
			`{"exercise": "<script>alert(1)</script>"}`, `{"exercise": "a", "hints": -1}`, `{"exercise": "a", "hints": 1e9}`, `{"exercise": "a", "total": 100000}`,
			`{"exercise": "\u001b[2J"}`, `{"exercise": "` + strings.Repeat("a", 65) + `"}`, `{"name": "CN=client-00"}`, `[]`, ``, strings.Repeat(" ", mostBytes+1),
		} {
			status, err := put(t, mallory, to, body)
			if statuses[status]++; err != nil {
				t.Error(err)
			}
		}
		if statuses[http.StatusBadRequest] != 9 || statuses[http.StatusRequestEntityTooLarge] != 1 {
			t.Errorf("what no lab sends is answered with %v", statuses)
		}
		clear(statuses)
		for range 500 {
			status, _ := put(t, mallory, to, `{"exercise": "mine", "hints": 1, "total": 1, "subject": "CN=client-00"}`)
			statuses[status]++
		}
		if statuses[http.StatusTooManyRequests] < 400 || statuses[http.StatusNoContent] == 0 {
			t.Errorf("a flood is answered with %v", statuses)
		}
		// Somebody else's certificate, and a key of its own.
		if _, err := put(t, raw(t, dir, "client-00", "mallory"), to, `{"exercise": "stolen"}`); err == nil {
			t.Error("somebody else's certificate is taken")
		}
	})
	all.Wait()
	must(t, Send(t.Context(), to, credentials(dir, "twin"), Report{Exercise: "twin"})) // CN=client-00, of the other CA

	v := settled(t, r, 2+participants+1)
	rows := map[string]Guest{}
	for _, g := range v.Guests {
		rows[g.Name] = g
		if g.Report != nil && g.Report.Exercise == "stolen" {
			t.Errorf("somebody else's certificate has a row: %s", g.Line())
		}
	}
	for i := 1; i < participants; i++ {
		g := rows[fmt.Sprintf("CN=client-%02d", i)]
		if want := (Report{Exercise: "lost-link", Hints: 2, Total: i, Solved: i%2 == 0}); g.Report == nil || *g.Report != want || g.State != In || g.Calls != 3 {
			t.Errorf("the row of client %d is %+v, %v, want %v", i, g, g.Report, want)
		}
	}
	var namesakes []string
	for name, g := range rows {
		if strings.HasPrefix(name, "CN=client-00 (CA's key ") {
			namesakes = append(namesakes, g.Report.Exercise)
		}
	}
	if slices.Sort(namesakes); !slices.Equal(namesakes, []string{"lost-link", "twin"}) {
		t.Errorf("of two of one name the exercises are %q", namesakes)
	}
	if g := rows[`CN=\<b\>mallory\</b\>`]; g.Report == nil || g.Report.Exercise != "mine" {
		t.Errorf("the row of mallory is %+v", g)
	}
}

// settled waits until a room has that many rows: a call that was refused is
// there when its connection has ended.
func settled(t testing.TB, r *Room, rows int) (v View) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		if v = r.View(); len(v.Guests) >= rows && !slices.ContainsFunc(v.Guests, func(g Guest) bool { return g.Calls == 0 }) {
			return v
		}
		select {
		case <-late:
			t.Fatalf("there are %d rows, want %d: %q", len(v.Guests), rows, lines(v))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// A renewed certificate is the same guest.
func TestRenewal(t *testing.T) {
	m, dir := pki(t)
	r, to := board(t, dir)
	must(t, Send(t.Context(), to, credentials(dir, "client-01"), Report{Exercise: "lost-link"}))
	before, err := os.ReadFile(filepath.Join(dir, "client-01.pem"))
	must(t, err)
	_, err = certgen.Generate(t.Context(), m, dir, certgen.Options{Renew: []string{"client-01"}})
	must(t, err)
	if after, err := os.ReadFile(filepath.Join(dir, "client-01.pem")); err != nil || string(after) == string(before) {
		t.Fatalf("the certificate was not made anew: %v", err)
	}
	must(t, Send(t.Context(), to, credentials(dir, "client-01"), Report{Exercise: "wrong-host"}))
	if v := r.View(); len(v.Guests) != 1 || v.Guests[0].Report.Exercise != "wrong-host" {
		t.Errorf("%q", lines(v))
	}
}

// What went wrong with a report is said in words, and soon.
func TestSendFails(t *testing.T) {
	_, dir := pki(t)
	_, to := board(t, dir)
	plain, err := lab.Listen(t.Context(), "127.0.0.1:0", lab.Settings{Credentials: lab.Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}, Journal: &lab.Journal{}})
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- plain.Serve(ctx) }()
	t.Cleanup(func() { stop(); must(t, <-ended) })
	_, port, _ := strings.Cut(plain.Addr().String(), ":")
	for what, test := range map[string]struct {
		to   *url.URL
		own  lab.Credentials
		want string
	}{
		"nobody there":          {&url.URL{Scheme: "https", Host: "localhost:1"}, credentials(dir, "client-01"), "no connection to localhost:1"},
		"another name":          {&url.URL{Scheme: "https", Host: strings.Replace(to.Host, "localhost", "127.0.0.1", 1)}, credentials(dir, "client-01"), "is not for 127.0.0.1"},
		"another CA":            {to, lab.Credentials{Dir: dir, Certificate: "client-01", Trust: "other-ca"}, "trust"},
		"a certificate unknown": {to, credentials(dir, "twin"), "CA"},
		"no room":               {&url.URL{Scheme: "https", Host: "localhost:" + port}, credentials(dir, "client-01"), "lab server --room does"},
		"no such file":          {to, credentials(dir, "nobody"), "nobody.pem"},
	} {
		if err := Send(t.Context(), test.to, test.own, Report{Exercise: "a"}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", what, err, test.want)
		}
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Send(stopped, to, credentials(dir, "client-01"), Report{Exercise: "a"}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
