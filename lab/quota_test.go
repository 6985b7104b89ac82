package lab

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/fault"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

// recorded is a server whose exchanges are recorded and dissected, as lab
// server runs it.
type recorded struct {
	*Server
	reported chan *Exchange
	file     string
	stop     func() // ends it and the recording
}

func serveRecorded(t *testing.T, dir string) *recorded {
	t.Helper()
	r := &recorded{reported: make(chan *Exchange, 1000), file: filepath.Join(t.TempDir(), "lab.pcapng")}
	w, err := capture.Create(r.file, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	j := &Journal{Each: func(x *Exchange) { r.reported <- x }}
	wire := j.Dissect()
	r.Server, err = Listen(t.Context(), "127.0.0.1:0", Settings{
		Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"}, Journal: j, Tap: wiretap.New(w, wire)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx) }()
	r.stop = sync.OnceFunc(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		wire.Close()
		j.Wait(context.Background())
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

// hugeHello sends a ClientHello of 16 MiB - 1, as far as it is taken.
func hugeHello(t *testing.T, addr string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	record := append([]byte{22, 3, 1, 0x40, 0}, make([]byte, 0x4000)...)
	copy(record[5:], []byte{1, 0xff, 0xff, 0xff})
	for sent := 0; sent < 16<<20; sent += len(record) {
		if _, err := c.Write(record); err != nil {
			return
		}
		copy(record[5:], make([]byte, 4))
	}
}

// Of a refused client a bounded amount is read, recorded and dissected. The
// recording says that it is not complete, and other clients are served
// meanwhile.
func TestRefusedPeersTakeLittle(t *testing.T) {
	const peers = 20
	dir := newPKI(t)
	r := serveRecorded(t, dir)
	addr := r.Addr().String()
	var hostile sync.WaitGroup
	for range peers {
		hostile.Go(func() { hugeHello(t, addr) })
	}
	if _, err := newClient(t, dir, addr).Call(t.Context()); err != nil {
		t.Error(err)
	}
	hostile.Wait()
	r.stop()
	rejected, cut := 0, 0
	for len(r.reported) > 0 {
		x := <-r.reported
		if x.Outcome == verdict.Accepted {
			continue
		}
		rejected++
		if x.Wire == nil {
			t.Errorf("exchange %d: what was said is not known", x.Number)
			continue
		}
		if size := x.Wire.Size(); size > 256<<10 {
			t.Errorf("exchange %d: %d KiB are kept", x.Number, size>>10)
		}
		if strings.Contains(strings.Join(x.Wire.Comments, "\n"), "not all is recorded") {
			cut++
		}
	}
	if rejected != peers {
		t.Errorf("%d rejected, of %d", rejected, peers)
	}
	file, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	if len(file) > peers*128<<10 {
		t.Errorf("%d KiB are recorded of %d peers", len(file)>>10, peers)
	}
	if n := bytes.Count(file, []byte("not all is recorded: after its end was closed here, 65536 bytes more were read")); n == 0 || n != cut {
		t.Errorf("the recording says %d times that it is not whole, the drawings %d times", n, cut)
	}
}

// Clients that are not authenticated share a quota: one that sends more than
// its share is refused, the others are not.
func TestCrowd(t *testing.T) {
	dir := newPKI(t)
	r := serveRecorded(t, dir)
	r.listener.unauthenticated.read.Add(maxUnauthenticated)
	peer, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	record := append([]byte{22, 3, 1, 0x40, 0}, make([]byte, 0x4000)...)
	copy(record[5:], []byte{1, 0, 0xff, 0}) // a ClientHello of 65,280 bytes, which crypto/tls takes
	for range 2 {
		if _, err := peer.Write(record); err != nil {
			t.Fatal(err)
		}
	}
	if x := next(t, r.reported); x.Outcome != verdict.Rejected || x.RejectedBy != endpoint.Server || !strings.Contains(x.Reason, "read too much of clients that are not authenticated") {
		t.Errorf("%+v", x.Verdict)
	}
	for range 20 {
		if _, err := newClient(t, dir, r.Addr().String()).Call(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.stop()
	if left := r.listener.unauthenticated.read.Load(); left != maxUnauthenticated {
		t.Errorf("%d bytes are counted of clients that have gone", left-maxUnauthenticated)
	}
}

// The quota does not count an authenticated client's upload. It does count a
// client that has a good certificate but not its key.
func TestAuthenticatedAreOfNoCrowd(t *testing.T) {
	dir := newPKI(t)
	for _, key := range []string{"client", "server"} {
		r := serveRecorded(t, dir)
		r.listener.unauthenticated.read.Add(maxUnauthenticated)
		certificate, err := certgen.Load(dir, "client")
		if err != nil {
			t.Fatal(err)
		}
		other, err := certgen.Load(dir, key)
		if err != nil {
			t.Fatal(err)
		}
		certificate.PrivateKey = fault.Impostor(certificate.Leaf.PublicKey, other.PrivateKey.(crypto.Signer))
		peer, err := net.Dial("tcp", r.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		c := tls.Client(peer, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13})
		answered := 0
		answers := bufio.NewReader(c)
		for range 2 {
			_, _ = fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", 100<<10) // fails where the server has hung up
			_, _ = c.Write(make([]byte, 100<<10))
			answer, err := http.ReadResponse(answers, nil)
			if err != nil {
				break
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			answered++
		}
		peer.Close()
		x := next(t, r.reported)
		if key == "client" {
			if x.Outcome != verdict.Accepted || answered != 2 {
				t.Errorf("with its key: %+v, %d answers", x.Verdict, answered)
			}
			continue
		}
		var read int
		for _, comment := range x.Wire.Comments {
			_, _ = fmt.Sscanf(comment, "not all is recorded: after its end was closed here, %d bytes", &read)
		}
		if x.Code != verdict.BadSignature || read == 0 || read > 2*quotaShare {
			t.Errorf("with another key: %+v, %d bytes were read afterwards", x.Verdict, read)
		}
	}
}

// The counting ends with a good certificate, and resumes if its signature is
// bad.
func TestMember(t *testing.T) {
	c := &quotas{}
	first, second := &quota{all: c}, &quota{all: c}
	steps := []struct {
		what string
		got  bool
		want bool
	}{
		{"alone it may send all", first.take(maxUnauthenticated), true},
		{"another has its share", second.take(quotaShare), true},
		{"and no more", second.take(1), false},
		{"nor the first", first.take(1), false},
	}
	first.end()
	steps = append(steps, []struct {
		what string
		got  bool
		want bool
	}{
		{"an authenticated client sends any amount", first.take(2 * maxUnauthenticated), true},
		{"and uses nothing of the others' share", second.take(quotaShare), true},
	}...)
	first.resume()
	if first.take(maxUnauthenticated); second.take(1) {
		t.Error("a client that is not authenticated after all is not counted")
	}
	for _, step := range steps {
		if step.got != step.want {
			t.Errorf("%s: %v", step.what, step.got)
		}
	}
	first.end()
	second.end()
	second.end()
	if n := c.read.Load(); n != 0 {
		t.Errorf("%d bytes are counted of nobody", n)
	}
}

// A client that is refused in the middle of an upload hears the alert, although
// the server does not read the upload.
func TestAlertArrivesAtUploadingCurl(t *testing.T) {
	peertest.Need(t, "curl")
	dir := newPKI(t)
	upload := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(upload, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	addr, _ := serve(t, dir)
	for i := range 15 {
		out, err := exec.Command("curl", "-sS", "--cacert", filepath.Join(dir, "server-ca.pem"),
			"--data-binary", "@"+upload, "-H", "Expect:", "https://"+addr).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "alert") {
			t.Errorf("run %d: %v: %s", i, err, out)
		}
	}
}
