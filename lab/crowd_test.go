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

// recorded is a server whose exchanges are recorded and dissected, as lab server
// runs it.
type recorded struct {
	*Server
	told chan *Exchange
	file string
	stop func() // ends it and the recording
}

func serveRecorded(t *testing.T, dir string) *recorded {
	t.Helper()
	r := &recorded{told: make(chan *Exchange, 1000), file: filepath.Join(t.TempDir(), "lab.pcapng")}
	w, err := capture.Create(r.file, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	j := &Journal{Each: func(x *Exchange) { r.told <- x }}
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

// What a client sends that is refused is neither read without end nor recorded
// nor dissected, the recording says that it is not all there, and others are
// served meanwhile.
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
	for len(r.told) > 0 {
		x := <-r.told
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

// Clients that are not authenticated share what may be read of them: who sends
// more than its share is refused, the others are not.
func TestCrowd(t *testing.T) {
	dir := newPKI(t)
	r := serveRecorded(t, dir)
	r.listener.crowd.read.Add(maxCrowd)
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
	if x := next(t, r.told); x.Outcome != verdict.Rejected || x.RejectedBy != endpoint.Server || !strings.Contains(x.Reason, "read too much of clients that are not authenticated") {
		t.Errorf("%+v", x.Verdict)
	}
	for range 20 {
		if _, err := newClient(t, dir, r.Addr().String()).Call(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.stop()
	if left := r.listener.crowd.read.Load(); left != maxCrowd {
		t.Errorf("%d bytes are counted of clients that have gone", left-maxCrowd)
	}
}

// Who is authenticated is of no crowd: its upload is read. Who has a certificate
// that is good, and not the key to it, is.
func TestAuthenticatedAreOfNoCrowd(t *testing.T) {
	dir := newPKI(t)
	for _, key := range []string{"client", "server"} {
		r := serveRecorded(t, dir)
		r.listener.crowd.read.Add(maxCrowd)
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
		x := next(t, r.told)
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
		if x.Code != verdict.BadSignature || read == 0 || read > 2*crowdShare {
			t.Errorf("with another key: %+v, %d bytes were read afterwards", x.Verdict, read)
		}
	}
}

// Whose certificate is good is not counted any more, unless its signature is not.
func TestMember(t *testing.T) {
	c := &crowd{}
	first, second := &member{crowd: c}, &member{crowd: c}
	steps := []struct {
		what string
		got  bool
		want bool
	}{
		{"alone it may send all", first.admit(maxCrowd), true},
		{"another has its share", second.admit(crowdShare), true},
		{"and no more", second.admit(1), false},
		{"nor the first", first.admit(1), false},
	}
	first.leave()
	steps = append(steps, []struct {
		what string
		got  bool
		want bool
	}{
		{"whoever is authenticated sends what it likes", first.admit(2 * maxCrowd), true},
		{"and takes nothing from others", second.admit(crowdShare), true},
	}...)
	first.rejoin()
	if first.admit(maxCrowd); second.admit(1) {
		t.Error("whoever is not authenticated after all is not counted")
	}
	for _, step := range steps {
		if step.got != step.want {
			t.Errorf("%s: %v", step.what, step.got)
		}
	}
	first.leave()
	second.leave()
	second.leave()
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
