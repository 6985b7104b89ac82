package scenario

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/verdict"
)

// The line that is printed for curl does the client's part.
func TestCurl(t *testing.T) {
	peertest.Need(t, "curl")
	o := Options{Manifest: baseManifest(t), Dir: t.TempDir()}
	for name, want := range map[string]string{
		"expired-client": "certificate_expired, exit 56", "no-client-cert": "certificate_required, exit 56",
		"expired-server": "certificate_expired, exit 60", "refused-in-http": "accepted", "mtls": "accepted",
		"client-key-mismatch": "",
	} {
		s, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Prepare(t.Context(), o.Manifest, o.certs()); err != nil {
			t.Fatal(err)
		}
		if _, ok := s.Curl(o.certs(), "8443"); ok != (want != "") {
			t.Errorf("%s: that curl can do it is %v", name, ok)
		}
		if want == "" {
			continue
		}
		got := ""
		x := labServes(t, o, s, tls.VersionTLS13, func(port string) {
			args, _ := s.Curl(o.certs(), port)
			status, _ := output(t, "", args[0], append(args[1:], "-sS", "-o", os.DevNull, "--noproxy", "*", "--resolve", "localhost:"+port+":127.0.0.1")...)
			if status != 0 {
				got = fmt.Sprintf(", exit %d", status)
			}
		})
		if x.Alert != nil {
			got = x.Alert.Name + got
		} else {
			got = string(x.Outcome) + got
		}
		if got != want {
			t.Errorf("%s: %s, not %s", name, got, want)
		}
	}
}

// A session of s_client that was begun before the revocation is of no use after
// it, and the server knows that it was a resumed one.
func TestRevocationReachesSessionsOfOpenSSL(t *testing.T) {
	peertest.Need(t, "openssl")
	s, err := Find("resumed-after-revocation")
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range s.Versions() {
		o := Options{Manifest: baseManifest(t), Dir: t.TempDir()}
		if err := s.Prepare(t.Context(), o.Manifest, o.certs()); err != nil {
			t.Fatal(err)
		}
		reports := make(chan *lab.Exchange, 2)
		settings, err := s.ServerSettings(o.certs(), version)
		if err != nil {
			t.Fatal(err)
		}
		settings.Journal = &lab.Journal{Each: func(x *lab.Exchange) { reports <- x }}
		server, err := lab.Listen(t.Context(), "127.0.0.1:0", settings)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(ctx) })

		session := filepath.Join(t.TempDir(), "session.pem")
		call := func(how string) *lab.Exchange {
			cmd := exec.Command("openssl", "s_client", "-connect", server.Addr().String(), "-ign_eof", how, session,
				"-CAfile", file(s, o, "server-ca.pem"), "-cert", file(s, o, "client.pem"), "-key", file(s, o, "client-key.pem"))
			cmd.Stdin = strings.NewReader("GET / HTTP/1.0\r\n\r\n")
			_, _ = cmd.CombinedOutput()
			select {
			case x := <-reports:
				return x
			case <-time.After(settleTimeout):
				t.Fatal("no exchange was reported")
				return nil
			}
		}
		first := call("-sess_out")
		r := &runner{scenario: s, options: o}
		if err := r.change(t.Context()); err != nil {
			t.Fatal(err)
		}
		second := call("-sess_in")
		if first.Outcome != verdict.Accepted || first.TLS.Resumed || second.Code != chain.Revoked || !second.TLS.Resumed {
			t.Errorf("%s: %+v, then %+v", tls.VersionName(version), first.Verdict, second.Verdict)
		}
		stop()
		serving.Wait()
	}
}
