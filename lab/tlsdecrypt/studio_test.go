package tlsdecrypt_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/wiretap"
)

// studio records the connections of all cases into one file, as if each came
// from a port of its own to port 443.
type studio struct {
	dir      string // with certificates and key logs
	recorder *capture.Writer
	tap      *wiretap.Tap
	relays   sync.WaitGroup

	mu    sync.Mutex
	cases []string       // by number of connection: which case it belongs to
	open  map[string]int // by case: its connections that have not ended
}

// stage is where one case plays.
type stage struct {
	*studio
	name string
}

func newStudio(t *testing.T) *studio {
	t.Helper()
	s := &studio{dir: t.TempDir(), open: map[string]int{}}
	manifest, err := certgen.Parse("peers", []byte(peersManifest))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := certgen.Generate(t.Context(), manifest, s.dir, certgen.Options{}); err != nil {
		t.Fatal(err)
	}
	if s.recorder, err = capture.Create(s.capture(), capture.Options{Notice: func(err error) { t.Error(err) }}); err != nil {
		t.Fatal(err)
	}
	s.tap = wiretap.New(renumbered{s.recorder})
	return s
}

const peersManifest = `subject: CN=ca
---
subject: CN=ecdsa
issuer: CN=ca
sans: [DNS:localhost, DNS:public.example, IP:127.0.0.1]
---
subject: CN=rsa
issuer: CN=ca
key_type: RSA
key_usages: [DigitalSignature, KeyEncipherment]
sans: [DNS:localhost, IP:127.0.0.1]
---
subject: CN=ed25519
issuer: CN=ca
key_type: ED25519
sans: [DNS:localhost, IP:127.0.0.1]
---
subject: CN=expired
issuer: CN=ca
sans: [DNS:localhost, IP:127.0.0.1]
not_before: 2020-01-01T00:00:00Z
not_after: 2020-02-01T00:00:00Z
---
subject: CN=stranger
`

func (s *studio) capture() string { return filepath.Join(s.dir, "peers.pcapng") }

// cert and key are the files of a certificate of peersManifest.
func (s *studio) cert(name string) string { return filepath.Join(s.dir, name+".pem") }
func (s *studio) key(name string) string  { return filepath.Join(s.dir, name+"-key.pem") }

func (s *studio) ca(t *testing.T) *x509.Certificate {
	t.Helper()
	chain, err := certgen.LoadCertificates(s.dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	return chain[0]
}

func (s *studio) roots(t *testing.T) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(s.ca(t))
	return pool
}

func (s *studio) trust(t *testing.T) *chain.Trust {
	t.Helper()
	return &chain.Trust{CAs: []chain.NamedCA{{Name: "ca", Certificate: s.ca(t)}}}
}

// keyLog is the key log of the case.
func (s stage) keyLog() string {
	return filepath.Join(s.dir, strings.ReplaceAll(s.name, " ", "-")+".keys")
}

// sslKeyLog is the environment of a program that is to log its keys.
func (s stage) sslKeyLog() []string { return []string{"SSLKEYLOGFILE=" + s.keyLog()} }

// firstPort is the port of the first connection's client in the capture.
const firstPort = 10000

// renumbered gives each connection addresses of its own.
type renumbered struct{ wiretap.Sink }

func (r renumbered) Open(e wiretap.Event) wiretap.Handler {
	local := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	e.Client = netip.AddrPortFrom(local, uint16(firstPort+e.Exchange))
	e.Server = netip.AddrPortFrom(local, 443)
	return r.Sink.Open(e)
}

// relay returns an address whose connections are recorded and passed on to
// target.
func (s stage) relay(t *testing.T, target string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			number := s.opened()
			s.relays.Go(func() {
				pass(s.tap.Server(client, number), target)
				s.ended()
			})
		}
	}()
	return listener.Addr().String()
}

func (s stage) opened() (number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cases = append(s.cases, s.name)
	s.open[s.name]++
	return len(s.cases) - 1
}

func (s stage) ended() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[s.name]--
}

// quiet reports whether all connections of the case have ended. Only what ends
// earlier stands earlier in the recording.
func (s stage) quiet() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[s.name] == 0
}

// pass copies both ways until both sides have ended.
func pass(client *wiretap.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	deadline := time.Now().Add(peertest.Patience)
	client.SetDeadline(deadline)
	server.SetDeadline(deadline)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		io.Copy(client, server)
		client.CloseWrite()
	}()
	io.Copy(server, client)
	server.(*net.TCPConn).CloseWrite()
	<-answered
}

// run runs a program to its end.
func run(t *testing.T, env []string, input string, name string, args ...string) (output string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), peertest.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = strings.NewReader(input)
	cmd.WaitDelay = time.Second
	b, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = errors.Join(err, ctx.Err())
	}
	return string(b), err
}

// succeed runs a program that must exit with 0.
func succeed(t *testing.T, env []string, input string, name string, args ...string) string {
	t.Helper()
	output, err := run(t, env, input, name, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, output)
	}
	return output
}
